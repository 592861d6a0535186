"""What runs inside ``GuardrailNode``: a graph of its own, so that its steps are saved one by one.

*assess* pays for the samples and writes the verdict to state, one *gate* a call asks the human, *release* applies the
answers. On resume LangGraph repeats an interrupted node from its start; what is repeated here is only a gate, which
reads state and asks again, so samples are paid once and a verdict never flips.
"""

from __future__ import annotations

import logging
import operator
from collections.abc import Mapping
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from guardrail import codec
from guardrail.errors import ConfigError
from guardrail.types import Decision, PlanningStep, Route, StepVerdict, Verdict
from guardrail_langgraph.ahead import RunAhead, outer_state
from guardrail_langgraph.configuration import can_wait, configurable, location, reviewer
from guardrail_langgraph.gate import ask, unaddressed
from guardrail_langgraph.gates import Asked, questions
from guardrail_langgraph.release import Answered, Released, release
from guardrail_langgraph.steps import planning_step
from guardrail_langgraph.surroundings import described
from guardrail_langgraph.wiring import Wiring

_log = logging.getLogger(__name__)


class StepState(TypedDict, total=False):
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


class StepGraph:
    """Decides on one planning step. People are asked about its calls at once, or ``in_turn``.

    With ``releases`` no call waits here: each is asked about where its tool starts.
    """

    def __init__(self, wiring: Wiring, ahead: RunAhead | None, *, in_turn: bool, releases: bool) -> None:
        self._wiring = wiring
        self._ahead = ahead
        self._in_turn = in_turn
        self._releases = releases
        self._graph = self._build()

    def invoke(self, start: StepState, config: RunnableConfig | None) -> StepState:
        """The step's last state: what to answer, and what to run."""
        done: StepState = self._graph.invoke(start, config)
        return done

    async def ainvoke(self, start: StepState, config: RunnableConfig | None) -> StepState:
        """As ``invoke``."""
        done: StepState = await self._graph.ainvoke(start, config)
        return done

    def _build(self) -> Any:
        graph: Any = StateGraph(StepState)
        graph.add_node("assess", RunnableLambda(self._assess, afunc=self._aassess))
        graph.add_node("gate", self._gate)
        graph.add_node("release", self._release, defer=True)
        graph.add_edge(START, "assess")
        graph.add_conditional_edges("assess", self._gates, ["gate", "release"])
        if self._in_turn:
            graph.add_conditional_edges("gate", self._gates, ["gate", "release"])
        else:
            graph.add_edge("gate", "release")
        graph.add_edge("release", END)
        return graph.compile()

    def _step(self, state: StepState, config: RunnableConfig) -> PlanningStep:
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
        wiring.learn(step.tools)
        if step.request is None:
            _log.warning(
                "the request that planned message %s was not seen, so its calls need a human: "
                "let the agent plan with guard.watch(model)",
                step.id,
            )
        return step

    def _assess(self, state: StepState, config: RunnableConfig) -> StepState:
        step, wiring = self._step(state, config), self._wiring
        if self._ahead is None:
            return self._assessed(wiring.assess(step), config)
        running = self._ahead.start(step, state["open"], config)
        verdict = wiring.assess(step)
        return {**self._assessed(verdict, config), "ahead": self._ahead.finish(running, verdict)}

    async def _aassess(self, state: StepState, config: RunnableConfig) -> StepState:
        step, wiring = self._step(state, config), self._wiring
        if self._ahead is None:
            return self._assessed(await wiring.aassess(step), config)
        running = await self._ahead.astart(step, state["open"], config)
        verdict = await wiring.aassess(step)
        return {**self._assessed(verdict, config), "ahead": await self._ahead.afinish(running, verdict)}

    def _assessed(self, verdict: StepVerdict, config: RunnableConfig) -> StepState:
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

    def _gates(self, state: StepState) -> list[Send] | str:
        step = codec.from_json(StepVerdict, state["step"])
        if step.route is not Route.REVIEW or self._releases:
            return "release"
        planned = {call["id"]: call["args"] for call in state["plan"].tool_calls}
        answered = [one["call_id"] for one in state.get("answered", [])]
        asked = questions(step, planned, answered, in_turn=self._in_turn)
        return [Send("gate", one) for one in asked] or "release"

    def _gate(self, asked: Asked, config: RunnableConfig) -> StepState:
        verdict = codec.from_json(Verdict, asked["verdict"])
        wiring = self._wiring
        answered = ask(
            verdict,
            wiring.tool(verdict.call.name, asked["record_id"]),
            wiring.policy,
            wiring.queue,
            record_id=asked["record_id"],
            by=reviewer(configurable(config)),
            planned=asked.get("planned"),
            coming=asked.get("coming", ()),
            problem=unaddressed(config) if asked.get("beside") else "",
            described=described(wiring.descriptions, verdict.call, outer_state.get()),
        )
        return {"answered": [{"call_id": verdict.call.id, "answers": [_pack(one) for one in answered]}]}

    def _release(self, state: StepState, config: RunnableConfig) -> StepState:
        plan = state["plan"]
        answered = {one["call_id"]: [_unpack(answer) for answer in one["answers"]] for one in state.get("answered", [])}
        step, wiring = codec.from_json(StepVerdict, state["step"]), self._wiring
        names = {one.call.name for one in step.verdicts}
        released: Released = release(
            plan,
            [call for call in plan.tool_calls if call["id"] in state["open"]],
            step,
            answered,
            wiring.queue,
            attempt=state["attempt"],
            by=reviewer(configurable(config)),
            tools={name: tool for name in names if (tool := wiring.tool(name, step.record_id)) is not None},
            later=self._releases,
        )
        held = state.get("ahead", {})
        return {
            "new_plan": released.plan,
            "answers": [*released.answers, *(held[call["id"]] for call in released.run if call["id"] in held)],
            "run": [dict(call) for call in released.run if call["id"] not in held],
            "approvals": dict(released.approvals),
        }


def _pack(answered: Answered) -> dict[str, Any]:
    return {"verdict": codec.to_json(answered.verdict), "decision": codec.to_json(answered.decision)}


def _unpack(data: Mapping[str, Any]) -> Answered:
    return Answered(
        verdict=codec.from_json(Verdict, data["verdict"]), decision=codec.from_json(Decision, data["decision"])
    )
