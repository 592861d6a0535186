"""What is kept of an assessed step, and that it is kept before anything runs."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guardrail import Guard, Policy, open_store
from guardrail.engine.fingerprint import LIBRARIES
from guardrail.errors import StoreError
from guardrail.policy import TierSettings
from guardrail.sampling import ScriptedSampler
from guardrail.store import MemoryStore
from guardrail.types import DecisionType, PlanningStep, Record, Route, Sample, Tier, Turn, score_fingerprint
from tests.engine.steps import GOOD, OTHER, Model, Stated, in_order, likely, pay, sample, step, tiers


def test_reviewers_may_answer_at_most_what_the_guard_can_carry_out() -> None:
    decisions = frozenset({DecisionType.APPROVE, DecisionType.REJECT})
    store = MemoryStore()
    guard = Guard(tiers("critical"), ScriptedSampler(in_order([GOOD] * 8)), store, decisions=decisions)
    assert set(guard.assess(step(pay(10))).verdicts[0].decisions) == decisions
    assert set(store.reviews()[0].decisions) == decisions


def test_a_step_is_measured_once_and_its_verdict_stands() -> None:
    store = MemoryStore()
    first = Guard(tiers("high"), ScriptedSampler(in_order([OTHER] * 8)), store).assess(step(pay(10)))
    sampler = ScriptedSampler(in_order([GOOD] * 8))
    again = Guard(tiers("high"), sampler, store).assess(step(pay(10)))
    assert again == first
    assert sampler.asked == []


@pytest.mark.parametrize(
    "change",
    [{"thread_id": "t2"}, {"id": "m2"}, {"attempt": 1}, {"request_digest": "x"}, {"planned": sample(pay(11))}],
)
def test_another_step_is_measured_anew(change: dict[str, Any]) -> None:
    store = MemoryStore()
    Guard(tiers("high"), ScriptedSampler(in_order([OTHER] * 8)), store).assess(step(pay(10)))
    sampler = ScriptedSampler(in_order([GOOD] * 8))
    Guard(tiers("high"), sampler, store).assess(step(**{"planned": sample(pay(10)), **change}))
    assert sampler.asked


def test_a_stricter_policy_measures_anew() -> None:
    store = MemoryStore()
    Guard(tiers("low"), ScriptedSampler(in_order([GOOD] * 3)), store).assess(step(pay(10)))
    verdict = Guard(tiers("critical"), ScriptedSampler(in_order([GOOD] * 8)), store).assess(step(pay(10)))
    assert verdict.route is Route.REVIEW


def test_the_review_is_pending_in_the_store_before_anyone_is_asked() -> None:
    store = open_store("memory://")
    verdict = Guard(tiers("critical"), ScriptedSampler(in_order([GOOD] * 8)), store).assess(step(pay(10)))
    (review,) = store.reviews()
    assert review.id == verdict.verdicts[0].review_id
    assert review.record_id == store.records()[0].id
    assert store.record(verdict.record_id).verdict == verdict


def recorded(policy: Policy, one: PlanningStep, drawn: list[Sample], **options: Any) -> Record:
    store = MemoryStore()
    verdict = Guard(policy, ScriptedSampler(in_order(drawn)), store, **options).assess(one)
    return store.record(verdict.record_id)


def test_the_conversation_is_kept_with_the_step() -> None:
    said = (Turn(role="user", text="Pay Ann 10."),)
    assert recorded(tiers("high"), step(pay(10), conversation=said), [OTHER] * 8).conversation == said


def test_what_the_scores_depend_on_is_the_same_whichever_stage_decided() -> None:
    low = tiers("low")
    free, drawn = recorded(low, likely(-0.01), []), recorded(low, likely(-3.0), [GOOD] * 3)
    assert (free.verdict.drawn, drawn.verdict.drawn) == (0, 2)
    assert free.fingerprint == drawn.fingerprint
    assert free.fingerprint["samples"] == "critical=8,high=8,low=3,medium=5"
    assert "agreement=1" in free.fingerprint["signals"].split(",")
    assert score_fingerprint(free.fingerprint, Tier.LOW)["stopping"] == "lossless"
    assert set(free.fingerprint["meaning"].split(",")) <= {*LIBRARIES, ""}


def test_the_fingerprint_tells_another_rule_signal_or_model_apart(tmp_path: Path) -> None:
    plain = recorded(tiers("high"), step(pay(10)), [OTHER] * 8).fingerprint
    full = recorded(tiers("high"), step(pay(10)), [OTHER] * 8, curtail=False).fingerprint
    bayes = {"high": {"agreement": 0.8, "stopping": {"rule": "bayesian", "error": 0.1}}}
    expecting = recorded(tiers("high", tiers={**bayes, "medium": {"agreement": 0.8}}), step(pay(10)), [OTHER] * 8)
    rules = [score_fingerprint(one, Tier.HIGH)["stopping"] for one in (plain, full, expecting.fingerprint)]
    assert rules == ["lossless", "none", "bayesian(0.1;1;1)"]
    assert score_fingerprint(expecting.fingerprint, Tier.MEDIUM) == score_fingerprint(plain, Tier.MEDIUM)

    class Newer(Stated):
        def __init__(self) -> None:
            super().__init__()
            self.info = replace(self.info, version="2")

    named = tiers("high", tiers={"high": {"signals": ["agreement", "p_true"]}})
    versions = [recorded(named, step(pay(10)), [OTHER] * 8, signals=[one]).fingerprint for one in (Stated(), Newer())]
    assert [found["signals"] for found in versions] == ["agreement=1,p_true=1", "agreement=1,p_true=2"]
    file = tmp_path / "risk.json"
    file.write_text("{}")
    risky = Policy(tiers={Tier.HIGH: TierSettings(samples=8, agreement=None, max_risk=0.1)}, risk_model=str(file))
    risk = recorded(risky, step(pay(10)), [OTHER] * 8, risk_model=Model("agreement", "kernel_entropy")).fingerprint
    assert (plain["risk_model"], risk["risk_model"]) == ("", "model-1")
    assert risk["signals"] == "agreement=1,kernel_entropy=1"


def test_log_probabilities_that_are_no_numbers_are_not_kept() -> None:
    kept = recorded(tiers("high"), likely(math.nan), [GOOD] * 8)
    assert (kept.planned.tokens, kept.verdict.route) == (None, Route.EXECUTE)
    assert "log-probability" in (kept.verdict.verdicts[0].signal("logprob_min").missing or "")  # type: ignore[union-attr]


def test_a_store_that_fails_lets_nothing_run() -> None:
    class Full(MemoryStore):
        def add_record(self, record: Record) -> bool:
            raise StoreError("full")

    guard = Guard(tiers("high"), ScriptedSampler(in_order([GOOD] * 8)), Full())
    with pytest.raises(StoreError):
        guard.assess(step(pay(10)))
