"""Risk models and rows for tests."""

from __future__ import annotations

import math
import random

from hypothesis import strategies as st

from guardrail import catalogue
from guardrail.calibration import Input, Pattern, RiskModel, Row
from guardrail.calibration.scales import doubt_for
from guardrail.types import Signal

NAMES = ("logprob_sum", "agreement", "semantic_entropy", "p_true")


def an_input(name: str, coefficient: float = 1.0, missing: float = 0.3) -> Input:
    info = catalogue.info(name)
    assert info is not None
    return Input(name=name, doubt=doubt_for(info), coefficient=coefficient, missing=missing)


def a_pattern(*missing: str, raises: float = 0.0) -> Pattern:
    return Pattern(missing=frozenset(missing), raises=raises, n=50, errors=10)


@st.composite
def models(draw: st.DrawFn) -> RiskModel:
    coefficients = st.floats(0, 10)
    patterns = draw(st.sets(st.frozensets(st.sampled_from(NAMES), max_size=3), min_size=0, max_size=4)) | {frozenset()}
    return RiskModel(
        inputs=tuple(an_input(name, draw(coefficients), draw(st.floats(0, 1))) for name in NAMES),
        intercept=draw(st.floats(-8, 8)),
        patterns=tuple(a_pattern(*one, raises=draw(st.floats(0, 3))) for one in sorted(patterns, key=sorted)),
    )


VALUES = {
    "logprob_sum": st.floats(-50, 0),
    "agreement": st.floats(0, 1),
    "semantic_entropy": st.floats(0, 3),
    "p_true": st.floats(0, 1),
}


def signal(name: str, value: float | None = None, bounds: tuple[float, float] | None = None) -> Signal:
    return Signal(name=name, value=value, bounds=bounds, missing=None if value is not None else "not there")


def rows(n: int = 120, seed: int = 0, *, per_group: int = 2) -> list[Row]:
    """Calls whose error is logistic in the doubt of two signals; p_true tells nothing."""
    rng = random.Random(seed)
    found = []
    for i in range(n):
        likely, share = rng.random(), rng.choice([0.2, 0.4, 0.6, 0.8, 1.0])
        odds = -3 + 3 * (1 - likely) + 4 * (1 - share)
        signals = {"logprob_sum": math.log(likely + 1e-9), "agreement": share, "p_true": rng.random()}
        wrong = rng.random() < 1 / (1 + math.exp(-odds))
        found.append(Row(id=f"r{i}", right=not wrong, group=f"g{i // per_group}", signals=signals))
    return found
