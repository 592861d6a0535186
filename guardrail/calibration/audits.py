"""Which calls people are asked to judge: draws that no outcome can sway, and that spend a budget where it tells most.

Two draws are made. At verdict time a step is audited with its tier's probability. Later, where more calls were audited
than people have time for, a budget is shared out among them: every call keeps a chance that is known beforehand, larger
where its error is less certain, where a threshold lies, and where its tool is rare (Neyman 1934; Bankier 1988).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from guardrail.codec import digest
from guardrail.errors import ConfigError
from guardrail.types import Tier

UNKNOWN_RISK: Final = 0.5
"""A call of which nothing is known may be wrong as well as right."""
LEAST_RISK: Final = 0.005
"""No call is taken to be surer than that: a risk of 0 would have no variance, and no label would ever contradict it."""
FLOOR: Final = 0.5
"""The least chance of a call, as a share of what it has where all are drawn alike."""
_STEPS: Final = 200


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A call that may be drawn. ``risk`` is P(wrong) as recorded, None where it is missing; ``threshold`` is the risk
    below which its tier runs calls, None where there is none. ``probability`` is that of the audit by which it is here.
    """

    record_id: str
    call_id: str
    tier: Tier
    tool: str
    risk: float | None = None
    threshold: float | None = None
    probability: float = 1.0

    @property
    def name(self) -> str:
        """What a draw goes by: nothing but which call it is."""
        return digest("audit", self.record_id, self.call_id)


def allocate(
    calls: Sequence[Candidate], budget: float, *, floor: float = FLOOR, power: float = 0.5
) -> tuple[float, ...]:
    """The probability with which each call is drawn, so that ``budget`` of them are on average; none is 0.

    Proportional to the standard deviation of what a label may say, sqrt(r (1 - r)), over the probability of its audit:
    of all allocations of a budget that one leaves an inverse-probability estimate of how many are wrong the least
    variance (Neyman 1934). It doubles at the threshold, and falls with the tool's number of calls to the power of
    ``power`` - 1 (Bankier 1988): 1 serves the estimate over all tools, 0 each tool alike. No call has less than
    ``floor`` times what it would have if all were drawn alike: exact tests keep only as many labels as the least
    likely call leaves them (``thinning``).

    Raises:
        ConfigError: the budget is not above 0, or a number is out of range.
    """
    if not budget > 0 or not math.isfinite(budget):
        raise ConfigError(f"a budget of {budget} audits draws nothing: it must be above 0")
    if not 0 < floor <= 1:
        raise ConfigError(f"the floor is {floor}: it must be above 0 and at most 1, or calls would have no chance")
    if not 0 <= power <= 1:
        raise ConfigError(f"power is {power}: it must lie in 0 to 1")
    if len(calls) <= budget:
        return (1.0,) * len(calls)
    sizes = Counter((call.tier, call.tool) for call in calls)
    weights = [_worth(call) * sizes[call.tier, call.tool] ** (power - 1) for call in calls]
    return _shared(weights, budget, floor * budget / len(calls))


def drawn(
    calls: Sequence[Candidate], probabilities: Sequence[float], number: Callable[[str], float]
) -> list[tuple[Candidate, float]]:
    """The calls that are drawn, each independently of the others, with their probabilities.

    ``number`` gives a uniform number in [0, 1) for a name (``Candidate.name``), the same one each time.
    """
    chances = zip(calls, probabilities, strict=True)
    return [(call, chance) for call, chance in chances if number(call.name) < chance]


def _worth(call: Candidate) -> float:
    if call.risk is not None and not 0 <= call.risk <= 1:
        raise ConfigError(f"the risk of {call.call_id} in {call.record_id} is {call.risk}: it must lie in 0 to 1")
    if not 0 < call.probability <= 1:
        raise ConfigError(
            f"{call.call_id} in {call.record_id} was audited with a probability of {call.probability}: it must lie in (0, 1]"
        )
    risk = UNKNOWN_RISK if call.risk is None else min(max(call.risk, LEAST_RISK), 1 - LEAST_RISK)
    near = 0.0
    if call.threshold is not None:
        near = math.exp(-0.5 * (_log_odds(risk) - _log_odds(call.threshold)) ** 2)
    return math.sqrt(risk * (1 - risk)) * (1 + near) / call.probability


def _log_odds(risk: float) -> float:
    risk = min(max(risk, LEAST_RISK), 1 - LEAST_RISK)
    return math.log(risk / (1 - risk))


def _shared(weights: Sequence[float], budget: float, least: float) -> tuple[float, ...]:
    """Proportional to the weights, within ``least`` and 1, with the budget as their sum."""
    low, high = 0.0, len(weights) / min(weights)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if sum(min(1.0, max(least, middle * weight)) for weight in weights) < budget:
            low = middle
        else:
            high = middle
    return tuple(min(1.0, max(least, high * weight)) for weight in weights)
