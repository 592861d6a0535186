"""Set-ups in which a handler hears the model and not its tools. They are refused with the reason, and what to do."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Final
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from guardrail.errors import ConfigError
from guardrail_langgraph.models import RESAMPLE_TAG
from guardrail_langgraph.runs import Runs, ToolStart, calls_of
from guardrail_langgraph.wiring import Wiring

_SIZE: Final = 4096
_TO_THE_RUN: Final = 'Give it to the whole run (agent.invoke(..., {"callbacks": [handler]}))'
_OR_TOOLS: Final = "or let the tools ask by themselves (tools = guard_tools(tools, handler))"


class Setup:
    """What a handler was told of, and whether it is enough."""

    def __init__(self, wiring: Wiring, runs: Runs) -> None:
        self._wiring = wiring
        self._runs = runs
        self._lock = threading.Lock()
        self._told: OrderedDict[str, None] = OrderedDict()
        self.owns_tools = False

    def told(self, start: ToolStart, call_id: str = "") -> None:
        """A tool's start was heard, of that call."""
        with self._lock:
            self._told[call_id or start.call_id] = None
            while len(self._told) > _SIZE:
                self._told.popitem(last=False)

    def check_request(self, messages: list[list[BaseMessage]], parent: UUID | None) -> None:
        """Before a planning request.

        Raises:
            ConfigError: the handler is at the model alone, or was not told of a tool that has run.
        """
        if not self.owns_tools and (parent is None or not self._runs.heard(parent)):
            raise ConfigError(
                f"the guard's handler hears the model, and would not hear the tools. {_TO_THE_RUN}, {_OR_TOOLS}."
            )
        for message in (one for each in messages for one in each if isinstance(one, ToolMessage)):
            self._check_answer(message)

    def check_action(self, run_id: UUID) -> None:
        """Before an agent's tool.

        Raises:
            ConfigError: nothing was heard within the agent's run, not even its model.
        """
        if not self.owns_tools and not self._runs.used(run_id):
            raise ConfigError(
                "the guard's handler was given to the agent's constructor, and hears neither its model nor its tools. "
                f"{_TO_THE_RUN}."
            )

    def check_end(self, run_id: UUID, outputs: Any) -> None:
        """After a whole run.

        Raises:
            ConfigError: tools were called in it, and nothing was heard within it.
        """
        if self.owns_tools or self._runs.used(run_id):
            return
        if called := sorted(calls_of(outputs) & self._wiring.registered.keys()):
            raise ConfigError(
                f"{called[0]} was called in this run, and the guard's handler heard of nothing within it: it is among "
                "the handlers that a run does not pass on. A callback manager has to have it as an inheritable "
                f"handler (manager.add_handler(handler, inherit=True)). {_TO_THE_RUN}."
            )

    def _check_answer(self, message: ToolMessage) -> None:
        if message.status == "error" or message.tool_call_id in self._told:
            return
        plan: AIMessage | None = self._wiring.capture.plan_of(message.tool_call_id)
        names = {call["name"] for call in plan.tool_calls if call["id"] == message.tool_call_id} if plan else set()
        if ran := names & self._wiring.registered.keys():
            raise ConfigError(
                f"{ran.pop()} ran, and the guard was not asked: its handler was not told that the tool starts. "
                f"{_TO_THE_RUN}, not to the model, {_OR_TOOLS}."
            )


class Watching(BaseCallbackHandler):
    """On a model that is watched: its tools have to ask by themselves, or its whole run has to be heard."""

    raise_error = True
    run_inline = True

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    def for_model(self, _: Any) -> Watching:
        """The same for every model."""
        return self

    def on_chat_model_start(
        self,
        serialized: dict[str, Any] | None,  # noqa: ARG002 - the signature is LangChain's
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,  # noqa: ARG002 - as above
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        **kwargs: Any,  # noqa: ARG002 - as above
    ) -> None:
        """See that the tools will ask.

        Raises:
            ConfigError: they will not, or one of them did not.
        """
        if RESAMPLE_TAG not in (tags or ()):
            self._setup.check_request(messages, parent_run_id)
