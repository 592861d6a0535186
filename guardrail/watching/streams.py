"""The evidence of a tier, or of one tool of it, and what an answer does to it.

A tier's evidence is tested at the tier's own delta. All tools of a tier share that delta once more: equally among those
that the calibration knows and the rest, which share theirs in the order in which they first ran (6 / (pi j)^2 of it for
the j-th). So a tier that keeps its promise, with all its tools, is sent to review with a probability of at most delta,
and one of its tools with at most delta.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Literal

from guardrail.calibration.eprocess import MOST, Answer, EProcess
from guardrail.codec import digest
from guardrail.types import CalibratedTier, Tier
from guardrail.types.forms import type_config
from guardrail.watching.audits import Ran

VERSION: Final = 1


@dataclass(frozen=True, kw_only=True)
class Stream:
    """The evidence against the promise of a tier (``tool`` empty), or that of one of its tools.

    ``unit`` is the probability whose calls have a stake of 1; it falls where less likely calls, or more of them in one
    step, would otherwise have more than can be staked. ``weight``, ``wrong_weight`` and ``squares`` are the sums of
    1 / p, of 1 / p where the call was wrong, and of 1 / p^2, for an estimate. ``generation`` counts alarms that were
    cleared; what ran before the last of them (``since``) is settled.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    tier: Tier
    tool: str = ""
    process: EProcess
    unit: float = 1.0
    weight: float = 0.0
    wrong_weight: float = 0.0
    squares: float = 0.0
    generation: int = 0
    since: str = ""

    def alarm_id(self, calibration: str) -> str:
        """The id of the alarm that this evidence may raise: the same in every process that watches."""
        return digest("alarm", calibration, self.tier.value, self.tool, self.generation)

    def restarted(self, since: str) -> Stream:
        """No evidence, after a person has cleared its alarm at that time."""
        fresh = EProcess.start(alpha=self.process.alpha, delta=self.process.delta)
        return Stream(
            tier=self.tier,
            tool=self.tool,
            process=fresh,
            unit=self.unit,
            generation=self.generation + 1,
            since=since,
        )

    def answered(self, before: Sequence[Ran], after: Sequence[Ran]) -> Stream:
        """The evidence where the calls of one step stood as ``before`` and stand as ``after`` now."""
        mine = [[one for one in calls if self._about(one)] for calls in (before, after)]
        inverse = sum(1 / one.probability for one in mine[1] if one.probability is not None)
        if not inverse:
            return self
        unit = min(self.unit, MOST / inverse)
        if not self.process.n:
            unit = min(next(one.probability for one in mine[1] if one.probability is not None), MOST / inverse)
        old, new = ([one for one in calls if one.wrong is not None] for calls in mine)
        change = replace(
            self,
            unit=unit,
            process=self.process.exchange(_answers(old, unit), _answers(new, unit)),
            weight=self.weight + _sum(new) - _sum(old),
            wrong_weight=self.wrong_weight + _sum(_wrong(new)) - _sum(_wrong(old)),
            squares=self.squares + _sum(new, 2) - _sum(old, 2),
        )
        return change if [(o.call_id, o.wrong) for o in old] != [(n.call_id, n.wrong) for n in new] else self

    @property
    def rate(self) -> float | None:
        """The share of calls that ran and were wrong, as the audits estimate it; None before the first."""
        return min(1.0, max(0.0, self.wrong_weight / self.weight)) if self.process.n else None

    @property
    def effective(self) -> float:
        """As many audits with equal probabilities would tell as much (Kish 1965)."""
        return min(self.process.n, self.weight**2 / self.squares) if self.process.n else 0.0

    def _about(self, call: Ran) -> bool:
        return call.tier is self.tier and self.tool in ("", call.tool)


@dataclass(frozen=True, kw_only=True)
class Watched:
    """All evidence about one calibration (its digest), from the labels up to number ``after``."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    calibration: str
    after: int = 0
    streams: tuple[Stream, ...] = ()
    version: Literal[1] = VERSION

    def stream(self, tier: Tier, tool: str = "") -> Stream | None:
        """The evidence about a tier or one tool of it; None where no audited call of it was judged."""
        return next((one for one in self.streams if one.tier is tier and one.tool == tool), None)

    def put(self, stream: Stream) -> Watched:
        """The same with that stream in the place of the one about the same tier and tool."""
        others = [one for one in self.streams if (one.tier, one.tool) != (stream.tier, stream.tool)]
        return replace(self, streams=tuple(sorted((*others, stream), key=_order)))

    def opened(self, tier: CalibratedTier, tool: str = "") -> Stream:
        """The evidence about a tier, or one tool of it, new where there is none."""
        known = self.stream(tier.tier, tool)
        delta = tier.delta * (self._share(tier, tool) if tool else 1.0)
        return known or Stream(tier=tier.tier, tool=tool, process=EProcess.start(alpha=tier.alpha, delta=delta))

    def _share(self, tier: CalibratedTier, tool: str) -> float:
        known = {one.tool for one in tier.tools}
        share = 1 / (len(known) + 1)
        if tool in known:
            return share
        place = 1 + sum(one.tier is tier.tier and one.tool not in {"", *known} for one in self.streams)
        return share * 6 / (math.pi * place) ** 2


def _order(stream: Stream) -> tuple[int, str]:
    return stream.tier.rank, stream.tool


def _answers(calls: Sequence[Ran], unit: float) -> list[Answer]:
    return [Answer(wrong=bool(one.wrong), stake=unit / (one.probability or 1.0)) for one in calls]


def _wrong(calls: Sequence[Ran]) -> list[Ran]:
    return [one for one in calls if one.wrong]


def _sum(calls: Sequence[Ran], power: int = 1) -> float:
    return sum((one.probability or 1.0) ** -power for one in calls)
