"""What measures and fits are made from: calls with their signals, each labelled right or wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from guardrail.catalogue import info
from guardrail.errors import ConfigError
from guardrail.types import Case, Safer, Signal

LEAST_ROWS: Final = 20


@dataclass(frozen=True, kw_only=True)
class Row:
    """One labelled call (or step, with its most doubtful call). ``signals`` go from name to value; None: missing.

    Rows of one ``group`` (a function, a task, a thread) are alike and never split over folds; empty: it stands alone.
    """

    id: str
    right: bool
    signals: Mapping[str, float | None] = field(default_factory=dict)
    group: str = ""

    @property
    def kin(self) -> str:
        """The group, or what makes it one of its own."""
        return f"group {self.group}" if self.group else f"row {self.id}"


def checked_rows(rows: Iterable[Row]) -> list[Row]:
    """The rows, if each can be learned from.

    Raises:
        ConfigError: an id comes twice, a label is none, or a value is not finite; the message names the row.
    """
    found: dict[str, Row] = {}
    for row in rows:
        if row.id in found:
            raise ConfigError(f"the id {row.id!r} comes twice: a call counted twice is no second evidence; remove one")
        if not isinstance(row.right, bool):
            raise ConfigError(f"row {row.id!r} is labelled {row.right!r}: leave out what nobody has judged")
        for name, value in row.signals.items():
            if value is not None and not math.isfinite(value):
                raise ConfigError(f"row {row.id!r}: {name} is {value}; write it as missing (None)")
        found[row.id] = row
    return list(found.values())


def row_of(case: Case, calls: Sequence[Sequence[Signal]]) -> Row | None:
    """A case as a row: of each signal the value of the most doubtful call, missing where one call has none.

    ``calls`` are the signals of each planned call. None where nobody has judged the case.
    """
    if case.correct is None:
        return None
    return Row(id=case.id, right=case.correct, group=case.group, signals=worst(calls))


def worst(calls: Sequence[Sequence[Signal]]) -> dict[str, float | None]:
    """By name, the least safe value over the calls; None where it is missing for one of them."""
    found: dict[str, float | None] = {}
    names = dict.fromkeys(signal.name for signals in calls for signal in signals)
    for name in names:
        values = [next((one.value for one in signals if one.name == name), None) for signals in calls]
        known = [value for value in values if value is not None]
        described = info(name)
        least = max if described is not None and described.safer is Safer.LOW else min
        found[name] = least(known) if known and len(known) == len(values) else None
    return found
