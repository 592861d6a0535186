"""Which calls people are asked to judge: draws that no outcome can sway, and that spend a budget where it tells most.

Two draws are made. At verdict time a step is audited with its tier's probability. Later, where more calls were audited
than people have time for, a budget is shared out among them: every call keeps a chance that is known beforehand, larger
where its error is less certain, where a threshold lies, and where its tool is rare (Neyman 1934; Bankier 1988).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from guardrail.calibration.judgements import moment
from guardrail.calibration.labelled import Draws, chance_of
from guardrail.codec import digest
from guardrail.errors import ConfigError
from guardrail.types import AuditDraw, CalibratedPolicy, Record, Route, Tier, Verdict

UNKNOWN_RISK: Final = 0.5
"""A call of which nothing is known may be wrong as well as right."""
LEAST_RISK: Final = 0.005
"""No call is taken to be surer than that: a risk of 0 would have no variance, and no label would ever contradict it."""
FLOOR: Final = 0.5
"""The least chance of a call, as a share of what it has where all are drawn alike."""
_CLOSE: Final = 1e-13


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

    Proportional to the standard deviation of what a label says, sqrt(r (1 - r)), over the probability of its audit: no
    other allocation of a budget leaves less variance to an inverse-probability estimate of how many are wrong that
    starts from the recorded risks (Neyman 1934). It doubles at the threshold, and falls with the number of the tool's
    calls to the power of ``power`` - 1 (Bankier 1988): 1 serves the estimate over all tools, 0 each tool alike. No call
    has less than ``floor`` times what it would have if all were drawn alike: exact tests keep only as many labels as
    the least likely call leaves them (``thinning``).

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


@dataclass(frozen=True, kw_only=True)
class Population:
    """The audited calls of a time that no reviewer sees: ``judged`` ones, and those that are ``open``."""

    judged: tuple[Candidate, ...]
    open: tuple[Candidate, ...]


def population(
    records: Iterable[Record], *, since: str = "", until: str = "", calibration: CalibratedPolicy | None = None
) -> Population:
    """Among which calls a batch is drawn: those of the records that an audit chose, that no reviewer sees and that have
    a score. ``since`` is the first moment (ISO 8601; empty: of all time), ``until`` the first one after (empty: none).
    ``calibration`` tells where thresholds lie.
    """
    nothing = Draws.of(())
    judged: list[Candidate] = []
    still: list[Candidate] = []
    for record in records:
        if moment(record.at) < moment(since) or (until and moment(record.at) >= moment(until)):
            continue
        ids = Counter(verdict.call.id for verdict in record.verdict.verdicts)
        labelled = {label.call_id for label in record.labels}
        for verdict in record.verdict.verdicts:
            chance = chance_of(record, verdict, nothing).probability
            if verdict.route is Route.REVIEW or not record.verdict.audited or chance is None:
                continue
            # of two calls that share an id a label could not say which it judges
            if ids[verdict.call.id] == 1:
                kind = judged if verdict.call.id in labelled else still
                kind.append(_candidate(record, verdict, chance, calibration))
    return Population(judged=_by_name(judged), open=_by_name(still))


def _by_name(calls: Iterable[Candidate]) -> tuple[Candidate, ...]:
    return tuple(sorted(calls, key=lambda call: call.name))


def draw_batch(
    calls: Population,
    budget: float,
    *,
    batch: AuditDraw,
    number: Callable[[str], float],
    floor: float = FLOOR,
    power: float = 0.5,
) -> tuple[AuditDraw, ...]:
    """A batch of audits: ``budget`` of the open calls on average, and the judged ones, which cost nothing more.

    Calls that were judged before stand for themselves, with probability 1, whoever chose them; those drawn stand for
    the open ones (as in subsampling those who did not answer: Hansen and Hurwitz 1946). ``batch`` has what all draws of
    it share. ``number``: see ``drawn``.

    Raises:
        ConfigError: see ``allocate``.
    """
    chosen = drawn(calls.open, allocate(calls.open, budget, floor=floor, power=power), number)
    return tuple(
        replace(batch, record_id=call.record_id, call_id=call.call_id, probability=chance)
        for call, chance in (*((call, 1.0) for call in calls.judged), *chosen)
    )


def drawn(
    calls: Sequence[Candidate], probabilities: Sequence[float], number: Callable[[str], float]
) -> list[tuple[Candidate, float]]:
    """The calls that are drawn, each independently of the others, with their probabilities.

    ``number`` gives a uniform number in [0, 1) for a name (``Candidate.name``), the same one each time.
    """
    chances = zip(calls, probabilities, strict=True)
    return [(call, chance) for call, chance in chances if number(call.name) < chance]


def _candidate(record: Record, verdict: Verdict, probability: float, calibration: CalibratedPolicy | None) -> Candidate:
    tier = None if calibration is None else calibration.tier(verdict.tier)
    found = None if tier is None else tier.threshold(record.attempt)
    below = None if found is None else found.execute_below
    return Candidate(
        record_id=record.id,
        call_id=verdict.call.id,
        tier=verdict.tier,
        tool=verdict.call.name,
        risk=verdict.risk,
        threshold=below if below is not None and 0 < below < 1 else None,
        probability=probability,
    )


def _worth(call: Candidate) -> float:
    if call.risk is not None and not 0 <= call.risk <= 1:
        raise ConfigError(f"the risk of {call.call_id} in {call.record_id} is {call.risk}: it must lie in 0 to 1")
    if not 0 < call.probability <= 1:
        raise ConfigError(
            f"{call.call_id} in {call.record_id} was audited with probability {call.probability}: it must lie in (0, 1]"
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
    while high - low > _CLOSE * high:
        middle = (low + high) / 2
        if sum(min(1.0, max(least, middle * weight)) for weight in weights) < budget:
            low = middle
        else:
            high = middle
    return tuple(min(1.0, max(least, high * weight)) for weight in weights)
