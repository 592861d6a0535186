"""``GuardrailCallbackHandler``: the guard for agents that cannot be changed.

It sees the planning request go out, and stands in front of the tool when it starts. Raising there stops the tool; in a
graph with a checkpointer it interrupts instead. It cannot change a call, so reviewers cannot edit.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from langchain_core.agents import AgentAction
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult

from guardrail.policy import Policy
from guardrail.signals import Measure
from guardrail.store import Store
from guardrail.types import DecisionType
from guardrail_langgraph.letting import Letting, Started
from guardrail_langgraph.models import RESAMPLE_TAG
from guardrail_langgraph.owned import guard_tools
from guardrail_langgraph.requests import watch
from guardrail_langgraph.runs import Runs, ToolStart
from guardrail_langgraph.selftest import check_blocks, is_harmless
from guardrail_langgraph.setups import Setup, Watching
from guardrail_langgraph.speculation import AnySampler
from guardrail_langgraph.wiring import AnyAsker, AnyEntailment, Tool, Wiring
from guardrail_langgraph.written import CallReader

__all__ = ["GuardrailCallbackHandler", "guard_tools"]

_log = logging.getLogger(__name__)
_CANNOT_EDIT: Final = frozenset(DecisionType) - {DecisionType.EDIT}


class GuardrailCallbackHandler(BaseCallbackHandler):
    """Give it to the agent's run: ``agent.invoke(..., {"callbacks": [handler]})``.

    It is synchronous on purpose, and works under ``invoke`` and ``ainvoke``, with sync and async tools: an
    asynchronous handler's exception is swallowed when the tool is synchronous, and the call would run. So a
    subclass that is also an ``AsyncCallbackHandler`` is refused. When it is made it starts a harmless tool once, to see
    that a blocked one does not run; a set-up in which it would hear the model and not the tools ends with an error
    that says what to do.

    A tool runs if it was planned in a request that was seen, by the id of its call or by where it was started and with
    which arguments. A tool that starts otherwise (a call of another model, or made by code) is blocked. Calls that
    share a task of a graph start once the people have answered who are asked about one of them.

    A run waits for people in a graph with a checkpointer, where a task starts tools that an earlier one has planned.
    Anywhere else, as under ``AgentExecutor``, a call under review is blocked after ``wait`` seconds, and its review
    stays in the queue for the record.

    With ``observe_only`` it blocks nothing and puts nothing before people: every step is assessed and kept on record,
    and whatever fails in that is logged.

    Args:
        wait: seconds for which a tool's thread waits for a person's decision, where the run cannot be interrupted.
        reads: how calls are read from what the model says, for agents that write them as text (ReAct): the agent's
            own output parser.

    Other args and errors: as ``GuardrailNode``.
    """

    raise_error = True
    run_inline = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if issubclass(cls, AsyncCallbackHandler):
            raise TypeError(
                f"{cls.__name__} may not be an AsyncCallbackHandler: LangChain swallows its exceptions when a tool is "
                "synchronous, and the blocked call would run. Subclass GuardrailCallbackHandler alone."
            )

    def __init__(
        self,
        model: BaseChatModel | None = None,
        *,
        tools: Sequence[Tool],
        policy: Policy | str | None = None,
        store: Store | str | None = None,
        sampler: AnySampler | None = None,
        entailment: AnyEntailment | None = None,
        asker: AnyAsker | None = None,
        signals: Sequence[Measure] = (),
        risk_model: Any = None,
        speculate: bool = False,
        observe_only: bool = False,
        wait: float = 0.0,
        reads: CallReader | None = None,
        **options: Any,
    ) -> None:
        self._observe_only = observe_only
        self._wiring = Wiring(
            model,
            tools=tools,
            policy=policy,
            store=store,
            sampler=sampler,
            entailment=entailment,
            asker=asker,
            signals=signals,
            risk_model=risk_model,
            speculate=speculate,
            reads=reads,
            options={"decisions": _CANNOT_EDIT, "reviews": not observe_only, **options},
        )
        self._runs = Runs()
        self._setup = Setup(self._wiring, self._runs)
        self._letting = Letting(self._wiring, self._runs, tenant=str(options.get("tenant") or ""), wait=wait)
        self._running: dict[UUID, Started] = {}
        if not observe_only:
            check_blocks(self)

    def watch(self, model: Any) -> Any:
        """A copy of a chat model whose requests this handler sees, where it is not given to the whole run.

        Its tools have to be those of ``guard_tools``; else its first request fails.
        """
        watched = watch(model, self._wiring.capture)
        return watched if self._observe_only else watch(watched, Watching(self._setup))

    def owns_tools(self) -> None:
        """Tools were made that ask this handler by themselves."""
        self._setup.owns_tools = True

    @property
    def store(self) -> Store:
        """Where records and reviews are kept."""
        return self._wiring.store

    def on_chain_start(
        self,
        serialized: dict[str, Any] | None,  # noqa: ARG002 - the signature is LangChain's
        inputs: Any,  # noqa: ARG002 - as above
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,  # noqa: ARG002 - as above
    ) -> None:
        """Note what runs within what."""
        self._runs.started(run_id, parent_run_id)

    def on_chain_end(
        self,
        outputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,  # noqa: ARG002 - as above
    ) -> None:
        """See that the guard was asked.

        Raises:
            ConfigError: tools were called in this run, and nothing of that was told to this handler.
        """
        if parent_run_id is None and not self._observe_only:
            self._setup.check_end(run_id, outputs)

    def on_agent_action(
        self,
        action: AgentAction,  # noqa: ARG002 - as above
        *,
        run_id: UUID,
        **kwargs: Any,  # noqa: ARG002 - as above
    ) -> None:
        """See that the guard will be asked.

        Raises:
            ConfigError: the handler was given to the agent's constructor, and hears of nothing within its run.
        """
        if not self._observe_only:
            self._setup.check_action(run_id)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Note the request that goes out.

        Raises:
            ConfigError: this handler would not be told of the tools that are planned here, or was not told of some.
        """
        if RESAMPLE_TAG in (tags or ()):
            return
        if not self._observe_only:
            check_blocks(self)
            self._setup.check_request(messages, parent_run_id)
        self._runs.started(run_id, parent_run_id)
        self._wiring.capture.on_chat_model_start(
            serialized, messages, run_id=run_id, parent_run_id=parent_run_id, tags=tags, **kwargs
        )

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Note the plan that it gave."""
        self._wiring.capture.on_llm_end(response, run_id=run_id, **kwargs)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Forget the request."""
        self._wiring.capture.on_llm_error(error, run_id=run_id, **kwargs)

    def on_tool_start(
        self,
        serialized: dict[str, Any] | None,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: dict[str, Any] | None = None,
        inputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Let the call pass, or raise.

        Raises:
            ToolCallBlocked: the call must not run; the agent reads why.
            GraphInterrupt: a human must decide, and the graph can wait.
        """
        start = ToolStart(
            name=str((serialized or {}).get("name") or kwargs.get("name") or ""),
            call_id=str(kwargs.get("tool_call_id") or ""),
            inputs=inputs,
            text=input_str,
            run_id=run_id,
            parent_run_id=parent_run_id,
            metadata=metadata or {},
        )
        self._runs.started(run_id, parent_run_id, is_tool=True)
        if start.name not in self._wiring.registered and is_harmless(serialized):
            return
        self._setup.told(start)
        if self._observe_only:
            self._observe(start)
            return
        found = self._letting.find(start)
        self._setup.told(start, found.call_id)
        self._running[run_id] = self._letting.let(start, found)

    def _observe(self, start: ToolStart) -> None:
        """Assess the step for the record. Nothing that goes wrong with it touches the agent."""
        try:
            self._letting.verdict(self._letting.find(start))
        except Exception as error:  # noqa: BLE001 - an observer must not be noticed
            _log.warning("a step could not be observed: %s", type(error).__name__)

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:  # noqa: ARG002 - LangChain's signature
        """Note that the call has run."""
        if (started := self._running.pop(run_id, None)) is not None:
            self._letting.ended(started)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:  # noqa: ARG002 - as above
        """Note that the call has run and failed, or waits itself."""
        if (started := self._running.pop(run_id, None)) is not None:
            self._letting.failed(started, error)
