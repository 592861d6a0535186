"""Laws of the flow, whatever is drawn: stopping early, audits, stakes, order."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.calibration import Input, Pattern, RiskModel
from guardrail.calibration.scales import doubt_for
from guardrail.catalogue import BUILT_IN
from guardrail.policy import Condition, Op, Resolution, Stage, Stopping, StoppingRule
from guardrail.types import PlanningStep, Route, Safer, Sample, StepVerdict, Tier, Token
from tests.engine.flows import Rules, run, tier
from tests.engine.steps import BROKEN, GOOD, OTHER, Answering, Stated, decide, pay, read, sample, step, tiers

POOL = [
    GOOD,
    OTHER,
    BROKEN,
    sample(),
    sample(pay(10), pay(10, identity="c9")),
    sample(pay(10, "a memo")),
    sample(pay(10), read("a")),
    sample(pay(20), read("a")),
    sample(pay(10), read("b")),
]
MODELS = (
    ("agreement", "logprob_min"),
    ("agreement", "semantic_entropy", "p_true"),
    ("semantic_entropy_bayesian", "lexical_entropy", "argument_entropy"),
    ("semantic_entropy_weighted", "majority_share", "p_true"),
    ("logprob_min", "p_true"),
)
NAMES = ("agreement", "majority_share", "semantic_entropy", "lexical_entropy", "argument_entropy", "p_true", "risk")


def model(names: Sequence[str]) -> RiskModel:
    """Learned from calls that had every signal, and from calls that lacked any one of them."""
    lacking = [frozenset[str](), *(frozenset({name}) for name in names)]
    return RiskModel(
        inputs=tuple(
            Input(name=name, doubt=doubt_for(BUILT_IN[name]), coefficient=3.0 + index, missing=0.4)
            for index, name in enumerate(names)
        ),
        intercept=-3.0,
        patterns=tuple(Pattern(missing=one, raises=0.3 * len(one), n=50, errors=9) for one in lacking),
    )


@st.composite
def conditions(draw: st.DrawFn, most: int, *, safe: bool) -> tuple[Condition, ...]:
    found = []
    for name in draw(st.lists(st.sampled_from(NAMES), max_size=most, unique=True)):
        high = name != "risk" and BUILT_IN[name].safer is Safer.HIGH
        ops = (Op.GE, Op.GT) if high is safe else (Op.LE, Op.LT)
        value = draw(st.sampled_from([0.0, 0.2, 0.4, 0.5, 2 / 3, 0.75, 1.0]))
        found.append(Condition(signal=name, op=draw(st.sampled_from(ops)), value=value))
    return tuple(found)


@st.composite
def resolutions(draw: st.DrawFn) -> Resolution:
    n = draw(st.integers(2, 8))
    sizes = sorted(draw(st.lists(st.sampled_from(range(2, n + 1)), max_size=2, unique=True)))
    if draw(st.booleans()):
        sizes = [0, *sizes]
    cascade = tuple(
        Stage(samples=size, execute=draw(conditions(2, safe=True)), doubt=draw(conditions(1, safe=False)))
        for size in sizes
    )
    agreement = draw(st.sampled_from([None, 0.5, 2 / 3, 0.8, 1.0]))
    risk = draw(st.sampled_from([None, 0.1, 0.5])) if agreement is not None else draw(st.sampled_from([0.1, 0.5]))
    lowest = draw(st.booleans())
    return tier(
        *cascade,
        samples=n,
        agreement=agreement,
        max_risk=risk,
        signals=draw(st.sampled_from([("agreement",), ("agreement", "semantic_entropy"), ("lexical_entropy", "risk")])),
        tier=Tier.LOW if lowest else Tier.MEDIUM,
        logprob=-0.5 if lowest else None,
        unmeasured=Route.EXECUTE if lowest and draw(st.booleans()) else Route.REVIEW,
        audit=0.5,
    )


@st.composite
def steps(draw: st.DrawFn) -> PlanningStep:
    calls = draw(st.sampled_from([(pay(10),), (pay(10), read("a")), (pay(10), pay(20, identity="c2"))]))
    text = "".join(str(call.arguments).replace("'", '"') for call in calls)
    tokens = draw(st.sampled_from([None, -0.1, -1.0]))
    planned = sample(*calls, tokens=None if tokens is None else tuple(Token(text=c, logprob=tokens) for c in text))
    return step(planned=planned, attempt=draw(st.sampled_from([0, 1])))


DRAWN = st.lists(st.sampled_from(POOL), min_size=8, max_size=8)
ANYTHING = {
    "one": steps(),
    "pays": resolutions(),
    "reads": resolutions(),
    "drawn": DRAWN,
    "names": st.sampled_from(MODELS),
    "answer": st.sampled_from(["0.95", "0.3", "surely", ""]),
}


def routes(verdict: StepVerdict) -> list[tuple[Route, int]]:
    return [(one.route, one.stage) for one in verdict.verdicts]


def early_is_full(
    one: PlanningStep, pays: Resolution, reads: Resolution, drawn: list[Sample], names: Sequence[str], answer: str
) -> None:
    rules = Rules({"pay": pays, "read": reads})

    def decided(**options: float | bool) -> StepVerdict:
        asker = Answering(answer) if answer else None
        return run(one, rules, drawn, own=[Stated()], risk=model(names), asker=asker, **options).verdict  # type: ignore[arg-type]

    early, full, audited = decided(), decided(curtail=False), decided(audit=0.0)
    assert routes(early) == routes(full) == routes(audited)
    assert early.drawn <= full.drawn <= audited.drawn
    assert early.questions == full.questions <= audited.questions


@given(**ANYTHING)
@settings(max_examples=300, deadline=None)
def test_neither_stopping_early_nor_an_audit_changes_a_route(
    one: PlanningStep, pays: Resolution, reads: Resolution, drawn: list[Sample], names: tuple[str, ...], answer: str
) -> None:
    early_is_full(one, pays, reads, drawn, names, answer)


@pytest.mark.slow
@given(**ANYTHING)
@settings(max_examples=5_000, deadline=None)
def test_neither_stopping_early_nor_an_audit_changes_a_route_at_length(
    one: PlanningStep, pays: Resolution, reads: Resolution, drawn: list[Sample], names: tuple[str, ...], answer: str
) -> None:
    early_is_full(one, pays, reads, drawn, names, answer)


@given(**ANYTHING, seed=st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_what_all_samples_decide_no_order_of_them_changes(
    one: PlanningStep,
    pays: Resolution,
    reads: Resolution,
    drawn: list[Sample],
    names: tuple[str, ...],
    answer: str,
    seed: int,
) -> None:
    """Without early stages: these look at the first samples alone, and so at an order."""
    flat = [
        tier(samples=8, agreement=each.agreement, max_risk=each.max_risk, signals=each.signals)
        for each in (pays, reads)
    ]
    rules = Rules({"pay": flat[0], "read": flat[1]})
    found = [
        routes(run(one, rules, order, own=[Stated()], risk=model(names), asker=Answering(answer or "0.5")).verdict)
        for order in (drawn, random.Random(seed).sample(drawn, len(drawn)))
    ]
    assert found[0] == found[1]


STEPS = {
    "drawn": DRAWN,
    "name": st.sampled_from(["low", "medium", "high"]),
    "attempt": st.sampled_from([0, 1]),
    "second": st.booleans(),
}


@given(**STEPS)
@settings(max_examples=200, deadline=None)
def test_stopping_early_never_changes_a_route_of_the_default_policy(
    drawn: list[Sample], name: str, attempt: int, second: bool
) -> None:
    calls = (pay(10), pay(20, identity="c2")) if second else (pay(10),)
    one = step(*calls, attempt=attempt)
    early = decide(tiers(name), drawn, one, curtail=True)
    full = decide(tiers(name), drawn, one, curtail=False)
    assert early.route is full.route
    assert routes(early) == routes(full)
    assert early.drawn <= full.drawn


@given(drawn=DRAWN)
@settings(max_examples=100, deadline=None)
def test_higher_stakes_never_execute_what_lower_ones_do_not(drawn: list[Sample]) -> None:
    same = {name: {"samples": 8} for name in ("low", "medium", "high")}
    found = [
        decide(tiers(name, tiers=same), drawn, curtail=False).route for name in ("low", "medium", "high", "critical")
    ]
    executed = [route is Route.EXECUTE for route in found]
    assert executed == sorted(executed, reverse=True)
    assert not executed[-1]


@given(drawn=DRAWN, seed=st.integers(0, 999))
@settings(max_examples=100, deadline=None)
def test_the_order_of_samples_changes_nothing(drawn: list[Sample], seed: int) -> None:
    shuffled = random.Random(seed).sample(drawn, len(drawn))
    a, b = (decide(tiers("high"), order, curtail=False) for order in (drawn, shuffled))
    assert a.route is b.route
    assert [s.value for v in a.verdicts for s in v.signals] == pytest.approx(
        [s.value for v in b.verdicts for s in v.signals]
    )


@given(drawn=DRAWN, share=st.sampled_from([0.5, 2 / 3, 0.8, 1.0]), error=st.sampled_from([0.02, 0.1, 0.3]))
@settings(max_examples=100, deadline=None)
def test_bayesian_stopping_says_so_and_draws_no_more_than_the_lossless_rule(
    drawn: list[Sample], share: float, error: float
) -> None:
    bayes = Stopping(rule=StoppingRule.BAYESIAN, error=error, prior=(0.9, 0.2))
    found = run(step(pay(10)), tier(agreement=share, stopping=bayes, waves=(1,) * 8), drawn).verdict
    lossless = run(step(pay(10)), tier(agreement=share, waves=(1,) * 8), drawn).verdict
    assert found.drawn <= lossless.drawn
    (one,) = found.verdicts
    assert ("with a probability of" in one.why) == (found.drawn < lossless.drawn)
