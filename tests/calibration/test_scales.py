"""Doubt: every signal from 0 (safe) to 1, never less where the signal is worse."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail import catalogue
from guardrail.calibration.scales import Doubt, Scale, doubt_for, logistic
from guardrail.types import Safer, SignalInfo

FINITE = st.floats(allow_nan=False, allow_infinity=False)
DOUBTS = st.builds(
    Doubt,
    safer=st.sampled_from(Safer),
    scale=st.sampled_from(Scale),
    origin=st.floats(-100, 100),
    unit=st.floats(1e-3, 100),
)


@given(DOUBTS, FINITE, FINITE)
def test_doubt_is_monotone_and_lies_in_0_to_1(doubt: Doubt, a: float, b: float) -> None:
    low, high = sorted((a, b))
    safe, unsafe = (low, high) if doubt.safer is Safer.LOW else (high, low)
    assert 0 <= doubt.of(safe) <= doubt.of(unsafe) <= 1


@given(FINITE, FINITE)
def test_the_logistic_curve_is_monotone(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert 0 <= logistic(low) <= logistic(high) <= 1


@pytest.mark.parametrize(
    ("name", "value", "doubt"),
    [
        ("agreement", 0.8, 0.2),
        ("majority_margin", 0.0, 0.5),
        ("logprob_sum", math.log(0.25), 0.75),
        ("logprob_min", 0.0, 0.0),
        ("semantic_entropy", math.log(4), 0.75),
        ("semantic_entropy_normalized", 0.3, 0.3),
        ("top_entropy", 0.0, 0.0),
    ],
)
def test_the_scale_of_a_signal_is_a_share(name: str, value: float, doubt: float) -> None:
    info = catalogue.info(name)
    assert info is not None
    assert doubt_for(info).of(value) == pytest.approx(doubt)


def test_a_signal_without_bounds_is_placed_by_what_was_seen() -> None:
    info = SignalInfo(name="x", unit="ms", safer=Safer.LOW, needs=frozenset(), title="x")
    doubt = doubt_for(info, middle=100.0, width=10.0)
    assert doubt.of(100.0) == pytest.approx(0.5)
    assert doubt.of(110.0) == pytest.approx(1 / (1 + math.exp(-1)))
    above = doubt_for(
        SignalInfo(name="x", unit="ms", safer=Safer.HIGH, needs=frozenset(), title="x", low=0.0), width=10.0
    )
    assert above.of(10.0) == pytest.approx(math.exp(-1))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_has_no_doubt(bad: float) -> None:
    info = catalogue.info("agreement")
    assert info is not None
    with pytest.raises(ValueError, match="not finite"):
        doubt_for(info).of(bad)
    with pytest.raises(ValueError, match="is none"):
        Doubt(safer=Safer.LOW, scale=Scale.LINEAR, origin=bad, unit=1.0)


@pytest.mark.parametrize("unit", [0.0, -1.0, math.nan])
def test_a_scale_needs_a_width(unit: float) -> None:
    with pytest.raises(ValueError, match="is none"):
        Doubt(safer=Safer.LOW, scale=Scale.LINEAR, origin=0.0, unit=unit)
