"""``GuardrailNode``: between the agent and its tools.

Inside it runs a small graph of its own: *assess* pays for the samples and writes the verdict to state, one
*gate* a call asks the human, *release* applies the answers. On resume LangGraph repeats an interrupted node
from its start; what is repeated here is only a gate, which reads state and asks again, so samples are paid
once and a verdict never flips.
"""

from __future__ import annotations

import asyncio
import logging
import operator
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, NotRequired, TypedDict, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, RemoveMessage, ToolMessage
from langchain_core.messages.tool import ToolCall as MessageToolCall
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, Send

from guardrail import codec
from guardrail.errors import CallBlocked, ConfigError
from guardrail.policy import Policy
from guardrail.signals import Measure
from guardrail.store import Store
from guardrail.types import Decision, PlanningStep, ReviewState, Route, StepVerdict, Verdict
from guardrail_langgraph.ahead import RunAhead, outer_state
from guardrail_langgraph.configuration import can_wait, location, reviewer
from guardrail_langgraph.dispatch import AsyncRun, Run, checks, guarded_tool_node
from guardrail_langgraph.finished import finish_answered
from guardrail_langgraph.gate import ask
from guardrail_langgraph.history import attempts, heal, last_plan, refused, unanswered, unusable
from guardrail_langgraph.release import Answered, Released, release, take
from guardrail_langgraph.requests import watch
from guardrail_langgraph.speculation import AnySampler
from guardrail_langgraph.steps import planning_step
from guardrail_langgraph.wiring import AnyAsker, AnyEntailment, Tool, Wiring

_log = logging.getLogger(__name__)
_HOOK = "post_model_hook"
_MAX_UNUSABLE = 2
_UNUSED = frozenset({ReviewState.PENDING, ReviewState.CLAIMED, ReviewState.DECIDED})


class _State(TypedDict, total=False):
    """The inner graph's state: messages and plain JSON only, so that every checkpointer keeps it."""

    plan: AIMessage
    open: list[str]
    attempt: int
    step: dict[str, Any]
    ahead: dict[str, ToolMessage]
    answered: Annotated[list[dict[str, Any]], operator.add]
    new_plan: AIMessage
    answers: list[ToolMessage]
    run: list[dict[str, Any]]
    approvals: dict[str, str]


class _Asked(TypedDict):
    """What one gate is sent."""

    verdict: dict[str, Any]
    record_id: str
    planned: NotRequired[dict[str, Any]]


class GuardrailNode(Runnable[Any, Any]):
    """Checks every tool call of the newest model turn, then sends it on, back, or before a human.

    In a ``StateGraph`` it stands between agent and tools (``add_edge("agent", "guard")``; no edge leaves it) and
    ends the run where the turn has no calls. As ``post_model_hook`` of ``create_react_agent`` it leaves the
    routing to that graph. The agent must plan with ``guard.watch(model)``: what was sent is what is sampled.
    A call under review holds its siblings until the human has answered.

    Args:
        model: the chat model that plans, before ``bind_tools``.
        tools: the tools it may call.
        policy: stakes by tool, or the path of its file; by default every tool is high.
        store: a store, or its URL ("sqlite:///guardrail.db"); by default in memory, gone with the process.
        sampler: draws a planning step again; by default from ``model``.
        entailment: judges free texts that differ; by default they are different.
        asker: asks about a call; by default the sampler, where it can.
        signals: signals of your own, or those of the package with other prompts.
        risk_model: combines signals into one risk, for tiers that ask for it.
        speculate: draw samples together with the planning request, where every tool that it offers would be
            resampled. Turns without calls then cost samples, and stopping early spares none.
        run_ahead: run calls of low stakes while samples arrive, if their tool is annotated ``readOnlyHint: true``.
            What they gave is delivered if the verdict is execute, and dropped otherwise. Needs ``tool_node()``.
        messages_key: where the graph's state keeps its messages.
        agent_node: name of the node to go back to.
        tools_node: name of the node to go on to.
        options: further arguments of ``guardrail.Guard``.

    Raises:
        ConfigError: no tools, a model without tools, a policy that does not fit them; when it runs: a
            call must be reviewed and the graph has no checkpointer.
        CallBlocked: when it runs: plan after plan cannot be read.
    """

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
        run_ahead: bool = False,
        messages_key: str = "messages",
        agent_node: str = "agent",
        tools_node: str = "tools",
        **options: Any,
    ) -> None:
        self._wiring = wiring = Wiring(
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
            options=options,
        )
        self._ahead = RunAhead(tools, wiring.policy, wiring.registered, messages_key) if run_ahead else None
        self._messages_key = messages_key
        self._agent_node = agent_node
        self._tools_node = tools_node
        self._dispatches = False
        self._graph = self._build()

    @property
    def store(self) -> Store:
        """Where records and reviews are kept."""
        return self._wiring.store

    def watch(self, model: Any) -> Any:
        """A copy of a chat model (tools bound or not) whose requests the guard sees and can send again."""
        return watch(model, self._wiring.capture)

    def tool_node(self) -> ToolNode:
        """A ``ToolNode`` of the guarded tools that checks each call once more where it is dispatched.

        With it an approval is used up at the moment its tool starts; without it, when the node lets the call go.
        """
        self._dispatches = True
        wiring = self._wiring
        return guarded_tool_node(wiring.tools, wiring.store, wiring.queue, self._messages_key, self._ahead)

    def heal(self, state: Any, config: RunnableConfig) -> dict[str, Any]:
        """A state update that answers calls left open by a newer message; providers refuse such a history.

        Put it where a run starts: as a node before the agent, or as ``pre_model_hook``.
        """
        healed, dropped = heal(self._messages(state))
        if not dropped:
            return {}
        open_ids = {call["id"] for call in dropped}
        queue, (thread_id, _) = self._wiring.queue, location(configurable(config))
        for review in queue.in_states(_UNUSED, thread_id=thread_id):
            if review.call.id in open_ids:
                queue.supersede(review.id, by="guard", note="a new message came before the decision")
        return {self._messages_key: [RemoveMessage(id=REMOVE_ALL_MESSAGES), *healed]}

    def tool_checks(self) -> tuple[Run, AsyncRun]:
        """What ``tool_node()`` puts around the start of every tool, both ways, for others that start tools."""
        self._dispatches = True
        return checks(self._wiring.store, self._wiring.queue, self._messages_key, self._ahead)

    def invoke(self, input: Any, config: RunnableConfig | None = None, **_: Any) -> Any:  # noqa: A002 - Runnable's name
        """Check the newest turn; a ``Command`` for a ``StateGraph``, a state update as ``post_model_hook``."""
        return self._leave(self.released(input, config), config)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **_: Any) -> Any:  # noqa: A002 - Runnable's name
        """As ``invoke``."""
        return self._leave(await self.areleased(input, config), config)

    def released(self, state: Any, config: RunnableConfig | None = None) -> Released | None:
        """Check the newest turn; None where it has no open call."""
        self._close_answered(state, config)
        start = self._start(state)
        if not isinstance(start, dict):
            return start
        with self._inside(state):
            done = self._graph.invoke(start, config)
        return self._taken(done, config)

    async def areleased(self, state: Any, config: RunnableConfig | None = None) -> Released | None:
        """As ``released``."""
        await asyncio.to_thread(self._close_answered, state, config)
        start = self._start(state)
        if not isinstance(start, dict):
            return start
        with self._inside(state):
            done = await self._graph.ainvoke(start, config)
        return await asyncio.to_thread(self._taken, done, config)

    def _close_answered(self, state: Any, config: RunnableConfig | None) -> None:
        """Close the reviews of calls that another tool node has run; the guard's own closes them itself."""
        if not self._dispatches:
            thread_id, namespace = location(configurable(config))
            messages = self._messages(state)
            finish_answered(self._wiring.queue, messages, thread_id=thread_id, namespace=namespace, by="guard")

    @contextmanager
    def _inside(self, state: Any) -> Iterator[None]:
        """The state around the inner graph, for tools that run ahead."""
        if self._ahead is not None and not self._dispatches:
            raise ConfigError(
                "run_ahead=True delivers errors of tools where they are dispatched: put guard.tool_node() in the graph."
            )
        token = outer_state.set(state)
        try:
            yield
        finally:
            outer_state.reset(token)

    def _messages(self, state: Any) -> list[AnyMessage]:
        if isinstance(state, list):
            return state
        key = self._messages_key
        found = state.get(key) if isinstance(state, Mapping) else getattr(state, key, None)
        if not isinstance(found, list):
            raise ConfigError(
                f"the graph's state has no list of messages under {key!r}. "
                "Name the right key with GuardrailNode(messages_key=...)."
            )
        return found

    def _start(self, state: Any) -> _State | Released | None:
        """The inner graph's input; or what is clear without it: nothing to check, or a plan that cannot be read."""
        messages = self._messages(state)
        plan = last_plan(messages)
        if plan is None or not unanswered(plan, messages):
            return None
        attempt = attempts(plan, messages)
        if (why := unusable(plan)) is not None:
            if attempt >= _MAX_UNUSABLE:
                raise CallBlocked(f"the model planned {attempt + 1} times in a row, and {why}. Nothing was executed.")
            plan, answers = refused(plan, why, attempt)
            return Released(plan=plan, answers=tuple(answers), run=(), approvals={})
        calls = [call["id"] or "" for call in unanswered(plan, messages)]
        return {"plan": plan, "open": calls, "attempt": attempt}

    def _taken(self, done: _State, config: RunnableConfig | None) -> Released:
        """What the inner graph released. Outside that graph, since a replay does not run a finished one again."""
        released = Released(
            plan=done["new_plan"],
            answers=tuple(done["answers"]),
            run=tuple(cast("list[MessageToolCall]", done["run"])),
            approvals=done["approvals"],
        )
        return released if self._dispatches else take(released, self._wiring.queue, by=reviewer(configurable(config)))

    def _leave(self, released: Released | None, config: RunnableConfig | None) -> Any:
        hook = ((config or {}).get("metadata") or {}).get("langgraph_node") == _HOOK
        if released is None:
            return {} if hook else Command(goto=END)
        update = {self._messages_key: [released.plan, *released.answers]}
        if hook:
            return update
        sends = [Send(self._tools_node, [{**call, "type": "tool_call"}]) for call in released.run]
        return Command(update=update, goto=sends or self._agent_node)

    def _build(self) -> Any:
        graph: Any = StateGraph(_State)
        graph.add_node("assess", RunnableLambda(self._assess, afunc=self._aassess))
        graph.add_node("gate", self._gate)
        graph.add_node("release", self._release, defer=True)
        graph.add_edge(START, "assess")
        graph.add_conditional_edges("assess", self._gates, ["gate", "release"])
        graph.add_edge("gate", "release")
        graph.add_edge("release", END)
        return graph.compile()

    def _step(self, state: _State, config: RunnableConfig) -> PlanningStep:
        thread_id, namespace = location(configurable(config))
        wiring = self._wiring
        step = planning_step(
            state["plan"],
            wiring.capture,
            wiring.registered,
            thread_id=thread_id,
            namespace=namespace.rpartition("|")[0],
            attempt=state["attempt"],
        )
        if step.request is None:
            _log.warning(
                "the request that planned message %s was not seen, so its calls need a human: "
                "let the agent plan with guard.watch(model)",
                step.id,
            )
        return step

    def _assess(self, state: _State, config: RunnableConfig) -> _State:
        step, wiring = self._step(state, config), self._wiring
        if self._ahead is None:
            return self._assessed(wiring.assess(step), config)
        running = self._ahead.start(step, state["open"], config)
        verdict = wiring.assess(step)
        return {**self._assessed(verdict, config), "ahead": self._ahead.finish(running, verdict)}

    async def _aassess(self, state: _State, config: RunnableConfig) -> _State:
        step, wiring = self._step(state, config), self._wiring
        if self._ahead is None:
            return self._assessed(await wiring.aassess(step), config)
        running = await self._ahead.astart(step, state["open"], config)
        verdict = await wiring.aassess(step)
        return {**self._assessed(verdict, config), "ahead": await self._ahead.afinish(running, verdict)}

    def _assessed(self, verdict: StepVerdict, config: RunnableConfig) -> _State:
        if verdict.route is Route.REVIEW and not can_wait(configurable(config)):
            for one in verdict.verdicts:
                if one.route is Route.REVIEW:
                    self._wiring.queue.supersede(one.review_id, by="guard", note="the graph cannot be interrupted")
            names = ", ".join(one.call.name for one in verdict.verdicts if one.route is Route.REVIEW)
            raise ConfigError(
                f"{names} must wait for a human, but this graph has no checkpointer to wait with. "
                "Compile it with one (graph.compile(checkpointer=...)) and give a thread_id. Nothing was executed."
            )
        return {"step": codec.to_json(verdict)}

    @staticmethod
    def _gates(state: _State) -> list[Send] | str:
        step = codec.from_json(StepVerdict, state["step"])
        if step.route is not Route.REVIEW:
            return "release"
        waiting = [one for one in step.verdicts if one.route is Route.REVIEW]
        planned = {call["id"]: call["args"] for call in state["plan"].tool_calls}
        return [
            Send(
                "gate",
                _Asked(verdict=codec.to_json(one), record_id=step.record_id, planned=planned[one.call.id]),
            )
            for one in waiting
        ]

    def _gate(self, asked: _Asked, config: RunnableConfig) -> _State:
        verdict = codec.from_json(Verdict, asked["verdict"])
        wiring = self._wiring
        answered = ask(
            verdict,
            wiring.registered.get(verdict.call.name),
            wiring.policy,
            wiring.queue,
            record_id=asked["record_id"],
            by=reviewer(configurable(config)),
            planned=asked.get("planned"),
        )
        return {"answered": [{"call_id": verdict.call.id, "answers": [_pack(one) for one in answered]}]}

    def _release(self, state: _State, config: RunnableConfig) -> _State:
        plan = state["plan"]
        answered = {one["call_id"]: [_unpack(answer) for answer in one["answers"]] for one in state.get("answered", [])}
        released: Released = release(
            plan,
            [call for call in plan.tool_calls if call["id"] in state["open"]],
            codec.from_json(StepVerdict, state["step"]),
            answered,
            self._wiring.queue,
            attempt=state["attempt"],
            by=reviewer(configurable(config)),
            tools=self._wiring.registered,
        )
        held = state.get("ahead", {})
        return {
            "new_plan": released.plan,
            "answers": [*released.answers, *(held[call["id"]] for call in released.run if call["id"] in held)],
            "run": [dict(call) for call in released.run if call["id"] not in held],
            "approvals": dict(released.approvals),
        }


def configurable(config: RunnableConfig | None) -> Mapping[str, Any]:
    """The configurable part of a run's configuration; empty where there is none."""
    return (config or {}).get("configurable") or {}


def _pack(answered: Answered) -> dict[str, Any]:
    return {"verdict": codec.to_json(answered.verdict), "decision": codec.to_json(answered.decision)}


def _unpack(data: Mapping[str, Any]) -> Answered:
    return Answered(
        verdict=codec.from_json(Verdict, data["verdict"]), decision=codec.from_json(Decision, data["decision"])
    )
