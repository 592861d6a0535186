"""``GuardrailCallbackHandler``: the guard for graphs that cannot be changed.

It sees the planning request go out, and stands in front of the tool when it starts. Raising there stops the
tool; under a checkpointer it interrupts instead. It cannot change a call, so reviewers cannot edit, and calls of
the same step that need no human run at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.messages.tool import ToolCall as MessageToolCall
from langchain_core.outputs import LLMResult
from langchain_core.tools import BaseTool
from langgraph.config import get_config
from langgraph.func import task
from langgraph.prebuilt.tool_node import ToolInvocationError

from guardrail import codec
from guardrail.engine import DISPATCHER, feedback
from guardrail.errors import CallBlocked, ConfigError, ReviewError
from guardrail.policy import Policy
from guardrail.review import planned_as
from guardrail.signals import Measure
from guardrail.store import Store
from guardrail.types import DecisionType, Route, StepVerdict, Verdict
from guardrail_langgraph.configuration import can_wait, location, reviewer
from guardrail_langgraph.gate import ask
from guardrail_langgraph.release import settle
from guardrail_langgraph.requests import watch
from guardrail_langgraph.selftest import check_blocks
from guardrail_langgraph.speculation import AnySampler
from guardrail_langgraph.steps import planning_step
from guardrail_langgraph.wiring import AnyAsker, AnyEntailment, Tool, Wiring

_log = logging.getLogger(__name__)
_CANNOT_EDIT = frozenset(DecisionType) - {DecisionType.EDIT}


class ToolCallBlocked(ToolInvocationError, CallBlocked):
    """A call that must not run. ``ToolNode`` answers it with an error message instead of failing the graph."""

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)
        self.message = message
        self.filtered_errors = None


class GuardrailCallbackHandler(BaseCallbackHandler):
    """Give it to the agent's run: ``agent.invoke(..., {"callbacks": [handler]})``.

    It is synchronous on purpose, and works under ``invoke`` and ``ainvoke``, with sync and async tools: an
    asynchronous handler's exception is swallowed when the tool is synchronous, and the call would run. So a
    subclass that is also an ``AsyncCallbackHandler`` is refused.

    Without a checkpointer a call under review is blocked, and its review stays in the queue for the record.
    A tool that starts without a planned call that was seen (a call of another model, or made by code) is
    blocked too. When it is made it starts a harmless tool once, to see that a blocked one does not run; and a run whose
    tools it is not told of ends with the next planning request.

    With ``observe_only`` it blocks nothing and puts nothing before people: every step is assessed and kept on record,
    and whatever fails in that is logged.

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
        **options: Any,
    ) -> None:
        if not observe_only:
            check_blocks(raise_error=self.raise_error, run_inline=self.run_inline)
        self._observe_only = observe_only
        self._told = False
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
            options={"decisions": _CANNOT_EDIT, "reviews": not observe_only, **options},
        )
        self._lock = threading.Lock()
        self._assessing: dict[str, threading.Lock] = {}
        self._running: dict[UUID, str] = {}

    def watch(self, model: Any) -> Any:
        """A copy of a chat model whose requests this handler sees, where it is not given to the whole run."""
        return watch(model, self._wiring.capture)

    @property
    def store(self) -> Store:
        """Where records and reviews are kept."""
        return self._wiring.store

    def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """Note the request that goes out.

        Raises:
            ConfigError: tools of this run have run, and nobody told this handler.
        """
        if not self._told and not self._observe_only:
            self._check_told(messages)
        self._wiring.capture.on_chat_model_start(serialized, messages, run_id=run_id, **kwargs)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Note the plan that it gave."""
        self._wiring.capture.on_llm_end(response, run_id=run_id, **kwargs)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Forget the request."""
        self._wiring.capture.on_llm_error(error, run_id=run_id, **kwargs)

    def on_tool_start(
        self,
        serialized: dict[str, Any] | None,
        input_str: str,  # noqa: ARG002 - the signature is LangChain's
        *,
        run_id: UUID,
        inputs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Let the call pass, or raise.

        Raises:
            ToolCallBlocked: the call must not run; the agent reads why.
            GraphInterrupt: a human must decide, and the graph can wait.
        """
        self._told = True
        if self._observe_only:
            self._observe(str(kwargs.get("tool_call_id") or ""))
            return
        name = str((serialized or {}).get("name") or kwargs.get("name") or "")
        call_id = str(kwargs.get("tool_call_id") or "")
        step = self._assessed(call_id, name)
        verdict = step.verdict(call_id)
        if sum(one.call.id == call_id for one in step.verdicts) > 1:
            raise ToolCallBlocked("Not executed: two calls of the step share an id, so they cannot be told apart.")
        if verdict is None or verdict.call.name != name or not _same_arguments(verdict, inputs):
            raise ToolCallBlocked(f"Not executed: the call of {name} is not the one that was planned and assessed.")
        if step.route is Route.RETRY:
            raise ToolCallBlocked(feedback(verdict))
        if verdict.route is Route.REVIEW:
            self._review(step, verdict, run_id, inputs or {})

    def _check_told(self, messages: list[list[BaseMessage]]) -> None:
        for message in (one for each in messages for one in each if isinstance(one, ToolMessage)):
            if message.status != "error" and self._wiring.capture.plan_of(message.tool_call_id) is not None:
                raise ConfigError(
                    f"{message.name or 'a tool'} ran, and the guard was not asked: its handler sees the model, not the "
                    'tools. Give it to the whole run (agent.invoke(..., {"callbacks": [handler]})), not to the model.'
                )

    def _observe(self, call_id: str) -> None:
        """Assess the step for the record. Nothing that goes wrong with it touches the agent."""
        thread_id, namespace = location(_configurable())
        try:
            self._assess(call_id, thread_id, namespace)
        except Exception as error:  # noqa: BLE001 - an observer must not be noticed
            _log.warning("a step could not be observed: %s", type(error).__name__)

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:  # noqa: ARG002 - LangChain's signature
        """Note that an approved call has run."""
        self._finish(run_id, "")

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:  # noqa: ARG002 - LangChain's signature
        """Note that an approved call has run and failed."""
        self._finish(run_id, f"the tool raised {type(error).__name__}")

    def _finish(self, run_id: UUID, note: str) -> None:
        review_id = self._running.pop(run_id, None)
        if review_id is not None:
            self._wiring.queue.finish(review_id, by=DISPATCHER, note=note)

    def _assessed(self, call_id: str, name: str) -> StepVerdict:
        """The step's verdict, paid for once: kept in the checkpoint where there is one, and in the store."""
        if not call_id:
            raise ToolCallBlocked(f"Not executed: {name} was started without a planned call.")
        thread_id, namespace = location(_configurable())
        if can_wait(_configurable()):
            assess: Any = task(name="guardrail_assess")
            data = assess(self._assess)(call_id, thread_id, namespace).result()
        else:
            data = self._assess(call_id, thread_id, namespace)
        if data is None:
            raise ToolCallBlocked(f"Not executed: the request that planned this call of {name} was not seen.")
        return codec.from_json(StepVerdict, data)

    def _assess(self, call_id: str, thread_id: str, namespace: str) -> dict[str, Any] | None:
        plan = self._wiring.capture.plan_of(call_id)
        if plan is None:
            return None
        with self._lock:
            lock = self._assessing.setdefault(plan.id or call_id, threading.Lock())
        try:
            with lock:
                return self._assess_plan(plan, thread_id, namespace)
        finally:
            with self._lock:
                self._assessing.pop(plan.id or call_id, None)

    def _assess_plan(self, plan: AIMessage, thread_id: str, namespace: str) -> dict[str, Any]:
        step = planning_step(
            plan,
            self._wiring.capture,
            self._wiring.registered,
            thread_id=thread_id,
            namespace=namespace,
            attempt=self._attempt(plan, thread_id),
        )
        return codec.to_json(self._wiring.assess(step))

    def _attempt(self, plan: AIMessage, thread_id: str) -> int:
        """Earlier tries: the newest tool messages of the request answer calls whose record says retry."""
        captured = self._wiring.capture.lookup(plan)
        answered: set[str] = set()
        for message in reversed(captured.request.messages if captured else ()):
            if not isinstance(message, ToolMessage):
                break
            answered.add(message.tool_call_id)
        if not answered:
            return 0
        for record in self._wiring.store.records(thread_id=thread_id, limit=5):
            if record.verdict.route is Route.RETRY and answered & {call.id for call in record.planned.calls}:
                return record.attempt + 1
        return 0

    def _review(self, step: StepVerdict, verdict: Verdict, run_id: UUID, inputs: Mapping[str, Any]) -> None:
        if not can_wait(_configurable()):
            raise ToolCallBlocked(
                f"Not executed: this call must wait for a human (review {verdict.review_id[:12]}), "
                "but the run has no checkpointer to wait with."
            )
        wiring = self._wiring
        by = reviewer(_configurable())
        tool = wiring.registered.get(verdict.call.name)
        planned = _planned(verdict, inputs)
        answered = ask(verdict, tool, wiring.policy, wiring.queue, record_id=step.record_id, by=by, planned=planned)
        call = MessageToolCall(name=verdict.call.name, args=planned, id=verdict.call.id, type="tool_call")
        try:
            result = settle(call, answered, wiring.queue, by=by, tool=tool)
            if isinstance(result, ToolMessage):
                raise ToolCallBlocked(str(result.content))
            wiring.queue.begin(result.review.id, digest=result.review.digest, by=DISPATCHER)
        except ReviewError as error:
            raise ToolCallBlocked(f"Not executed: {error}") from error
        self._running[run_id] = result.review.id


def _configurable() -> Mapping[str, Any]:
    """The running graph's configuration; empty outside one."""
    try:
        return get_config().get("configurable") or {}
    except RuntimeError:
        return {}


def _same_arguments(verdict: Verdict, inputs: Mapping[str, Any] | None) -> bool:
    """Whether the tool starts with the planned arguments. A graph may inject more; the planned ones must stand."""
    names = verdict.call.arguments
    if inputs is None or not all(name in inputs for name in names):
        return False
    if not verdict.hidden:
        return all(inputs[name] == names[name] for name in names)
    thread_id, _ = location(_configurable())
    return planned_as(verdict, thread_id, verdict.call.name, _planned(verdict, inputs))


def _planned(verdict: Verdict, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The planned arguments among what a tool is started with."""
    if not verdict.hidden:
        return verdict.call.arguments
    return {name: inputs[name] for name in verdict.call.arguments if name in inputs}


def guard_tools(tools: Sequence[BaseTool], handler: GuardrailCallbackHandler) -> list[BaseTool]:
    """Copies of tools that ask the handler before they run, for code that owns its tools and nothing else.

    Whoever plans with ``handler.watch(model)`` has its steps sampled. A call whose planning request was not seen is
    blocked.
    """
    return [tool.model_copy(update={"callbacks": [*_own(tool), handler]}) for tool in tools]


def _own(tool: BaseTool) -> list[Any]:
    """The handlers that a tool has already."""
    own = tool.callbacks
    return list(own if isinstance(own, list) else own.handlers if own is not None else ())
