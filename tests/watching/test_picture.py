"""What a status says of tiers, audits, scores and reviews."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from scipy import stats

from guardrail.codec import from_json, to_json
from guardrail.review import Queue
from guardrail.store import MemoryStore
from guardrail.types import SCORE_KEYS, AuditDraw, CalibratedPolicy, Route, Tier
from guardrail.watching import Status, TierStatus, look, status
from tests.support.calibrated import a_threshold
from tests.support.records import record, review
from tests.watching.promised import LATER, audit, promised, ran, said

NOW = datetime(2026, 1, 5, 3, 4, 5, tzinfo=UTC)


def seen(store: MemoryStore, one: CalibratedPolicy | None, *, days: float = 7, now: datetime = NOW) -> Status:
    return status(store, one, None if one is None else look(store, one).evidence, days=days, now=now)


def medium(found: Status) -> TierStatus:
    return next(one for one in found.tiers if one.tier is Tier.MEDIUM)


def test_calls_are_counted_by_tier_and_route() -> None:
    one, store = promised(), MemoryStore()
    store.add_record(ran(one, "rec-000001", "refund", "mail"))
    store.add_record(ran(one, "rec-000002", route=Route.RETRY))
    store.add_record(ran(one, "rec-000003", route=Route.REVIEW))
    store.add_record(record("rec-000004", review_id="rev-000001"))
    store.add_record(ran(one, "rec-000005", at="2025-11-01T00:00:00Z"))
    found = seen(store, one)
    tier = medium(found)
    assert (tier.executed, tier.retried, tier.reviewed, tier.promised) == (2, 1, 1, 2)
    assert [each.tier for each in found.tiers] == [Tier.MEDIUM, Tier.HIGH]
    assert found.tiers[1].alpha is None
    assert found.records == 4
    assert found.reviews.per_day == pytest.approx(2 / 7)
    assert from_json(Status, to_json(found)) == found


def test_calls_on_another_promise_are_not_on_this_one() -> None:
    store = MemoryStore()
    audit(store, promised(alpha=0.2), "..")
    tier = medium(seen(store, promised()))
    assert (tier.executed, tier.promised, tier.drawn) == (2, 0, 0)


def test_audits_are_drawn_answered_and_waiting() -> None:
    one, store = promised(), MemoryStore()
    audit(store, one, "..x")
    store.add_record(ran(one, "open-00001", at="2026-01-04T00:00:00Z"))
    store.add_record(ran(one, "open-00002", at="2026-01-03T00:00:00Z"))
    store.add_record(ran(one, "open-00003", at="2026-01-03T00:00:00Z"))
    store.add_record(ran(one, "open-00004", at="2026-01-03T00:00:00Z", audited=0))
    window = {"since": "2026-01-03T00:00:00Z", "until": "2026-01-04T00:00:00Z"}
    store.add_draws(
        [AuditDraw(record_id="open-00002", call_id="call_1", probability=0.5, batch="w1", at=LATER, **window)]
    )
    found = seen(store, one)
    tier = medium(found)
    assert (tier.drawn, tier.answered, tier.promised) == (5, 3, 7)
    assert tier.oldest_unanswered == "2026-01-03T00:00:00Z"
    assert any("2 audited calls wait" in line and "2026-01-03" in line for line in found.advice)


def test_the_error_is_estimated_with_its_interval() -> None:
    one, store = promised(), MemoryStore()
    audit(store, one, "x..x" + "." * 36)
    evidence = medium(seen(store, one)).evidence
    assert evidence is not None
    assert (evidence.audits, evidence.wrong, evidence.rate) == (40, 2, pytest.approx(0.05))
    assert evidence.low == pytest.approx(stats.beta.ppf(0.025, 2, 39))
    assert evidence.high == pytest.approx(stats.beta.ppf(0.975, 3, 38))
    assert evidence.limit == pytest.approx(20)
    assert not evidence.alarm


@pytest.mark.parametrize(("wrong", "low", "high"), [("....", 0.0, 0.6024), ("xxxx", 0.3976, 1.0)])
def test_the_interval_at_both_ends(wrong: str, low: float, high: float) -> None:
    one, store = promised(), MemoryStore()
    audit(store, one, wrong)
    evidence = medium(seen(store, one)).evidence
    assert evidence is not None
    assert (evidence.low, evidence.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_the_tool_nearest_to_its_alarm_comes_first() -> None:
    one, store = promised(tools=("mail", "refund")), MemoryStore()
    for number, (tool, right) in enumerate([("mail", True), ("refund", False), ("mail", True)]):
        store.add_record(ran(one, f"rec-{number:06}", tool))
        store.add_label(f"rec-{number:06}", said(right))
    assert [each.tool for each in medium(seen(store, one)).tools] == ["refund", "mail"]


def fingerprinted(**changed: str) -> dict[str, str]:
    return {**dict.fromkeys(SCORE_KEYS, "same"), "stopping": "lossless", **changed}


@pytest.mark.parametrize(
    ("audited", "changed", "compared"),
    [
        (0.1, {}, True),
        (0.1, {"model": "another"}, False),
        (0, {}, False),
        (0, {"stopping": "none"}, True),
    ],
)
def test_only_scores_of_the_same_kind_are_compared(audited: float, changed: dict, compared: bool) -> None:
    known = {key: (value,) for key, value in fingerprinted().items()}
    one, store = promised(scores=tuple(n / 100 for n in range(101)), fingerprint=known), MemoryStore()
    for number in range(60):
        store.add_record(
            ran(
                one,
                f"rec-{number:06}",
                audited=audited,
                risk=0.9,
                fingerprint=fingerprinted(**changed),
                route=Route.REVIEW,
            )
        )
    found = seen(store, one)
    drift = medium(found).drift
    assert (drift is not None) == compared
    if drift is not None:
        assert (drift.n, drift.reference) == (60, 150)
        assert drift.notable
        assert any("not those of the calibration" in line for line in found.advice)


def test_waiting_reviews_and_how_long() -> None:
    store = MemoryStore()
    queue = Queue(store)
    for number, hour in enumerate((1, 2, 3)):
        queue.open(review(f"rev-{number:06}", at=f"2026-01-05T0{hour}:04:05Z"))
    load = seen(store, None).reviews
    assert (load.waiting, load.longest, load.median) == (3, 7200, 3600)


def test_without_a_calibration_it_says_how_to_get_one() -> None:
    store = MemoryStore()
    store.add_record(record())
    found = seen(store, None)
    assert medium(found).executed == 1
    assert medium(found).evidence is None
    assert "guardrail calibrate" in found.advice[0]


def test_calls_without_audits_unadopted_and_refused_promises_are_named() -> None:
    one, store = promised(), MemoryStore()
    store.add_record(ran(one, "rec-000001", audited=0))
    said_of = " ".join(seen(store, one).advice)
    assert "none was drawn for an audit" in said_of
    refused = replace(
        promised(), adopted_by="", adopted_at="", tiers=(replace(one.tiers[0], thresholds=(a_threshold(None),)),)
    )
    said_of = " ".join(seen(store, refused).advice)
    assert "nobody has adopted" in said_of
    assert "label more" in said_of


def test_why_calls_are_not_calibrated() -> None:
    one, store = promised(), MemoryStore()
    plain = record("rec-000001")
    verdict = replace(plain.verdict.verdicts[0], uncalibrated="the model is b, calibrated for a", route=Route.REVIEW)
    store.add_record(replace(plain, verdict=replace(plain.verdict, verdicts=(verdict,))))
    found = seen(store, one)
    assert medium(found).uncalibrated == {"the model is b, calibrated for a": 1}
    assert any("the model is b" in line for line in found.advice)


def test_an_alarm_is_the_first_advice() -> None:
    one, store = promised(), MemoryStore()
    audit(store, one, "x.x" * 5)
    found = seen(store, one)
    assert len(found.alarms) == 2
    assert all("--clear-alarm" in line for line in found.advice[:2])
    assert medium(found).evidence.alarm
