"""Labelled calls from files, a million at a time: JSON lines, CSV or Parquet.

A row is a labelled call (`guardrail schema labelled`). JSON lines hold its JSON form. CSV and Parquet have one column a
field, of which ``id``, ``tier``, ``tool`` and ``correct`` must be there; what a signal came to is in a column
``signals.NAME`` and what the score depends on in ``fingerprint.KEY``, or, in Parquet, in structs ``signals`` and
``fingerprint``. An empty cell is a missing value. ``call``, ``by``, ``fault`` and ``version`` decide nothing here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from guardrail.calibration.calls import NOWHERE, ROUTES, SOURCES, TIERS, Calls, Coded, calls_of, empty, joined
from guardrail.calibration.libraries import needed
from guardrail.codec import from_json, unique_keys
from guardrail.errors import ConfigError
from guardrail.types import LABELLED_VERSION, SCORE_KEYS, LabelledCall, LabelSource

MUST: Final = ("id", "tier", "tool", "correct")
TEXTS: Final = ("id", "tier", "tool", "source", "by", "at", "task", "route", "fault")
NUMBERS: Final = ("probability", "risk")
KNOWN: Final = frozenset({*MUST, *TEXTS, *NUMBERS, "attempt", "call", "version", "signals", "fingerprint"})
JSON_LINES: Final = frozenset({".jsonl", ".ndjson", ".json"})
_BATCH: Final = 20_000
_FIX: Final = "`guardrail schema labelled` prints what a row has"


def read_calls(paths: Iterable[Path | str], *, progress: Callable[[str, float], None] | None = None) -> Calls:
    """The labelled calls of several files.

    Raises:
        ConfigError: a file cannot be read, is empty, or has a row that is no labelled call; the message has the file,
            the line or row, and the fix.
        MissingExtra: polars or numpy is not installed.
    """
    given = [Path(path) for path in paths]
    if not given:
        raise ConfigError("name at least one file of labelled calls: JSON lines, CSV or Parquet")
    parts = []
    for number, path in enumerate(given):
        if progress is not None:
            progress(f"reading {path.name}", number / len(given))
        parts.append(_read(path))
    return joined(parts)


def _read(path: Path) -> Calls:
    reader = {".parquet": _parquet, ".csv": _csv}.get(path.suffix.lower())
    if reader is None and path.suffix.lower() not in JSON_LINES:
        raise ConfigError(f"{path} is no file of labelled calls by its name: it must end in .jsonl, .csv or .parquet")
    try:
        found = _json_lines(path) if reader is None else reader(path)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from error
    if not len(found):
        raise ConfigError(f"{path} has no labelled call: label some (`guardrail label`), or leave the file out")
    return found


def _json_lines(path: Path) -> Calls:
    parts: list[Calls] = []
    batch: list[LabelledCall] = []
    lines: list[int] = []

    def flush() -> None:
        if batch:
            here = tuple(lines)
            parts.append(calls_of(batch, origin=lambda number: f"{path}, line {here[number - 1]}"))
            batch.clear()
            lines.clear()

    for line, call in _json_rows(path):
        batch.append(call)
        lines.append(line)
        if len(batch) == _BATCH:
            flush()
    flush()
    return joined(parts) if parts else calls_of([])


def _json_rows(path: Path) -> Iterator[tuple[int, LabelledCall]]:
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            if not raw.strip():
                continue
            where = f"{path}, line {number}"
            try:
                data = json.loads(raw, object_pairs_hook=unique_keys, parse_constant=_constant)
            except (ValueError, RecursionError) as error:
                raise ConfigError(f"{where}: no JSON ({error}); {_FIX}") from error
            if not isinstance(data, dict):
                raise ConfigError(f"{where}: it must be an object; {_FIX}")
            # a judgement is never guessed from a word or a number
            if not isinstance(data.get("correct"), bool):
                said = repr(data["correct"]) if "correct" in data else "missing"
                raise ConfigError(f"{where}: correct is {said}: it must be true or false; leave out what nobody judged")
            if data.get("version", LABELLED_VERSION) != LABELLED_VERSION:
                raise ConfigError(
                    f"{where}: its version is {data['version']!r}, and this package reads {LABELLED_VERSION}"
                )
            try:
                yield number, from_json(LabelledCall, data)
            except ConfigError as error:
                raise ConfigError(f"{where}: {error}; {_FIX}") from error


def _constant(constant: str) -> float:
    raise ValueError(f"{constant} is no number: write what was not measured as null")


def _csv(path: Path) -> Calls:
    pl = needed("polars")
    # everything as text: what is no number or no truth value is then found with its row, and not guessed away
    return _collected(path, lambda: pl.scan_csv(path, infer_schema=False))


def _parquet(path: Path) -> Calls:
    pl = needed("polars")
    return _collected(path, lambda: pl.scan_parquet(path))


def _collected(path: Path, scan: Callable[[], Any]) -> Calls:
    pl = needed("polars")
    try:
        frame = scan()
        schema = frame.collect_schema()
        frame = _flat(frame, schema, path)
        wanted = _wanted(frame.collect_schema().names(), path)
        frame = frame.select(wanted).collect(engine="streaming")
    except pl.exceptions.NoDataError as error:
        raise ConfigError(f"{path} is empty: {_FIX}") from error
    except pl.exceptions.PolarsError as error:
        raise ConfigError(f"{path} cannot be read ({str(error).splitlines()[0]}); {_FIX}") from error
    return _calls(frame, path)


def _flat(frame: Any, schema: Any, path: Path) -> Any:
    """Structs as a column for each of their fields."""
    pl = needed("polars")
    for name in ("signals", "fingerprint"):
        kind = schema.get(name)
        if kind is None:
            continue
        if not isinstance(kind, pl.Struct):
            raise ConfigError(
                f"{path}: the column {name!r} must be a struct, or be split: {name}.NAME for each of them"
            )
        fields = [pl.col(name).struct.field(field.name).alias(f"{name}.{field.name}") for field in kind.fields]
        frame = frame.with_columns(fields).drop(name)
    return frame


def _wanted(columns: Sequence[str], path: Path) -> list[str]:
    for name in columns:
        start, dot, rest = name.partition(".")
        if name in KNOWN or (start == "signals" and dot and rest):
            continue
        if start != "fingerprint" or not dot or rest not in SCORE_KEYS:
            raise ConfigError(f"{path}: there is no column {name!r} in a labelled call; {_FIX}")
    missing = [name for name in MUST if name not in columns]
    if missing:
        raise ConfigError(f"{path}: the column {missing[0]!r} is missing; {_FIX}")
    return [name for name in columns if name not in {"call", "by", "fault", "version"}]


class _Columns:
    """The columns of a frame, each checked as it is taken."""

    def __init__(self, frame: Any, path: Path) -> None:
        self.frame, self.path = frame, path
        self.pl = needed("polars")

    def refuse(self, name: str, bad: Any, said: str) -> None:
        """Raise where a row of the mask is bad."""
        if bad.any():
            row = int(bad.arg_max())
            value = self.frame[name][row]
            raise ConfigError(f"{self.path}, row {row + 1}: {name} is {value!r}: {said}; {_FIX}")

    def text(self, name: str, *, must: bool = False) -> Any:
        if name not in self.frame.columns:
            return self.pl.repeat("", len(self.frame), dtype=self.pl.String, eager=True)
        column = self.frame[name]
        if column.dtype.is_temporal():
            column = column.dt.to_string("iso:strict")
        if column.dtype != self.pl.String:
            try:
                column = column.cast(self.pl.String)
            except self.pl.exceptions.PolarsError as error:
                raise ConfigError(f"{self.path}: the column {name!r} must be text; {_FIX}") from error
        if must:
            self.refuse(name, column.is_null() | (column == ""), "it must be there")
        return column.fill_null("")

    def number(self, name: str) -> Any:
        """As floats: NaN where missing, infinite where a number is none."""
        np = needed("numpy")
        if name not in self.frame.columns:
            return np.full(len(self.frame), math.nan)
        column = self.frame[name]
        if column.dtype == self.pl.Boolean:
            raise ConfigError(f"{self.path}: the column {name!r} must be numbers; {_FIX}")
        try:
            found = column.cast(self.pl.Float64, strict=False)
        except self.pl.exceptions.PolarsError as error:
            raise ConfigError(f"{self.path}: the column {name!r} must be numbers; {_FIX}") from error
        self.refuse(name, found.is_null() & column.is_not_null(), "it must be a number, or empty")
        values = found.fill_nan(math.inf).to_numpy()
        return values if not found.null_count() else np.where(found.is_null().to_numpy(), math.nan, values)

    def truth(self, name: str) -> Any:
        column = self.frame[name]
        if column.dtype == self.pl.String:
            lower = column.str.to_lowercase()
            self.refuse(name, ~lower.is_in(["true", "false"]).fill_null(value=False), _NOT_JUDGED)
            return (lower == "true").to_numpy()
        self.refuse(name, column.is_null(), _NOT_JUDGED)
        if column.dtype != self.pl.Boolean:
            self.refuse(name, self.pl.repeat(value=True, n=len(column), eager=True), _NOT_JUDGED)
        return column.to_numpy()

    def named(self, name: str, names: Sequence[str], *, default: int, must: bool = False) -> Any:
        """As places in ``names``."""
        np = needed("numpy")
        column = self.text(name, must=must)
        self.refuse(name, ~column.is_in(["", *names]), f"there are: {', '.join(names)}")
        coded = self.coded(column)
        places = [names.index(text) if text else default for text in coded.names]
        return np.array(places, dtype=np.int8)[coded.codes]

    def coded(self, column: Any) -> Coded:
        np = needed("numpy")
        if not len(column):
            return empty(0)
        codes = column.rank("dense").to_numpy().astype(np.int32) - 1
        return Coded(codes=codes, names=tuple(column.unique().sort().to_list()))


_NOT_JUDGED: Final = "it must be true or false; leave out what nobody judged"


def _calls(frame: Any, path: Path) -> Calls:
    np = needed("numpy")
    columns = _Columns(frame, path)
    ids = columns.text("id", must=True)
    probability, risk = columns.number("probability"), columns.number("risk")
    series = columns.pl.Series
    likely = np.isnan(probability) | ((probability > 0) & (probability <= 1))
    columns.refuse("probability", series(~likely), "it must be above 0 and at most 1, or empty where nobody knows it")
    columns.refuse("risk", series(np.isfinite(risk) & ~((risk >= 0) & (risk <= 1))), "it must lie in 0 to 1")
    attempt = columns.number("attempt")
    columns.refuse(
        "attempt",
        series(~np.isnan(attempt) & ~((attempt >= 0) & (attempt < 2**31) & (attempt == np.floor(attempt)))),
        "it counts earlier tries, 0 for the first",
    )
    order = ids.arg_sort()
    found = Calls(
        ids=ids.to_numpy(),
        tier=columns.named("tier", TIERS, default=0, must=True),
        tool=columns.coded(columns.text("tool", must=True)),
        wrong=~columns.truth("correct"),
        answered=np.ones(len(frame), dtype=bool),
        probability=probability,
        risk=risk,
        signals={name[8:]: columns.number(name) for name in frame.columns if name.startswith("signals.")},
        source=columns.named("source", SOURCES, default=SOURCES.index(LabelSource.IMPORT)),
        at=columns.text("at").to_numpy(),
        task=columns.coded(columns.text("task")),
        attempt=np.where(np.isnan(attempt), 0, attempt).astype(np.int32),
        route=columns.named("route", ROUTES, default=NOWHERE),
        fingerprint={key: columns.coded(columns.text(f"fingerprint.{key}")) for key in SCORE_KEYS},
        place=np.arange(1, len(frame) + 1),
        origin=lambda number: f"{path}, row {number}",
    )
    # UTF-8 sorts as its characters do
    return found.take(order.to_numpy())
