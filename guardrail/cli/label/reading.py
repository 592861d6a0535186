"""Labels from files: one judgement a row."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from guardrail.engine.labelling import FIELDS, MUST_SAY, Given
from guardrail.errors import ConfigError, MissingExtra
from guardrail.types import LabelledCall

_BESIDE: Final = frozenset(LabelledCall.__dataclass_fields__) - frozenset(FIELDS)
"""What rows of labelled calls have beside their judgement."""
_NESTED: Final = ("signals.", "fingerprint.", "call.")
_FORMS: Final = f"a row has record (or id: record/call), correct, and may have {', '.join(FIELDS[4:])}"
_BATCH: Final = 10_000


def file_rows(path: Path) -> Iterator[Given]:
    """The judgements of a file, in order, a batch at a time.

    Raises:
        ConfigError: it cannot be read, is empty, or a row is no judgement; the message has its place and the fix.
        MissingExtra: a Parquet file, and polars is not installed.
    """
    read = {".jsonl": _json_lines, ".ndjson": _json_lines, ".json": _json_lines, ".csv": _csv, ".parquet": _parquet}
    reader = read.get(path.suffix.lower())
    if reader is None:
        raise ConfigError(f"{path} is no file of labels by its name: it must end in .jsonl, .csv or .parquet")
    found = False
    try:
        for where, row in reader(path):
            found = True
            yield Given(where=where, data=_checked(where, row))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    if not found:
        raise ConfigError(f"{path} has no labels: {_FORMS}")


def _checked(where: str, row: Mapping[str, Any]) -> dict[str, Any]:
    for name in row:
        if name not in FIELDS and name not in _BESIDE and not name.startswith(_NESTED):
            raise ConfigError(f"{where}: there is no field {name!r}; {_FORMS}")
    # of a labelled call, "call" is the whole call; its id is in "id"
    return {name: row[name] for name in FIELDS if name in row and not (name == "call" and isinstance(row[name], dict))}


def _json_lines(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            try:
                row = json.loads(line, object_pairs_hook=_once)
            except (ValueError, RecursionError) as error:
                raise ConfigError(f"{where}: no JSON ({error}); {_FORMS}") from error
            if not isinstance(row, dict):
                raise ConfigError(f"{where}: it must be an object; {_FORMS}")
            yield where, row


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a field stands twice in one row")
    return found


def _csv(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        names: list[str] | None = None
        try:
            for cells in rows:
                where = f"{path}, line {rows.line_num}"
                if names is None:
                    names = cells
                    if len(set(names)) < len(names):
                        raise ConfigError(f"{where}: a column stands twice; {_FORMS}")
                elif cells:
                    if len(cells) != len(names):
                        raise ConfigError(f"{where}: it has {len(cells)} cells, and there are {len(names)} columns")
                    yield where, _typed(where, dict(zip(names, cells, strict=True)))
        except csv.Error as error:
            raise ConfigError(f"{path}, line {rows.line_num}: no CSV ({error})") from error


def _typed(where: str, row: dict[str, str]) -> dict[str, Any]:
    """The cells of a row as what they have to be; empty ones are left out."""
    found: dict[str, Any] = {name: cell for name, cell in row.items() if cell}
    if "correct" in found:
        truth = {"true": True, "false": False}.get(found["correct"].lower())
        if truth is None:
            raise ConfigError(f"{where}: correct is {found['correct']!r}: {MUST_SAY}")
        found["correct"] = truth
    if "probability" in found:
        try:
            found["probability"] = float(found["probability"])
        except ValueError as error:
            raise ConfigError(f"{where}: probability is {found['probability']!r}: it must be a number") from error
    return found


def _parquet(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    try:
        import polars as pl
    except ImportError as error:
        raise MissingExtra("reading Parquet files", "calibration") from error
    try:
        frame = pl.scan_parquet(path)
        names = [name for name in frame.collect_schema().names() if name in FIELDS or name not in _BESIDE]
        rows = frame.select(names).collect(engine="streaming")
    except pl.exceptions.PolarsError as error:
        raise ConfigError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    for start in range(0, len(rows), _BATCH):
        for number, row in enumerate(rows[start : start + _BATCH].iter_rows(named=True), start + 1):
            yield f"{path}, row {number}", {name: value for name, value in row.items() if value is not None}
