"""A budget of audits: known chances, their sum, what they buy, and that no call is without one."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.calibration.audits import Candidate, allocate, draw_batch, drawn, population
from guardrail.calibration.labelled import labelled_calls
from guardrail.calibration.thinning import kept
from guardrail.errors import ConfigError
from guardrail.types import AuditDraw, Label, LabelSource, Reason, Record, Route, Signal, Tier
from tests.calibration.worlds import binormal, bound, rule
from tests.support.calibrated import a_policy, a_threshold, a_tier
from tests.support.records import label, record

SHARED = AuditDraw(
    record_id="", call_id="", probability=1.0, batch="w1", at="2026-02-01T00:00:00Z", until="2026-02-01T00:00:00Z"
)


def candidate(number: int, *, risk: float | None = 0.1, tool: str = "pay", **more: object) -> Candidate:
    given_ = {"record_id": f"rec-{number:06}", "call_id": "c", "tier": Tier.MEDIUM, "tool": tool, "risk": risk, **more}
    return Candidate(**given_)  # type: ignore[arg-type]


CALLS = st.lists(
    st.builds(
        lambda risk, tool, threshold: (risk, tool, threshold),
        st.one_of(st.none(), st.floats(0, 1)),
        st.sampled_from(["pay", "mail", "find"]),
        st.one_of(st.none(), st.floats(0.01, 0.99)),
    ),
    min_size=1,
    max_size=40,
)


@given(CALLS, st.floats(0.5, 60), st.floats(0.01, 1), st.floats(0, 1))
def test_the_chances_add_up_to_the_budget_and_none_is_0(
    calls: list[tuple[float | None, str, float | None]], budget: float, floor: float, power: float
) -> None:
    given_ = [candidate(n, risk=risk, tool=tool, threshold=at) for n, (risk, tool, at) in enumerate(calls)]
    chances = allocate(given_, budget, floor=floor, power=power)
    assert sum(chances) == pytest.approx(min(budget, len(calls)))
    uniform = min(1.0, budget / len(calls))
    assert all(floor * uniform <= chance * (1 + 1e-12) and chance <= 1 for chance in chances)


@given(CALLS, st.floats(0.5, 60), st.randoms())
def test_a_chance_does_not_depend_on_the_order(
    calls: list[tuple[float | None, str, float | None]], budget: float, shuffle: random.Random
) -> None:
    given_ = [candidate(n, risk=risk, tool=tool, threshold=at) for n, (risk, tool, at) in enumerate(calls)]
    mixed = list(given_)
    shuffle.shuffle(mixed)
    found = dict(zip(mixed, allocate(mixed, budget), strict=True))
    assert [found[call] for call in given_] == pytest.approx(list(allocate(given_, budget)))


def test_doubtful_calls_those_at_the_threshold_and_rare_tools_are_likelier() -> None:
    common = [candidate(n, risk=0.05) for n in range(90)]
    doubtful, rare = candidate(90, risk=0.4), candidate(91, risk=0.05, tool="wire")
    near, far = (candidate(n, risk=0.05, threshold=at) for n, at in ((92, 0.05), (93, 0.9)))
    unknown = candidate(94, risk=None)
    calls = [*common, doubtful, rare, near, far, unknown]
    chance = dict(zip(calls, allocate(calls, 20, floor=0.1), strict=True))
    plain = chance[common[0]]
    assert chance[doubtful] > plain
    assert chance[rare] > plain
    assert chance[near] > 1.5 * chance[far]
    assert chance[unknown] >= chance[doubtful]
    less_likely = candidate(95, risk=0.05, probability=0.5)
    both = allocate([*calls, less_likely], 20, floor=0.1)
    assert both[-1] == pytest.approx(2 * both[0])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"budget": 0}, "above 0"),
        ({"budget": float("nan")}, "above 0"),
        ({"budget": 5, "floor": 0}, "no chance"),
        ({"budget": 5, "power": 2}, "0 to 1"),
    ],
)
def test_numbers_out_of_range_are_refused(more: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        allocate([candidate(n) for n in range(9)], **more)


def test_a_risk_or_a_probability_that_is_none_is_refused() -> None:
    calls = [candidate(n) for n in range(9)]
    with pytest.raises(ConfigError, match=r"rec-000009 is 1\.5"):
        allocate([*calls, candidate(9, risk=1.5)], 5)
    with pytest.raises(ConfigError, match=r"rec-000009 was audited with probability 0"):
        allocate([*calls, candidate(9, probability=0.0)], 5)


def _world(seed: int) -> tuple[list[Candidate], list[bool]]:
    """Calls of three tools, most of them safe; whether each is wrong goes by its risk."""
    chance = random.Random(seed)
    calls, wrong = [], []
    for number in range(500):
        tool = "find" if number < 300 else "pay" if number < 450 else "wire"
        risk = chance.betavariate(0.3, 6 if tool == "find" else 3)
        calls.append(candidate(number, risk=risk, tool=tool, threshold=0.3))
        wrong.append(chance.random() < risk)
    return calls, wrong


def _estimates(calls: list[Candidate], wrong: list[bool], chances: list[float], trials: int) -> list[float]:
    """How many are wrong, by inverse probabilities."""
    by_name = dict(zip((call.name for call in calls), wrong, strict=True))
    found = []
    for trial in range(trials):
        number = random.Random(f"{trial}")
        chosen = drawn(calls, chances, lambda _, number=number: number.random())
        found.append(sum(by_name[call.name] / probability for call, probability in chosen))
    return found


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _variance(values: list[float]) -> float:
    return sum((value - _mean(values)) ** 2 for value in values) / (len(values) - 1)


def test_weighted_by_their_chances_the_draws_are_unbiased_and_vary_less_than_draws_alike() -> None:
    calls, wrong = _world(0)
    budget, trials = 50, 400
    allotted = _estimates(calls, wrong, list(allocate(calls, budget, power=1)), trials)
    alike = _estimates(calls, wrong, [budget / len(calls)] * len(calls), trials)
    error = (_variance(allotted) / trials) ** 0.5
    assert abs(_mean(allotted) - sum(wrong)) < 4 * error
    assert _variance(allotted) < 0.75 * _variance(alike)
    # what is drawn with unequal chances and counted as if they were equal is not the same number
    plain = [budget / len(calls)] * len(calls)
    chosen = allocate(calls, budget, power=1)
    naive = _mean(
        [
            sum(
                w / p
                for w, p, q in zip(wrong, plain, chosen, strict=True)
                if random.Random(f"{t}/{p}/{q}").random() < q
            )
            for t in range(100)
        ]
    )
    assert naive > 1.2 * sum(wrong)


def _audited(number: int, *, wrong: bool | None = None, route: Route = Route.EXECUTE, risk: float = 0.1) -> Record:
    said = () if wrong is None else (label(correct=not wrong),)
    one = record(f"rec-{number:06}", labels=said)
    verdict = replace(
        one.verdict.verdicts[0], route=route, reason=Reason.AGREED, signals=(Signal(name="risk", value=risk),)
    )
    return replace(one, verdict=replace(one.verdict, verdicts=(verdict,), audited=True, audit_probability=0.25))


def test_a_batch_is_drawn_among_audited_calls_that_no_reviewer_sees() -> None:
    mine, judged, early = _audited(1), _audited(2, wrong=True), replace(_audited(3), at="2025-01-01T00:00:00Z")
    seen, plain = _audited(4, route=Route.REVIEW), _audited(5)
    records = [mine, judged, early, seen, replace(plain, verdict=replace(plain.verdict, audited=False))]
    policy = a_policy(a_tier(Tier.MEDIUM, a_threshold(0.2)))
    found = population(records, since="2026-01-01", until="2026-02-01", calibration=policy)
    assert [(call.record_id, call.risk, call.threshold, call.probability) for call in found.open] == [
        ("rec-000001", 0.1, 0.2, 0.25)
    ]
    assert [call.record_id for call in found.judged] == ["rec-000002"]
    assert [call.record_id for call in population(records).open] in (
        ["rec-000001", "rec-000003"],
        ["rec-000003", "rec-000001"],
    )


def test_two_calls_that_share_an_id_are_never_drawn() -> None:
    one = _audited(1)
    twice = replace(one, verdict=replace(one.verdict, verdicts=one.verdict.verdicts * 2))
    assert population([twice]).open == ()


def test_in_a_batch_the_judged_stand_for_themselves_whoever_chose_them() -> None:
    """Whoever judged the wrong calls first, the batch makes the estimate unbiased again."""
    chance = random.Random(1)
    wrong = [chance.random() < 0.2 for _ in range(100)]
    estimates = []
    for trial in range(120):
        # somebody with a nose for them has judged most of the wrong calls before
        picked = {n for n in range(100) if chance.random() < (0.8 if wrong[n] else 0.1)}
        records = [_audited(n, wrong=wrong[n] if n in picked else None) for n in range(100)]
        number = random.Random(f"{trial}")
        draws = draw_batch(population(records), 15, batch=SHARED, number=lambda _, r=number: r.random())
        ids = {draw.record_id for draw in draws}
        answer = Label(call_id="call_1", correct=True, source=LabelSource.AUDIT, by="ana", at="2026-02-02T00:00:00Z")
        answered = [
            replace(one, labels=one.labels or (replace(answer, correct=not wrong[n]),)) if one.id in ids else one
            for n, one in enumerate(records)
        ]
        found = labelled_calls(answered, draws)
        assert not found.unanswered
        assert all(call.probability is not None for call in found.calls)
        estimates.append(sum(0.25 / (call.probability or 1) for call in found.calls if not call.correct))
    error = (_variance(estimates) / len(estimates)) ** 0.5
    assert abs(_mean(estimates) - sum(wrong)) < 4 * error


@pytest.mark.slow
def test_thresholds_from_a_batch_keep_their_promise_and_without_chances_they_do_not() -> None:
    """Somebody has judged the calls that looked fine before; the batch has unequal chances. At most delta may break."""
    alpha, trials, n = 0.1, 1000, 800
    world = binormal(0.2, 0.8)
    rng = np.random.default_rng(5)
    broken, naive, ran = 0, 0, 0.0
    for _ in range(trials):
        scores, wrong = world.draw(rng, n)
        risks = world.risks(scores)
        before = rng.random(n) < np.where(wrong, 0.05, 0.6)
        open_ = np.flatnonzero(~before)
        calls = [candidate(int(row), risk=float(risks[row]), threshold=0.1) for row in open_]
        chances = np.ones(n)
        chances[open_] = allocate(calls, 100)
        judged = np.flatnonzero(before | (rng.random(n) < chances))
        ids = [f"{rng.integers(2**62)}" for _ in judged]
        kept_ = judged[kept(ids, chances[judged], seed=0)]
        share, error = world.outcome(rule(scores[kept_], wrong[kept_], alpha).execute_below)
        broken += error > alpha
        ran += share / trials
        naive += world.outcome(rule(scores[judged], wrong[judged], alpha).execute_below)[1] > alpha
    assert broken / trials <= bound(trials)
    assert naive / trials > 0.5
    assert ran > 0
