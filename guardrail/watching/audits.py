"""Which calls of a record count as evidence, and what was found of each.

A call counts that ran without a human on the promise of the calibration that is watched, and that a draw with a known
probability chose to be judged: its step was audited, or it was drawn from the records afterwards, or a checker judges
every call with a stated probability. A look out of curiosity, a complaint and silence are no draw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from guardrail.types import AuditDraw, Label, LabelSource, Record, Route, Tier

COUNTED: Final = frozenset({LabelSource.AUDIT, LabelSource.CHECKER})


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A call that ran on a promise. ``probability`` is that of being judged; None where nothing drew it.

    ``wrong`` is None while nobody that counts has judged it. Answers that contradict each other make it wrong.
    """

    call_id: str
    tier: Tier
    tool: str
    probability: float | None
    wrong: bool | None


def ran(record: Record, labels: Sequence[Label], draws: Iterable[AuditDraw], calibration: str) -> list[Ran]:
    """The calls of a record that ran on the promise of that calibration, as those labels tell of them."""
    drawn: dict[str, float] = {}
    for draw in draws:
        drawn[draw.call_id] = max(draw.probability, drawn.get(draw.call_id, 0.0))
    found: dict[str, Ran] = {}
    for verdict in record.verdict.verdicts:
        promise = verdict.promise
        if verdict.route is not Route.EXECUTE or promise is None or promise.calibration != calibration:
            continue
        said = [label for label in labels if label.call_id == verdict.call.id]
        chances = [
            chance
            for label in said
            if label.source in COUNTED and (chance := _chance(record, label, drawn)) is not None
        ]
        of_step = record.verdict.audit_probability if record.verdict.audited else drawn.get(verdict.call.id, 0.0)
        one = Ran(
            call_id=verdict.call.id,
            tier=verdict.tier,
            tool=verdict.call.name,
            probability=chances[0] if chances else of_step or None,
            wrong=any(not label.correct for label in said) if chances else None,
        )
        # two calls that share an id cannot be told apart by their labels: they are one
        found.setdefault(one.call_id, one)
    return list(found.values())


def _chance(record: Record, label: Label, drawn: Mapping[str, float]) -> float | None:
    """With what probability the call came to be judged so; None where nobody knows."""
    if label.source is LabelSource.CHECKER and label.probability is not None:
        return _probability(label.probability)
    if record.verdict.audited:
        return _probability(record.verdict.audit_probability)
    return _probability(drawn.get(label.call_id, 0.0))


def _probability(value: float) -> float | None:
    return value if 0 < value <= 1 else None
