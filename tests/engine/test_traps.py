"""Every failure of a measurement, in every tier, for every signal that a stage could rest on: none lets a call run.

The table has a row a trap. Each is sprung on a step that runs without it, whose only stage rests on agreement and
on one signal more, with a bound that every value of it fulfils: so whatever the trap leaves of the signal
would do, and only a missing one does not. A trap that does not touch the signal leaves the verdict as it was.

They are set for every sampler there is: ``tests.support.trapped.DOORS``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest

from guardrail import AsyncGuard, Guard, Policy, catalogue
from guardrail.errors import AskingError, EntailmentError, SamplingError
from guardrail.policy import Budget, Condition, Limits, Op, Resolution, Stage
from guardrail.store import MemoryStore
from guardrail.types import (
    PlanningStep,
    Question,
    Reason,
    Reply,
    ReplyBatch,
    Route,
    Safer,
    Sample,
    SampleStatus,
    Tier,
    Token,
    ToolCall,
    ToolSpec,
    Turn,
    Usage,
    Verdict,
)
from tests.engine.steps import Broken, Model, pay, sample, step
from tests.engine.test_judging import Same
from tests.support.trapped import DOORS, Delivery, Door

N = 4
SIGNALS = (*catalogue.names(), "risk")
LOGPROBS = tuple(name for name in SIGNALS if name.startswith(("logprob", "top_")))
ASKED = ("p_true", "verbalized_confidence", "verbalized_top_k")
CALL = pay(10, "lunch with Ann")
TEXT = '{"amount": 10, "memo": "lunch with Ann"}'


def tokens(logprob: float = -0.1) -> tuple[Token, ...]:
    return tuple(Token(text=one, logprob=logprob, top=((one, logprob), ("~", -3.0))) for one in TEXT)


ASKED_FOR = (Turn(role="user", text="Pay Ann 10 for our lunch."),)
PLANNED = sample(CALL, tokens=tokens(), response_id="plan", choice=0)
DRAWN = tuple(
    sample(pay(10, "lunch for Ann"), tokens=tokens(), response_id="drawn", choice=choice) for choice in range(N)
)


def delivering(samples: Sequence[Sample] = DRAWN, **more: Any) -> Delivery:
    return Delivery(samples=samples, **more)


class Fair:
    """Answers every question so that its signal has a value."""

    def __init__(self, answer: Callable[[Question], Reply] | None = None) -> None:
        self._answer = answer or self.fair

    @staticmethod
    def fair(question: Question) -> Reply:
        if question.letters:
            a, b = question.letters[0], question.letters[-1]
            token = Token(text=a, logprob=-0.1, top=((a, -0.1), (b, -2.5)))
            return Reply(text=a, tokens=(token,))
        return Reply(text="P1: 90%\nP2: 5%" if question.signal == "verbalized_top_k" else "Nothing.\nConfidence: 90%")

    def ask(self, step: PlanningStep, questions: Sequence[Question]) -> ReplyBatch:
        usage = Usage(requests=len(questions), prompt_tokens=10, completion_tokens=5)
        return ReplyBatch(replies=tuple(self._answer(question) for question in questions), usage=usage)

    async def aask(self, step: PlanningStep, questions: Sequence[Question]) -> ReplyBatch:
        return self.ask(step, questions)


def garbage(text: str, *tokens: Token, status: SampleStatus = SampleStatus.OK) -> Fair:
    return Fair(lambda _question: Reply(text=text, tokens=tokens or None, status=status))


@dataclass(frozen=True, kw_only=True)
class Trap:
    """What goes wrong, and for which signals (None: for all of them)."""

    delivery: Delivery = field(default_factory=delivering)
    judge: Any = None
    asker: Any = None
    changes: dict[str, Any] = field(default_factory=dict)
    budget: Limits | None = None
    hits: tuple[str, ...] | None = None


def drawn(**changes: Any) -> Trap:
    return Trap(delivery=delivering(samples=tuple(replace(one, **changes) for one in DRAWN)))


def planned(**changes: Any) -> dict[str, Any]:
    return {"planned": replace(PLANNED, **changes)}


TRAPS: dict[str, Trap] = {
    "all samples are one response": drawn(choice=0),
    "all samples are the planned response": drawn(response_id="plan", choice=0),
    "n is ignored": Trap(delivery=delivering(samples=DRAWN[:1])),
    "more than n come, all of one choice": Trap(delivery=delivering(samples=(DRAWN[0],) * 20)),
    "nothing comes": Trap(delivery=delivering(samples=())),
    "n is refused": Trap(delivery=delivering(error=SamplingError("HTTP 400"))),
    "the client breaks": Trap(delivery=delivering(error=RuntimeError("no"))),
    "samples are cut short": drawn(finish_reason="length"),
    "samples are filtered": drawn(finish_reason="content_filter"),
    "samples are empty": drawn(calls=(), text=" "),
    "samples cannot be parsed": drawn(status=SampleStatus.UNPARSABLE),
    "samples failed": drawn(status=SampleStatus.FAILED),
    "one sample is broken": Trap(
        delivery=delivering(samples=(*DRAWN[:-1], replace(DRAWN[-1], finish_reason="length")))
    ),
    "samples are no samples": Trap(delivery=delivering(samples=(None,) * N)),  # type: ignore[arg-type]
    "the judge fails": Trap(judge=Broken(EntailmentError("no"))),
    "the judge breaks": Trap(judge=Broken(ValueError("nan"))),
    "the judge answers for too few": Trap(judge=Broken(answer=[])),
    "the judge answers for too many": Trap(judge=Broken(answer=[True] * 99)),
    "the judge answers nothing": Trap(judge=Broken(answer=None)),
    "the judge answers with a number": Trap(judge=Broken(answer=[math.nan])),
    "the plan's log-probabilities are not numbers": Trap(changes=planned(tokens=tokens(math.nan)), hits=LOGPROBS),
    "the plan's log-probabilities are infinite": Trap(changes=planned(tokens=tokens(-math.inf)), hits=LOGPROBS),
    "the plan's log-probabilities are positive": Trap(changes=planned(tokens=tokens(0.5)), hits=LOGPROBS),
    "the plan's tokens spell another call": Trap(changes=planned(tokens=tokens()[:-6]), hits=LOGPROBS),
    "the plan has no log-probabilities": Trap(changes=planned(tokens=None), hits=LOGPROBS),
    "the samples' log-probabilities are not numbers": replace(
        drawn(tokens=tokens(math.nan)), hits=("semantic_entropy_weighted",)
    ),
    "nobody can be asked": Trap(asker=object(), hits=ASKED),
    "the asker is down": Trap(asker=Broken(AskingError("down")), hits=ASKED),
    "the asker breaks": Trap(asker=Broken(RuntimeError("no")), hits=ASKED),
    "the asker answers nothing": Trap(asker=Broken(answer=None), hits=ASKED),
    "the asker answers for too few": Trap(asker=Broken(answer=ReplyBatch(replies=())), hits=ASKED),
    "the reply is empty": Trap(asker=garbage(""), hits=ASKED),
    "the reply is garbage": Trap(asker=garbage("\x00 as sure as can be \ud83d"), hits=ASKED),
    "the reply is out of range": Trap(asker=garbage("Confidence: 140%\nP1: 140%"), hits=ASKED),
    "the reply is cut short": Trap(asker=garbage("Confidence: 90%", status=SampleStatus.TRUNCATED), hits=ASKED),
    "the letters' probabilities are not numbers": Trap(
        asker=garbage("A", Token(text="A", logprob=math.nan, top=(("A", math.nan), ("B", math.nan)))), hits=ASKED
    ),
    "the budget is spent": Trap(budget=Limits(tokens=100)),
    "what was spent is not told under a budget": Trap(
        budget=Limits(tokens=10_000), delivery=delivering(usage=Usage(requests=1))
    ),
    "the request is not known": Trap(changes={"request": None}),
    "the tool is not known": Trap(changes={"tools": ()}),
    "the plan is cut short": Trap(changes=planned(status=SampleStatus.TRUNCATED)),
}


class Resting(Resolution):
    """One stage that rests on agreement and on one signal more."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        return (Stage(samples=N, signals=self.signals, execute=tuple(map(always, self.signals))),)


def always(name: str) -> Condition:
    """A condition that every value of a signal fulfils, and for agreement that all samples agree."""
    info = catalogue.info(name)
    assert info is not None
    if name == "agreement":
        return Condition(signal=name, op=Op.GE, value=1.0)
    if info.safer is Safer.HIGH:
        return Condition(signal=name, op=Op.GE, value=max(info.low, -1e6))
    return Condition(signal=name, op=Op.LE, value=min(info.high, 1e6))


@dataclass(frozen=True, kw_only=True)
class RestingPolicy(Policy):
    tier: Tier = Tier.HIGH
    signal: str = "agreement"
    unmeasured: Route = Route.REVIEW

    def resolve(self, call: ToolCall, tool: ToolSpec | None) -> Resolution:
        return Resting(
            tier=self.tier,
            rule="test",
            samples=N,
            agreement=1.0,
            max_retries=0,
            unmeasured=self.unmeasured,
            signals=tuple(dict.fromkeys(("agreement", self.signal))),
        )


@cache
def policy_of(tier: Tier, signal: str, budget: Limits | None, unmeasured: Route = Route.REVIEW) -> RestingPolicy:
    limits = Budget() if budget is None else Budget(thread=budget)
    return RestingPolicy(tier=tier, signal=signal, budget=limits, unmeasured=unmeasured)


def prepared(
    trap: Trap, tier: Tier, signal: str, kind: Any, door: Door | None = None, **more: Any
) -> tuple[Any, PlanningStep]:
    """A guard of that kind with the trap set, and the step."""
    door = door or DOORS["scripted"]()
    given: dict[str, Any] = {
        "planned": PLANNED,
        "conversation": ASKED_FOR,
        "request": door.request,
        **trap.changes,
    }
    policy = policy_of(tier, signal, trap.budget, **more)
    options: dict[str, Any] = {
        "entailment": trap.judge or Same(),
        "asker": trap.asker or Fair(),
        "risk_model": Model("agreement"),
    }
    return kind(policy, door.make(trap.delivery), MemoryStore(), **options), step(**given)


def sprung(trap: Trap, tier: Tier, signal: str, **more: Any) -> Verdict:
    guard, one = prepared(trap, tier, signal, Guard, **more)
    (verdict,) = guard.assess(one).verdicts
    return verdict


SET = [
    pytest.param(name, door, id=f"{door}-{name}")
    for door in DOORS
    for name in TRAPS
    if name not in DOORS[door]().immune
]
"""Every trap at every sampler where it can be set."""


def expected(trap: Trap, signal: str, door: Door, tier: Tier = Tier.HIGH) -> Route:
    hit = trap.hits is None or signal in trap.hits or signal in door.lacks
    return Route.REVIEW if hit or tier is Tier.CRITICAL else Route.EXECUTE


@pytest.mark.parametrize(
    ("name", "sampler", "tier"),
    [
        # the tier is the engine's matter: behind the other samplers it is varied in the slow suite
        pytest.param(*one.values, tier, id=f"{one.id}-{tier}", marks=marks)
        for one in SET
        for tier in Tier
        for marks in [[] if one.values[1] == "scripted" or tier is Tier.HIGH else [pytest.mark.slow]]
    ],
)
def test_no_trap_lets_a_call_run(name: str, sampler: str, tier: Tier) -> None:
    trap, door = TRAPS[name], DOORS[sampler]()
    for signal in SIGNALS:
        verdict = sprung(trap, tier, signal, door=door)
        assert verdict.route is expected(trap, signal, door, tier), f"{signal}: {verdict.why}"


@pytest.mark.parametrize(("name", "sampler"), SET)
async def test_no_trap_lets_a_call_run_asynchronously(name: str, sampler: str) -> None:
    trap, door = TRAPS[name], DOORS[sampler]()
    for signal in SIGNALS:
        guard, one = prepared(trap, Tier.HIGH, signal, AsyncGuard, door)
        (verdict,) = (await guard.assess(one)).verdicts
        assert verdict.route is expected(trap, signal, door), f"{signal}: {verdict.why}"


@pytest.mark.parametrize("sampler", list(DOORS))
@pytest.mark.parametrize("signal", SIGNALS)
def test_without_a_trap_the_call_runs(signal: str, sampler: str) -> None:
    door = DOORS[sampler]()
    verdict = sprung(Trap(), Tier.HIGH, signal, door=door)
    assert verdict.route is (Route.REVIEW if signal in door.lacks else Route.EXECUTE), verdict.why


def test_a_sampler_is_spared_only_traps_that_there_are() -> None:
    assert {name for door in DOORS.values() for name in door().immune} <= set(TRAPS)


MEASURED = (
    "the request is not known",
    "the tool is not known",
    "the plan is cut short",
    "the judge answers with a number",
)
"""Traps in which nothing is left unmeasured: the step is refused at once, or the samples count as different."""


@pytest.mark.parametrize("name", [name for name in TRAPS if name not in MEASURED])
def test_the_low_tier_runs_unmeasured_where_its_policy_says_so_and_its_verdict_says_it(name: str) -> None:
    trap = TRAPS[name]
    for signal in trap.hits or SIGNALS:
        verdict = sprung(trap, Tier.LOW, signal, unmeasured=Route.EXECUTE)
        assert (verdict.route, verdict.reason) == (Route.EXECUTE, Reason.FAIL_OPEN_BY_POLICY), signal
        assert "the policy lets this tier run unmeasured" in verdict.why
