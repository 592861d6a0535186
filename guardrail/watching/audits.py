"""Which calls of a record count as evidence, and what was found of each.

A call counts that ran without a human on the promise of the calibration that is watched, and that a draw with a known
probability chose to be judged: its step was audited, and it was drawn again where there was a second draw among the
audited ones, or a checker judges every call with a stated probability. A look out of curiosity, a complaint and silence
are no draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from guardrail.calibration.judgements import judgements, moment
from guardrail.calibration.labelled import Draws
from guardrail.store import Store, stored_draws
from guardrail.types import AuditDraw, Label, LabelSource, Record, Route, Tier

COUNTED: Final = frozenset({LabelSource.AUDIT, LabelSource.CHECKER})


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A call that ran on a promise. ``probability`` is that of being judged; None where nothing drew it.

    ``wrong`` is None while nobody that counts has judged it. As long as people contradict each other it is wrong.
    """

    call_id: str
    tier: Tier
    tool: str
    probability: float | None
    wrong: bool | None


class SecondDraws:
    """All draws among audited calls, as of any moment: one that was made after an answer has no part in its chance."""

    def __init__(self, draws: Sequence[AuditDraw] = ()) -> None:
        self._draws = draws
        self._times = sorted({moment(draw.at) for draw in draws})
        self._until: dict[int, Draws] = {}

    @classmethod
    def of(cls, store: Store) -> SecondDraws:
        """Those of a store."""
        return cls(list(stored_draws(store)))

    def chance(self, record: Record, call_id: str, at: str | None = None) -> float | None:
        """The probability with which a call was drawn, as it stood at that time; None where it was not, or nobody can
        tell.
        """
        step = record.verdict
        if not step.audited or not 0 < step.audit_probability <= 1:
            return None
        draws = self._as_of(at)
        batches, drawn = draws.among(record), draws.drawn.get((record.id, call_id), ())
        if not batches and not drawn:
            return step.audit_probability
        if batches != 1 or len(drawn) != 1 or not 0 < drawn[0].probability <= 1:
            return None
        return step.audit_probability * drawn[0].probability

    def _as_of(self, at: str | None) -> Draws:
        made = len(self._times) if at is None else sum(time <= moment(at) for time in self._times)
        if made not in self._until:
            known = set(self._times[:made])
            self._until[made] = Draws.of(draw for draw in self._draws if moment(draw.at) in known)
        return self._until[made]


def ran(record: Record, labels: Sequence[Label], draws: SecondDraws, calibration: str | None) -> list[Ran]:
    """The calls of a record that ran on the promise of that calibration (None: on any or none), as those labels tell of
    them.
    """
    found: dict[str, Ran] = {}
    for verdict in record.verdict.verdicts:
        promised = "" if verdict.promise is None else verdict.promise.calibration
        if verdict.route is not Route.EXECUTE or calibration not in (None, promised):
            continue
        said = [label for label in labels if label.call_id == verdict.call.id]
        chances = [chance for label in said if (chance := _chance(record, label, draws)) is not None]
        one = Ran(
            call_id=verdict.call.id,
            tier=verdict.tier,
            tool=verdict.call.name,
            probability=chances[0] if chances else draws.chance(record, verdict.call.id),
            wrong=any(not label.correct for label in judgements(said)) if chances else None,
        )
        # two calls that share an id cannot be told apart by their labels: they are one
        found.setdefault(one.call_id, one)
    return list(found.values())


def _chance(record: Record, label: Label, draws: SecondDraws) -> float | None:
    """With what probability the call came to be judged so; None where nobody knows, or it does not count."""
    if label.source is LabelSource.CHECKER and label.probability is not None:
        return label.probability if 0 < label.probability <= 1 else None
    return draws.chance(record, label.call_id, label.at) if label.source in COUNTED else None
