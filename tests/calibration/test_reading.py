"""Labelled calls from files: the same calls whatever the format, and bad rows refused with their place."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from guardrail.calibration import calibrate, calls_of, read_calls
from guardrail.calibration.calibrated_file import write_calibration
from guardrail.codec import to_json
from guardrail.errors import ConfigError
from guardrail.types import SCORE_KEYS, LabelledCall, LabelSource, Route, ToolCall
from tests.calibration.labelled import a_call, world

RECORDS = [
    a_call(1, risk=None, probability=None, signals={"agreement": None, "p_true": 0.25}, task="t"),
    a_call(2, correct=False, tool="büro", route=Route.RETRY, attempt=2, source=LabelSource.AUDIT, probability=0.1),
    a_call(3, fingerprint={"entailment": "nli"}, at="", call=ToolCall(id="x", name="pay", arguments={"a": [1]})),
    a_call("ü", by="ada"),
]


def flat(record: LabelledCall, *, text: bool = False) -> dict[str, Any]:
    """A row of CSV or Parquet."""
    data = to_json(record)
    for name in ("signals", "fingerprint"):
        data |= {f"{name}.{key}": value for key, value in data.pop(name).items()}
    del data["call"]
    return {key: str(value).lower() if text and isinstance(value, bool) else value for key, value in data.items()}


def frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pl.DataFrame([{name: row.get(name) for name in names} for row in rows], infer_schema_length=None)


def json_lines(path: Path, records: list[LabelledCall]) -> None:
    path.write_text("\n\n".join(json.dumps(to_json(one)) for one in records) + "\n", encoding="utf-8")


def csv(path: Path, records: list[LabelledCall]) -> None:
    frame([flat(one, text=True) for one in records]).write_csv(path)


def parquet(path: Path, records: list[LabelledCall]) -> None:
    frame([flat(one) for one in records]).write_parquet(path)


def structs(path: Path, records: list[LabelledCall]) -> None:
    """Parquet whose signals and fingerprints are structs."""
    rows = [{key: value for key, value in to_json(one).items() if key != "call"} for one in records]
    for name in ("signals", "fingerprint"):
        keys = sorted({key for row in rows for key in row[name]})
        rows = [{**row, name: {key: row[name].get(key) for key in keys}} for row in rows]
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)


FORMATS = [
    pytest.param(json_lines, "a.jsonl", id="json-lines"),
    pytest.param(csv, "a.csv", id="csv"),
    pytest.param(parquet, "a.parquet", id="parquet"),
    pytest.param(structs, "b.parquet", id="structs"),
]
Write = Callable[[Path, list[LabelledCall]], None]


@pytest.mark.parametrize(("write", "name"), FORMATS)
def test_every_format_gives_the_same_calls(tmp_path: Path, write: Write, name: str) -> None:
    write(tmp_path / name, RECORDS)
    read, given = read_calls([tmp_path / name]), calls_of(RECORDS)
    assert read.digest() == given.digest()
    assert read.ids.tolist() == given.ids.tolist()
    assert (read.tool.names, read.task.names) == (given.tool.names, given.task.names)
    assert read.kin_names() == given.kin_names()


@pytest.mark.parametrize(("write", "name"), FORMATS)
def test_a_file_calibrates_as_its_records_do(tmp_path: Path, write: Write, name: str) -> None:
    records = world(300, tools=("pay", "send"))
    write(tmp_path / name, records)
    asked: dict[str, Any] = {"target_error": {"medium": 0.1}, "attempts": "all"}
    assert write_calibration(calibrate(read_calls([tmp_path / name]), **asked).policy) == write_calibration(
        calibrate(records, **asked).policy
    )


@pytest.mark.slow
@pytest.mark.parametrize("combiner", ["cross-fit", "recorded"])
def test_thousands_of_rows_go_the_same_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, combiner: str) -> None:
    """The path of a million, at a size at which the path of one by one can follow."""
    monkeypatch.setattr("guardrail.calibration.preparing.FIT_ROWS", 1_000)
    records = world(8_000, tools=("pay", "send", "search"))
    csv(tmp_path / "a.csv", records[:3_000])
    parquet(tmp_path / "a.parquet", records[3_000:])
    asked: dict[str, Any] = {"target_error": {"medium": 0.1}, "attempts": "all", "combiner": combiner}
    columns = calibrate(read_calls([tmp_path / "a.csv", tmp_path / "a.parquet"]), **asked)
    rows = calibrate(records, **asked)
    assert write_calibration(columns.policy) == write_calibration(rows.policy)
    assert columns.model == rows.model
    threshold = rows.policy.tiers[0].thresholds[0]
    assert threshold.execute_below is not None
    tested = rows.tested[next(iter(rows.tested))].calls
    assert threshold.executed == int((tested.risk < threshold.execute_below).sum())
    assert threshold.executed_errors == int(tested.wrong[tested.risk < threshold.execute_below].sum())


def test_several_files_are_one_set_of_calls(tmp_path: Path) -> None:
    json_lines(tmp_path / "a.jsonl", RECORDS[:2])
    parquet(tmp_path / "b.parquet", RECORDS[2:])
    told: list[tuple[str, float]] = []
    read = read_calls([tmp_path / "a.jsonl", tmp_path / "b.parquet"], progress=lambda *one: told.append(one))
    assert read.digest() == calls_of(RECORDS).digest()
    assert told == [("reading a.jsonl", 0.0), ("reading b.parquet", 0.5)]
    places = {str(name): read.where(row) for row, name in enumerate(read.ids)}
    assert places["c2"] == f"{tmp_path / 'a.jsonl'}, line 3 (id 'c2')"
    assert places["cü"] == f"{tmp_path / 'b.parquet'}, row 2 (id 'cü')"


def test_a_call_in_two_files_is_refused_with_both_places(tmp_path: Path) -> None:
    json_lines(tmp_path / "a.jsonl", RECORDS)
    csv(tmp_path / "b.csv", RECORDS[:1])
    with pytest.raises(ConfigError, match=r"a\.jsonl, line 1 \(id 'c1'\) is also .*b\.csv, row 1"):
        calibrate(read_calls([tmp_path / "a.jsonl", tmp_path / "b.csv"]))


GOOD = flat(a_call(1))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"correct": "yes"}, "correct is 'yes'"),
        ({"correct": None}, "correct is None"),
        ({"correct": 1}, "correct is "),
        ({"tier": "lofty"}, "tier is 'lofty': there are: low, medium, high, critical"),
        ({"tier": None}, "tier is None"),
        ({"id": ""}, "id is "),
        ({"tool": None}, "tool is None"),
        ({"probability": 0.0}, "probability is .*0.0'?: it must be above 0"),
        ({"probability": 1.5}, "above 0 and at most 1"),
        ({"probability": "often"}, "probability is 'often': it must be a number"),
        ({"risk": 1.2}, "must lie in 0 to 1"),
        ({"risk": -0.1}, "must lie in 0 to 1"),
        ({"risk": "high"}, "risk is 'high'"),
        ({"attempt": 1.5}, "earlier tries"),
        ({"attempt": -1}, "earlier tries"),
        ({"source": "rumour"}, "source is 'rumour'"),
        ({"route": "away"}, "route is 'away'"),
        ({"signals.agreement": "much"}, "signals.agreement is 'much'"),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_bad_rows_are_refused_with_their_place(tmp_path: Path, change: dict[str, Any], said: str, suffix: str) -> None:
    path = tmp_path / f"bad.{suffix}"
    ((name, value),) = change.items()
    rows = [{**GOOD, "id": f"c{k}"} for k in range(5)]
    rows[3] |= change
    if suffix == "csv" or isinstance(value, str):
        # a column has one type: everything as text, missing as missing
        rows = [{**row, name: None if row[name] is None else str(row[name]).lower()} for row in rows]
    elif name == "correct" and value == 1:
        rows = [{**row, name: int(row[name])} for row in rows]
    frame(rows).write_csv(path) if suffix == "csv" else frame(rows).write_parquet(path)
    # a column of numbers where truths belong is bad from its first row on
    row = 1 if value == 1 and suffix == "parquet" else 4
    with pytest.raises(ConfigError, match=rf"bad\.{suffix}, row {row}: .*{said}.*`guardrail schema labelled`"):
        read_calls([path])


@pytest.mark.parametrize("bad", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("column", ["risk", "signals.agreement"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_scores_that_are_no_numbers_refuse_their_tier_with_their_place(
    tmp_path: Path, bad: str, column: str, suffix: str
) -> None:
    rows = [{**GOOD, "id": f"c{k}", "correct": k > 9} for k in range(60)]
    rows[3][column] = float(bad)
    path = tmp_path / f"bad.{suffix}"
    frame(rows).write_csv(path) if suffix == "csv" else frame(rows).write_parquet(path)
    for combiner in ("recorded", "cross-fit"):
        found = calibrate(read_calls([path]), target_error={"medium": 0.2}, combiner=combiner, attempts="all")
        refusal = found.policy.tiers[0].thresholds[0].refusal
        assert not found.promises
        assert refusal is not None
        assert refusal.code == "non_finite_score"
        assert f"bad.{suffix}, row 4 (id 'c3')" in refusal.message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "no JSON"),
        ("[1]", "must be an object"),
        ('{"id": "c", "id": "d"}', "stands twice"),
        ('{"id": "c", "tier": "low", "tool": "t"}', "correct is missing"),
        ('{"id": "c", "tier": "low", "tool": "t", "correct": "yes"}', "correct is 'yes'"),
        ('{"id": "c", "tier": "low", "tool": "t", "correct": 1}', "correct is 1"),
        ('{"id": "c", "tier": "lofty", "tool": "t", "correct": true}', "tier"),
        ('{"id": "c", "tier": "low", "correct": true}', "tool"),
        ('{"id": "c", "tier": "low", "tool": "t", "correct": true, "risk": NaN}', "NaN is no number"),
        ('{"id": "c", "tier": "low", "tool": "t", "correct": true, "risk": 1e999}', "risk of 'c' is inf"),
        ('{"id": "c", "tier": "low", "tool": "t", "correct": true, "probability": 0}', "more than 0"),
        ('{"id": "c", "tier": "low", "tool": "t", "correct": true, "version": 2}', "version is 2"),
        ('{"id": "c", "tier": "low", "tool": "t", "correct": true, "lable": 1}', "lable"),
        ('{"id": "c", "tier": "low", "tool": "t", "correct": true, "attempt": -1}', "earlier tries"),
        ("\ufeff", "no JSON"),
    ],
)
def test_bad_lines_are_refused_with_their_place(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "bad.jsonl"
    good = json.dumps(to_json(a_call()))
    path.write_text(f"{good}\n\n{line}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"bad\.jsonl, line 3.*{said}"):
        read_calls([path])


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"lable": [1]}, "no column 'lable'"),
        ({"fingerprint.moon": ["full"]}, "no column 'fingerprint.moon'"),
        ({"signals": [0.5]}, "must be a struct"),
        ({"risk": [True]}, "must be numbers"),
        ({"risk": [[0.1]]}, "must be numbers"),
        ({"tool": [["a"]]}, "must be text"),
    ],
)
def test_columns_that_are_none(tmp_path: Path, columns: dict[str, list[Any]], said: str) -> None:
    path = tmp_path / "bad.parquet"
    pl.DataFrame({name: [value] for name, value in GOOD.items() if name not in columns} | columns).write_parquet(path)
    with pytest.raises(ConfigError, match=said):
        read_calls([path])
    for missing in ("id", "tier", "tool", "correct"):
        frame([{name: value for name, value in GOOD.items() if name != missing}]).write_parquet(path)
        with pytest.raises(ConfigError, match=f"column '{missing}' is missing"):
            read_calls([path])


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_files_without_a_call(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(ConfigError, match="cannot"):
        read_calls([path])
    path.write_bytes(b"")
    with pytest.raises(ConfigError, match=r"a\.(jsonl|csv|parquet)"):
        read_calls([path])
    if name != "a.jsonl":
        empty = frame([GOOD]).head(0)
        empty.write_csv(path) if name == "a.csv" else empty.write_parquet(path)
        with pytest.raises(ConfigError, match="has no labelled call"):
            read_calls([path])


def test_files_of_no_known_kind(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"must end in \.jsonl, \.csv or \.parquet"):
        read_calls([tmp_path / "a.txt"])
    with pytest.raises(ConfigError, match="at least one file"):
        read_calls([])


def test_moments_may_be_a_column_of_times(tmp_path: Path) -> None:
    row = {**GOOD, "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}
    frame([row]).write_parquet(tmp_path / "a.parquet")
    assert read_calls([tmp_path / "a.parquet"]).at.tolist()[0].startswith("2026-01-02T03:04:05")


def test_the_digest_tells_every_column_apart() -> None:
    base = a_call(1)
    others = [
        {"correct": False},
        {"tool": "send"},
        {"risk": 0.2},
        {"risk": None},
        {"probability": 0.5},
        {"signals": {"agreement": 0.9}},
        {"task": "t"},
        {"attempt": 1},
        {"route": Route.REVIEW},
        {"source": LabelSource.AUDIT},
        {"at": "2026"},
        {"fingerprint": {SCORE_KEYS[0]: "other"}},
        {"tier": "high"},
    ]
    found = {calls_of([replace(base, **change)]).digest() for change in others} | {calls_of([base]).digest()}
    assert len(found) == len(others) + 1
    assert calls_of([replace(base, signals={**base.signals, "p_true": None})]).digest() == calls_of([base]).digest()
    assert calls_of([base], answered=False).digest() not in found
