"""Labelled calls as columns: one value for calls given one by one and for a million of them from a file."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from guardrail.calibration.libraries import needed
from guardrail.codec import digest
from guardrail.errors import ConfigError
from guardrail.types import SCORE_KEYS, LabelledCall, LabelSource, Route, Tier

TIERS: Final = tuple(Tier)
SOURCES: Final = tuple(LabelSource)
ROUTES: Final = tuple(Route)
NOWHERE: Final = -1
"""The route of a call of which nobody knows it."""
_CHUNK: Final = 10_000
RECORD: Final = "record {}".format
"""The origin of calls that were given one by one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Coded:
    """A column of texts: ``names`` in order, each used, and for each row the place of its own."""

    codes: Any
    names: tuple[str, ...]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Coded:
        np = needed("numpy")
        names = sorted(set(texts))
        place = {name: number for number, name in enumerate(names)}
        return cls(
            codes=np.fromiter((place[text] for text in texts), dtype=np.int32, count=len(texts)), names=tuple(names)
        )

    def take(self, rows: Any) -> Coded:
        """The same column of fewer rows."""
        np = needed("numpy")
        used, codes = np.unique(self.codes[rows], return_inverse=True)
        return Coded(codes=codes.astype(np.int32), names=tuple(self.names[code] for code in used))

    def counts(self) -> dict[str, int]:
        """How many rows have each name."""
        np = needed("numpy")
        return dict(zip(self.names, map(int, np.bincount(self.codes, minlength=len(self.names))), strict=True))


@dataclass(frozen=True, kw_only=True, eq=False)
class Calls:
    """Labelled calls by id, as numpy arrays, one value a row.

    ``tier``, ``source`` and ``route`` are places in ``TIERS``, ``SOURCES`` and ``ROUTES`` (``NOWHERE``: unknown).
    ``probability``, ``risk`` and ``signals`` are NaN where they are missing, and infinite where a number was given that
    is none. A call that was drawn and that nobody judged is not ``answered``, and counts as wrong. ``place`` is where a
    row came from, in the words of ``origin``.
    """

    ids: Any
    tier: Any
    tool: Coded
    wrong: Any
    answered: Any
    probability: Any
    risk: Any
    signals: Mapping[str, Any]
    source: Any
    at: Any
    task: Coded
    attempt: Any
    route: Any
    fingerprint: Mapping[str, Coded]
    place: Any
    origin: Callable[[int], str]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Any) -> Calls:
        """Some of the rows: a mask, or places in the order wanted."""
        values: dict[str, Any] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name == "origin":
                values[one.name] = value
            elif isinstance(value, Coded):
                values[one.name] = value.take(rows)
            elif isinstance(value, Mapping):
                values[one.name] = {
                    key: inner.take(rows) if isinstance(inner, Coded) else inner[rows] for key, inner in value.items()
                }
            else:
                values[one.name] = value[rows]
        return Calls(**values)

    def ordered(self) -> Calls:
        """The rows by id, so that nothing depends on the order in which they came."""
        np = needed("numpy")
        if (self.ids[:-1] <= self.ids[1:]).all():
            return self
        return self.take(np.argsort(self.ids, kind="stable"))

    def where(self, row: int) -> str:
        """The place of a row, with its id; where it came from no file, its id is its place."""
        if self.origin is RECORD:
            return f"the call {str(self.ids[row])!r}"
        return f"{self.origin(int(self.place[row]))} (id {str(self.ids[row])!r})"

    @property
    def kin(self) -> Any:
        """A number a row that is the same for calls of one task; a call without a task stands alone."""
        np = needed("numpy")
        if "" not in self.task.names:
            return self.task.codes
        alone = self.task.codes == self.task.names.index("")
        return np.where(alone, len(self.task.names) + np.arange(len(self)), self.task.codes)

    def kin_names(self) -> list[str]:
        """What ``kin`` numbers, row by row: the task, or the call that stands alone."""
        names = [f"task {name}" for name in self.task.names]
        alone = {code for code, name in enumerate(self.task.names) if not name}
        return [
            f"call {identity}" if code in alone else names[code]
            for identity, code in zip(self.ids, self.task.codes.tolist(), strict=True)
        ]

    def digest(self) -> str:
        """SHA-256, in hex, of all rows whatever their order; a signal that no row has makes no difference."""
        np = needed("numpy")
        calls = self.ordered()
        found = hashlib.sha256()
        for text in _chunks(calls.ids):
            found.update(text)
        for text in _chunks(calls.at):
            found.update(text)
        for coded in (calls.tool, calls.task, *(calls.fingerprint[key] for key in sorted(calls.fingerprint))):
            found.update(digest(coded.names).encode())
            found.update(coded.codes.astype("<i4").tobytes())
        for column in (calls.tier, calls.wrong, calls.answered, calls.source, calls.attempt, calls.route):
            found.update(column.astype("<i4").tobytes())
        present = [name for name in sorted(calls.signals) if not np.isnan(calls.signals[name]).all()]
        found.update(digest([present, sorted(calls.fingerprint)]).encode())
        for column in (calls.probability, calls.risk, *(calls.signals[name] for name in present)):
            # one NaN, and one zero
            found.update(np.where(np.isnan(column), np.nan, column + 0.0).astype("<f8").tobytes())
        return found.hexdigest()


def joined(parts: Sequence[Calls]) -> Calls:
    """Several sets of rows as one, by id."""
    if len(parts) == 1:
        return parts[0].ordered()
    np = needed("numpy")
    starts = [0]
    same = all(part.origin is RECORD for part in parts)
    for part in parts:
        starts.append(starts[-1] + len(part))

    def origin(place: int) -> str:
        number = next(number for number in range(len(parts)) if place < starts[number + 1])
        part = parts[number]
        return part.origin(int(part.place[place - starts[number]]))

    def column(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    missing = [np.full(len(part), np.nan) for part in parts]
    signals = sorted({name for part in parts for name in part.signals})
    keys = sorted({key for part in parts for key in part.fingerprint})
    plain = ("ids", "tier", "wrong", "answered", "probability", "risk", "source", "at", "attempt", "route")
    return Calls(
        **{name: column(name) for name in plain},
        tool=_rejoined([part.tool for part in parts]),
        task=_rejoined([part.task for part in parts]),
        signals={
            name: np.concatenate([part.signals.get(name, none) for part, none in zip(parts, missing, strict=True)])
            for name in signals
        },
        fingerprint={key: _rejoined([part.fingerprint.get(key) or empty(len(part)) for part in parts]) for key in keys},
        place=np.arange(starts[-1]),
        origin=RECORD if same else origin,
    ).ordered()


def empty(rows: int) -> Coded:
    """A column of empty texts."""
    np = needed("numpy")
    return Coded(codes=np.zeros(rows, dtype=np.int32), names=("",) if rows else ())


def calls_of(records: Iterable[LabelledCall], *, answered: bool = True, origin: Callable[[int], str] = RECORD) -> Calls:
    """Labelled calls given one by one, as columns.

    Raises:
        ConfigError: one of them is none; the message has its place and the fix.
    """
    np = needed("numpy")
    rows = []
    for number, record in enumerate(records, 1):
        problem = _problem(record)
        if problem:
            named = f" (id {record.id!r})" if isinstance(record, LabelledCall) else ""
            raise ConfigError(f"{origin(number)}{named}: {problem}")
        rows.append(record)
    names = sorted({name for record in rows for name in record.signals})
    return Calls(
        ids=_texts([record.id for record in rows]),
        tier=np.array([TIERS.index(Tier(record.tier)) for record in rows], dtype=np.int8),
        tool=Coded.of([record.tool for record in rows]),
        wrong=np.array([not (record.correct and answered) for record in rows], dtype=bool),
        answered=np.full(len(rows), answered),
        probability=_numbers([record.probability for record in rows]),
        risk=_numbers([record.risk for record in rows]),
        signals={name: _numbers([record.signals.get(name) for record in rows]) for name in names},
        source=np.array([SOURCES.index(LabelSource(record.source)) for record in rows], dtype=np.int8),
        at=_texts([record.at for record in rows]),
        task=Coded.of([record.task for record in rows]),
        attempt=np.array([record.attempt for record in rows], dtype=np.int32),
        route=np.array(
            [NOWHERE if record.route is None else ROUTES.index(Route(record.route)) for record in rows], dtype=np.int8
        ),
        fingerprint={key: Coded.of([record.fingerprint.get(key, "") for record in rows]) for key in SCORE_KEYS},
        place=np.arange(1, len(rows) + 1),
        origin=origin,
    ).ordered()


def _problem(record: object) -> str:
    if not isinstance(record, LabelledCall):
        return f"it is a {type(record).__name__}, not a LabelledCall"
    if not isinstance(record.correct, bool):
        return f"correct is {record.correct!r}: it must be true or false; leave out what nobody has judged"
    if record.tier not in TIERS:
        return f"there is no tier {record.tier!r}; there are: {', '.join(TIERS)}"
    if isinstance(record.attempt, bool) or not isinstance(record.attempt, int) or not 0 <= record.attempt < 2**31:
        return f"attempt is {record.attempt!r}: it counts earlier tries, 0 for the first"
    if not isinstance(record.id, str) or not record.id or not isinstance(record.tool, str) or not record.tool:
        return "it needs an id and a tool, in words"
    return ""


def _numbers(values: Sequence[float | None]) -> Any:
    np = needed("numpy")
    return np.array([math.nan if value is None else value for value in values], dtype=float)


def _texts(values: Sequence[str]) -> Any:
    np = needed("numpy")
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def _rejoined(columns: Sequence[Coded]) -> Coded:
    np = needed("numpy")
    names = sorted({name for column in columns for name in column.names})
    place = {name: number for number, name in enumerate(names)}
    codes = [
        np.array([place[name] for name in column.names], dtype=np.int32)[column.codes]
        if len(column.codes)
        else column.codes
        for column in columns
    ]
    return Coded(codes=np.concatenate(codes).astype(np.int32), names=tuple(names))


def _chunks(texts: Any) -> Iterator[bytes]:
    for start in range(0, len(texts), _CHUNK):
        # as JSON, so that no text can pass for two
        yield json.dumps(texts[start : start + _CHUNK].tolist()).encode()


def restated(calls: Calls, stated: Mapping[str, str]) -> Calls:
    """The calls with what the caller states of their fingerprint where they say nothing of it themselves.

    Raises:
        ConfigError: a key is none that a score depends on.
    """
    unknown = sorted(set(stated) - set(SCORE_KEYS))
    if unknown:
        raise ConfigError(f"a score does not depend on {unknown[0]!r}; it does on: {', '.join(SCORE_KEYS)}")
    found = dict(calls.fingerprint)
    for key, value in stated.items():
        column = found.get(key) or empty(len(calls))
        found[key] = _rejoined([replace(column, names=tuple(name or value for name in column.names))])
    return replace(calls, fingerprint=found)
