"""How often calls are wrong by those that somebody judged, and whether predictions came true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from guardrail import calibration
from guardrail.calibration.binomial import interval
from guardrail.calibration.labelled import Draws
from guardrail.store import MemoryStore
from guardrail.types import LabelSource, Record, Route, Signal, Tier
from guardrail.watching.audits import SecondDraws
from guardrail.watching.estimates import Judged, estimate
from guardrail.watching.lately import lately
from guardrail.watching.reliability import reliability
from guardrail.watching.traffic import traffic
from tests.watching.promised import promised, ran, said

START = datetime(2026, 1, 1, tzinfo=UTC)
NOTHING = Draws.of(())


def measured(record: Record, **values: float) -> Record:
    (verdict,) = record.verdict.verdicts
    signals = tuple(Signal(name=name, value=value) for name, value in values.items())
    return replace(record, verdict=replace(record.verdict, verdicts=(replace(verdict, signals=signals),)))


def judged(risks: Sequence[float], wrong: Sequence[bool], *, audited: float = 1.0) -> list[Record]:
    one = promised()
    return [
        replace(measured(ran(one, f"rec-{place:06}", audited=audited), risk=risk), labels=(said(not bad),))
        for place, (risk, bad) in enumerate(zip(risks, wrong, strict=True))
    ]


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_the_interval_is_that_of_clopper_and_pearson(counts: tuple[int, int], confidence: float) -> None:
    errors, n = counts
    low, high = interval(errors, n, confidence)
    tail = (1 - confidence) / 2
    assert low == pytest.approx(stats.beta.ppf(tail, errors, n - errors + 1) if errors else 0.0, abs=1e-8)
    assert high == pytest.approx(stats.beta.ppf(1 - tail, errors + 1, n - errors) if errors < n else 1.0, abs=1e-8)


@pytest.mark.parametrize(("errors", "n"), [(1, 0), (0, 0), (-1, 5), (6, 5)])
def test_counts_that_are_none_have_no_interval(errors: int, n: int) -> None:
    with pytest.raises(ValueError, match="no interval"):
        interval(errors, n)


def test_nobody_knows_what_nobody_judged() -> None:
    assert estimate([]) == estimate(())
    found = estimate([Judged(probability=0.5, wrong=None)] * 3)
    assert (found.drawn, found.answered, found.rate, found.low, found.high) == (3, 0, None, None, None)
    assert found.waiting == 3


@given(st.lists(st.booleans(), min_size=1, max_size=50), st.integers(0, 9), st.floats(0.01, 1))
def test_silence_moves_no_estimate(wrong: list[bool], silent: int, probability: float) -> None:
    calls = [Judged(probability=probability, wrong=one) for one in wrong]
    alone = estimate(calls)
    beside = estimate([*calls, *[Judged(probability=probability, wrong=None)] * silent])
    assert beside == replace(alone, drawn=len(wrong) + silent)
    assert alone.rate == pytest.approx(sum(wrong) / len(wrong))
    assert (alone.low, alone.high) == pytest.approx(interval(sum(wrong), len(wrong)))


def test_calls_that_were_less_likely_to_be_judged_stand_for_more() -> None:
    calls = [Judged(probability=0.1, wrong=True), *[Judged(probability=1.0, wrong=False)] * 10]
    found = estimate(calls)
    assert found.rate == pytest.approx(0.5)
    assert found.low is not None
    assert found.high is not None
    # 20 calls are stood for, and tell as much as 400 / 110 of one kind
    assert (found.low, found.high) == pytest.approx(interval(2, 3))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=10, max_size=60, unique_by=lambda one: one[0]))
def test_bins_are_those_of_calibration(said_and_wrong: list[tuple[float, bool]]) -> None:
    said_and_wrong = said_and_wrong[: len(said_and_wrong) // 10 * 10]
    risks, wrong = [one for one, _ in said_and_wrong], [bad for _, bad in said_and_wrong]
    found = reliability(judged(risks, wrong), NOTHING).bins
    theirs = calibration.reliability([1 - risk for risk in risks], [not bad for bad in wrong])
    ours = [(1 - one.predicted, 1 - one.wrong, one.n) for one in reversed(found)]
    if len({1 - risk for risk in risks}) == len(risks):
        assert ours == [pytest.approx((one.predicted, one.observed, one.n), abs=1e-9) for one in theirs]


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]), st.booleans()), max_size=60))
def test_calls_of_the_same_risk_stay_in_one_bin(said_and_wrong: list[tuple[float, bool]]) -> None:
    risks, wrong = [one for one, _ in said_and_wrong], [bad for _, bad in said_and_wrong]
    found = reliability(judged(risks, wrong), NOTHING)
    assert found.n == len(risks)
    assert sum(one.wrong * one.n for one in found.bins) == pytest.approx(sum(wrong))
    predicted = [one.predicted for one in found.bins]
    assert predicted == sorted(predicted)
    for one in found.bins:
        assert one.low <= one.wrong <= one.high
    inside = [risk for risk in set(risks) if sum(risk == one.predicted for one in found.bins) > 1]
    assert not inside


def test_where_no_call_has_a_risk_it_is_how_far_samples_disagree() -> None:
    records = [
        replace(measured(ran(promised(), "rec-000001", audited=1.0), agreement=0.75), labels=(said(False),)),
        replace(measured(ran(promised(), "rec-000002", audited=1.0), p_true=0.9), labels=(said(True),)),
    ]
    found = reliability(records, NOTHING)
    assert (found.predicted, found.n, found.left_out) == ("disagreement", 1, 1)
    assert found.bins[0].predicted == pytest.approx(0.25)
    records.append(judged([0.5], [True])[0])
    assert reliability(records, NOTHING).predicted == "risk"


def test_a_call_that_nothing_drew_is_in_no_bin_and_one_that_a_reviewer_saw_is() -> None:
    picked = replace(measured(ran(promised(), "rec-000001", audited=0), risk=0.2), labels=(said(True),))
    seen = replace(
        measured(ran(promised(), "rec-000002", audited=0, route=Route.REVIEW), risk=0.6),
        labels=(said(False, source=LabelSource.REVIEW),),
    )
    found = reliability([picked, seen], NOTHING)
    assert (found.n, found.left_out) == (1, 1)
    assert (found.bins[0].predicted, found.bins[0].wrong) == (0.6, 1.0)


def test_traffic_is_counted_by_tier_and_tool() -> None:
    one = promised()
    records = [
        ran(one, "rec-000001", "refund", "mail", audited=0.5),
        ran(one, "rec-000002", "mail", route=Route.RETRY),
        replace(ran(one, "rec-000003", audited=0.5), labels=(said(False),)),
        replace(
            ran(one, "rec-000004", "wire", route=Route.REVIEW, tier=Tier.CRITICAL),
            labels=(said(False, source=LabelSource.REVIEW), said(True, source=LabelSource.REVIEW, by="ben")),
        ),
    ]
    found = traffic(records, SecondDraws())
    assert [(each.tier, each.tool, each.calls) for each in found] == [
        (Tier.MEDIUM, "", 4),
        (Tier.MEDIUM, "mail", 2),
        (Tier.MEDIUM, "refund", 2),
        (Tier.CRITICAL, "", 1),
        (Tier.CRITICAL, "wire", 1),
    ]
    medium, mail, refund, _, wire = found
    assert (medium.executed, medium.retried, medium.reviewed, medium.executed_share) == (3, 1, 0, 0.75)
    assert (mail.ran.drawn, mail.ran.rate) == (1, None)
    assert (refund.ran.drawn, refund.ran.answered, refund.ran.rate) == (2, 1, 1.0)
    assert (wire.ran.drawn, wire.reviewed_wrong.answered, wire.reviewed_wrong.wrong) == (0, 1, 1)


def test_records_are_read_up_to_a_number_and_kept_small() -> None:
    store, one = MemoryStore(), promised()
    for number in range(10):
        at = f"2026-01-0{number % 5 + 1}T00:00:00+00:00"
        store.add_record(replace(ran(one, f"rec-{number:06}", at=at), tenant="other" if number % 2 else ""))
    found = lately(store, since=START)
    assert (len(found.records), found.cut, found.first) == (10, False, START)
    assert len(lately(store, since=START, tenant="other").records) == 5
    assert len(lately(store, since=START.replace(day=4)).records) == 4
    cut = lately(store, since=START, tenant="", most=6)
    assert cut.cut
    assert len(cut.records) <= 6
    assert cut.first == START.replace(day=3)
    for record in found.records:
        assert not record.samples
        assert not record.conversation
        assert record.verdict.verdicts[0].call.arguments == {}
