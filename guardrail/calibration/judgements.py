"""Which labels of a call stand: people may correct themselves, and somebody may settle what others disagree about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from guardrail.types import Label, LabelSource

BY_PEOPLE: Final = frozenset({LabelSource.REVIEW, LabelSource.AUDIT})


def judgements(labels: Iterable[Label]) -> tuple[Label, ...]:
    """The labels of one call that stand, oldest first; the order in which they are given does not matter.

    The later word of the same person, program or file takes the place of the earlier one. Where labels contradict each
    other, the next judgement of a person (a review or an audit) settles it: it alone stands. Programs and files settle
    nothing. What was said at the same moment stands side by side.
    """
    standing: list[Label] = []
    for label in sorted(labels, key=_order):
        settles = contradict(standing) and label.source in BY_PEOPLE and moment(label.at) > moment(standing[-1].at)
        standing = [] if settles else [one for one in standing if not _replaces(label, one)]
        standing.append(label)
    return tuple(standing)


def contradict(labels: Iterable[Label]) -> bool:
    """Whether a call was judged both right and wrong."""
    return len({label.correct for label in labels}) > 1


def moment(at: str) -> datetime:
    """A time of a label; one that is none came before all others."""
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _replaces(label: Label, earlier: Label) -> bool:
    same = (label.by, label.source in BY_PEOPLE) == (earlier.by, earlier.source in BY_PEOPLE)
    return same and moment(label.at) > moment(earlier.at)


def _order(label: Label) -> tuple[object, ...]:
    return moment(label.at), label.source.value, label.by, label.correct, label.note, label.probability or 0.0
