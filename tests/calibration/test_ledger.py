"""The ledger of looks: all of them together spend no more than delta."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.calibration import (
    Ledger,
    Plan,
    calibrate,
    load_ledger,
    save_ledger,
    store_ledger,
    stored_ledger,
)
from guardrail.calibration.ledger import Look
from guardrail.errors import ConfigError
from guardrail.types import Refusal, RefusalCode, Tier
from tests.calibration.labelled import a_call, calls

GOOD = [*calls(300), *calls(30, name="x", risk=0.9, wrong=30)]


class States:
    """A store's small texts."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[int, str]] = {}

    def state(self, key: str) -> tuple[int, str] | None:
        return self.kept.get(key)

    def put_state(self, key: str, text: str, *, revision: int) -> bool:
        if self.kept.get(key, (0, ""))[0] != revision:
            return False
        self.kept[key] = (revision + 1, text)
        return True


def look(ledger: Ledger, key: str, *, n: int = 100, delta: float = 0.05) -> tuple[Ledger, float | Refusal]:
    spend = ledger.delta(Tier.HIGH, key, n=n, delta=delta)
    if isinstance(spend, Refusal):
        return ledger, spend
    return ledger.with_look(Tier.HIGH, Look(key=key, n=n, delta=spend)), spend


@given(st.integers(1, 60), st.floats(0.001, 0.999))
def test_any_number_of_looks_spends_at_most_delta(looks: int, delta: float) -> None:
    ledger, spent = Ledger(), 0.0
    for j in range(1, looks + 1):
        ledger, spend = look(ledger, f"k{j}", delta=delta)
        assert not isinstance(spend, Refusal)
        assert spend == pytest.approx(6 * delta / (math.pi**2 * j**2))
        spent += spend
        assert ledger.left(Tier.HIGH, delta) == pytest.approx(delta - spent, abs=1e-12)
    assert spent < delta


def test_the_same_look_again_spends_nothing_more() -> None:
    ledger, first = look(Ledger(), "a")
    ledger, _ = look(ledger, "b")
    again, spend = look(ledger, "a")
    assert (again, spend) == (ledger, first)
    assert (ledger.number(Tier.HIGH, "a"), ledger.number(Tier.HIGH, "b"), ledger.number(Tier.HIGH, "c")) == (1, 2, 3)
    assert ledger.number(Tier.LOW, "a") == 1


def test_planned_looks_share_delta_and_wait_for_their_labels() -> None:
    ledger, spend = look(Ledger(plan=Plan(first=100, looks=2)), "a", n=120)
    assert spend == 0.025
    for n, said in ((199, "planned at 200 labels, and there are 199"), (200, "")):
        after, spend = look(ledger, "b", n=n)
        assert said in (spend.message if isinstance(spend, Refusal) else "")
    assert spend == 0.025
    _, spend = look(after, "c", n=1000)
    assert isinstance(spend, Refusal)
    assert spend.code is RefusalCode.UNPLANNED_RECALIBRATION
    assert "all 2 planned looks" in spend.message
    assert "0 of delta 0.05 is left" in spend.message
    with pytest.raises(ValueError, match="at least one look"):
        Plan(first=100, looks=0)


def test_a_smaller_delta_cannot_be_promised_once_more_is_spent() -> None:
    ledger, _ = look(Ledger(), "a", delta=0.05)
    _, spend = look(ledger, "b", delta=0.01)
    assert isinstance(spend, Refusal)
    assert "earlier looks have spent" in spend.message
    assert isinstance(look(ledger, "a", delta=0.01)[1], Refusal)


def test_calibrate_counts_its_looks() -> None:
    asked = {"target_error": {"medium": 0.05}, "combiner": "recorded", "attempts": "all"}
    first = calibrate(GOOD, ledger=Ledger(), **asked)
    assert (first.policy.look, first.policy.tiers[0].delta) == (1, 0.05)
    assert first.policy.tiers[0].thresholds[0].delta == pytest.approx(6 * 0.05 / math.pi**2)
    second = calibrate([*GOOD, a_call("more")], ledger=first.ledger, **asked)
    assert second.policy.look == 2
    assert second.policy.tiers[0].thresholds[0].delta == pytest.approx(6 * 0.05 / (4 * math.pi**2))
    # the same labels, asked alike, are the same look; asked otherwise they are not
    assert calibrate(list(reversed(GOOD)), ledger=second.ledger, **asked).policy == first.policy
    assert calibrate(GOOD, ledger=second.ledger, seed=1, **asked).policy.look == 3


def test_without_a_ledger_all_of_delta_is_spent() -> None:
    found = calibrate(GOOD, target_error={"medium": 0.05}, combiner="recorded", attempts="all")
    assert (found.policy.look, found.policy.tiers[0].thresholds[0].delta) == (1, 0.05)
    assert len(found.ledger.looks[Tier.MEDIUM]) == 1


def test_a_refusal_before_any_test_spends_nothing() -> None:
    found = calibrate(GOOD[-35:], target_error={"medium": 0.05}, combiner="recorded", attempts="all", ledger=Ledger())
    assert found.policy.tiers[0].thresholds[0].refusal is not None
    assert found.ledger == Ledger()


def test_files_and_stores_keep_it(tmp_path: Path) -> None:
    ledger, _ = look(Ledger(plan=Plan(first=10, looks=3)), "a")
    assert load_ledger(tmp_path / "none.json") == Ledger()
    save_ledger(ledger, tmp_path / "l.json")
    assert load_ledger(tmp_path / "l.json") == ledger
    states = States()
    assert stored_ledger(states) == (Ledger(), 0)
    store_ledger(ledger, states, revision=0)
    assert stored_ledger(states) == (ledger, 1)
    with pytest.raises(ConfigError, match="meanwhile"):
        store_ledger(ledger, states, revision=0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 2}',
        '{"version": 1, "version": 1}',
        '{"version": 1, "looks": {"lofty": []}}',
        '{"version": 1, "looks": {"low": [{"key": "a", "n": 5, "delta": 0}]}}',
        '{"version": 1, "looks": {"low": [{"key": "a", "n": 5, "delta": NaN}]}}',
        '{"version": 1, "looks": {"low": [{"key": "a", "n": 5, "delta": 0.1}, {"key": "a", "n": 5, "delta": 0.1}]}}',
        '{"version": 1, "plan": {"first": 0, "looks": 1}}',
    ],
)
def test_a_ledger_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "l.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"l\.json.*backup"):
        load_ledger(tmp_path / "l.json")


def test_a_ledger_that_cannot_be_read_or_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load_ledger(tmp_path)
    with pytest.raises(ConfigError, match="cannot write"):
        save_ledger(Ledger(), tmp_path / "none" / "l.json")
    (tmp_path / "l.json").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="cannot read"):
        load_ledger(tmp_path / "l.json")
