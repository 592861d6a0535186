"""Labelled calls for tests: errors follow the risk unless a test says otherwise."""

from __future__ import annotations

import math
import random
from typing import Any

from guardrail.types import LabelledCall, LabelSource, Tier

SCORED = {"model": "m", "temperature": "1", "samples": "5", "signals": "agreement=1,logprob_sum=1"}


def a_call(number: int | str = 0, *, correct: bool = True, **more: Any) -> LabelledCall:
    """A judged call of the medium tier that says everything a calibration asks."""
    given: dict[str, Any] = {
        "tier": Tier.MEDIUM,
        "tool": "pay",
        "probability": 1.0,
        "risk": 0.1,
        "signals": {"agreement": 0.8, "logprob_sum": -0.5},
        "source": LabelSource.CHECKER,
        "at": "2026-01-01T00:00:00Z",
        "fingerprint": SCORED,
    }
    return LabelledCall(id=f"c{number}", correct=correct, **{**given, **more})


def calls(n: int, *, wrong: int = 0, below: float = 0.5, **more: Any) -> list[LabelledCall]:
    """n calls of different risk below ``below``; the ``wrong`` riskiest of them are wrong."""
    name = more.pop("name", "")
    return [
        a_call(f"{name}{k:05}", correct=k < n - wrong, **{"risk": below * k / n, "task": f"{name}{k}", **more})
        for k in range(n)
    ]


def world(
    n: int, *, seed: int = 0, tools: tuple[str, ...] = ("pay",), base: float = -5.5, **more: Any
) -> list[LabelledCall]:
    """n calls whose error is logistic in two signals; ``risk`` is the true one. Two calls make a task."""
    chance = random.Random(seed)
    found = []
    for k in range(n):
        likely, share = chance.random(), chance.choice([0.2, 0.4, 0.6, 0.8, 1.0])
        risk = 1 / (1 + math.exp(-(base + 3 * (1 - likely) + 4 * (1 - share))))
        found.append(
            a_call(
                f"{seed}-{k:05}",
                correct=chance.random() >= risk,
                **{
                    "risk": risk,
                    "signals": {"agreement": share, "logprob_sum": math.log(likely + 1e-9)},
                    "tool": chance.choice(tools),
                    "task": f"{seed}-{k // 2}",
                    **more,
                },
            )
        )
    return found
