"""``guardrail label`` attaches the judgements of others: files, LangSmith, checkers. All is checked before any is kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from guardrail.cli.main import main
from guardrail.engine.labels import stored_labels
from guardrail.store import SQLiteStore
from guardrail.types import Fault, Label, LabelSource, Tier
from tests.cli.labelling import audited
from tests.support.records import label

CALLS = [f"rec-{number:06}" for number in range(4)]


@pytest.fixture
def store(tmp_path: Path):
    opened = SQLiteStore(tmp_path / "guardrail.db")
    for number in range(4):
        opened.add_record(audited(number, drawn=False, stopping="none"))
    yield opened
    opened.close()


@pytest.fixture
def run(store: SQLiteStore) -> Callable[..., Result]:
    def run(*args: str) -> Result:
        return CliRunner().invoke(main, ["label", *args], env={"GUARDRAIL_STORE": store.url})

    return run


def said(store: SQLiteStore) -> dict[str, list[Label]]:
    return {name: list(store.record(name).labels) for name in CALLS if store.record(name).labels}


def written(tmp_path: Path, rows: list[dict[str, Any]], kind: str) -> Path:
    path = tmp_path / f"labels.{kind}"
    if kind == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif kind == "csv":
        pl.DataFrame(rows).write_csv(path)
    else:
        pl.DataFrame(rows).write_parquet(path)
    return path


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_file_of_labels_is_attached_to_its_records(run, store: SQLiteStore, tmp_path: Path, kind: str) -> None:
    rows = [
        {"record": CALLS[0], "call": None, "correct": True, "by": "bo", "at": "2026-01-05T01:00:00+01:00", "note": "ok",
         "fault": None, "probability": 0.25},
        {"record": CALLS[1], "call": "call_1", "correct": False, "by": None, "at": None, "note": None,
         "fault": "unwanted", "probability": None},
    ]  # fmt: skip
    result = run("--import", str(written(tmp_path, rows, kind)))
    assert result.exit_code == 0, result.stderr
    assert "2 labels kept, 0 were there before" in result.stdout
    assert "1 do not say how probable it was" in result.stdout
    (first,), (second,) = said(store)[CALLS[0]], said(store)[CALLS[1]]
    assert first == Label(
        call_id="call_1", correct=True, source=LabelSource.IMPORT, by="bo", at="2026-01-05T01:00:00+01:00", note="ok",
        probability=0.25,
    )  # fmt: skip
    assert (second.by, second.fault, second.probability) == (f"file labels.{kind}", Fault.UNWANTED, None)
    found = stored_labels(store)
    assert [(call.id, call.probability) for call in found.calls] == [(f"{CALLS[0]}/call_1", 0.25)]
    again = run("--import", str(tmp_path / f"labels.{kind}"))
    assert "0 labels kept, 2 were there before" in again.stdout
    assert sum(map(len, said(store).values())) == 2


def test_labelled_calls_can_be_attached_by_their_id(run, store: SQLiteStore, tmp_path: Path) -> None:
    row = {"id": f"{CALLS[2]}/call_1", "tier": "medium", "tool": "refund", "correct": False, "call": {"name": "refund"}}
    assert run("--import", str(written(tmp_path, [row], "jsonl"))).exit_code == 0
    assert list(said(store)) == [CALLS[2]]


def test_a_probability_and_a_name_may_be_stated_for_all(run, store: SQLiteStore, tmp_path: Path) -> None:
    rows = [{"record": name, "correct": True} for name in CALLS]
    path = written(tmp_path, rows, "jsonl")
    assert run("--import", str(path), "--probability", "1", "--by", "the desk").exit_code == 0
    assert {call.probability for call in stored_labels(store).calls} == {1.0}
    assert {one.by for labels in said(store).values() for one in labels} == {"the desk"}


GOOD = {"record": CALLS[0], "correct": True}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"record": CALLS[1], "correct": "yes"}, "correct is 'yes'"),
        ({"record": CALLS[1], "correct": 1}, "correct is 1"),
        ({"record": CALLS[1], "correct": None}, "correct is None"),
        ({"record": CALLS[1]}, "correct is None"),
        ({"record": CALLS[1], "correct": True, "probability": 0}, "probability is 0"),
        ({"record": CALLS[1], "correct": True, "probability": 1.5}, "probability is 1.5"),
        ({"record": CALLS[1], "correct": True, "probability": True}, "probability is True"),
        ({"record": CALLS[1], "correct": True, "probability": float("nan")}, "probability is nan"),
        ({"record": CALLS[1], "correct": True, "probabilty": 1}, "no field 'probabilty'"),
        ({"record": CALLS[1], "correct": True, "fault": "wrong"}, "a right call has none"),
        ({"record": CALLS[1], "correct": False, "fault": "ugly"}, "there are: wrong, unwanted"),
        ({"record": CALLS[1], "correct": True, "at": "soon"}, "at is 'soon'"),
        ({"record": CALLS[1], "correct": True, "by": 7}, "by is 7"),
        ({"record": CALLS[1], "call": "call_9", "correct": True}, "has no call 'call_9'"),
        ({"record": "rec-999999", "correct": True}, "no record 'rec-999999'"),
        ({"record": CALLS[1][:-1], "correct": True}, "several records"),
        ({"record": "another-00", "correct": True}, "give the whole id"),
        ({"correct": True}, "names no record"),
        (GOOD, "the same call as"),
    ],
    ids=str,
)
def test_a_row_that_is_no_judgement_is_refused_by_its_place_and_nothing_is_kept(
    run, store: SQLiteStore, tmp_path: Path, row: dict[str, Any], told: str
) -> None:
    store.add_record(replace(audited(5), id="another-000001"))
    path = written(tmp_path, [GOOD, row], "jsonl")
    result = run("--import", str(path))
    assert result.exit_code == 2
    assert f"{path}, line 2" in result.stderr
    assert told in result.stderr
    assert said(store) == {}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("labels.jsonl", "", "has no labels"),
        ("labels.jsonl", "{", "no JSON"),
        ("labels.jsonl", "[1]", "must be an object"),
        ("labels.jsonl", '{"record": "a", "record": "b"}', "stands twice"),
        ("labels.csv", "", "has no labels"),
        ("labels.csv", "record,correct\n", "has no labels"),
        ("labels.csv", "record,correct,correct\n", "stands twice"),
        ("labels.csv", f"record,correct\n{CALLS[0]}\n", "1 cells"),
        ("labels.csv", f"record,correct\n{CALLS[0]},1\n", "correct is '1'"),
        ("labels.csv", f"record,correct,probability\n{CALLS[0]},true,all\n", "probability is 'all'"),
        ("labels.parquet", "no such thing", "cannot be read"),
        ("labels.txt", "x", "must end in"),
    ],
    ids=str,
)
def test_a_file_that_is_none_is_refused(run, tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    result = run("--import", str(tmp_path / name))
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.output


def test_rows_of_records_that_are_elsewhere_can_be_left_out(run, store: SQLiteStore, tmp_path: Path) -> None:
    path = written(tmp_path, [{"record": "elsewhere-1", "correct": True}, GOOD], "jsonl")
    result = run("--import", str(path), "--skip-unknown")
    assert result.exit_code == 0
    assert "1 are about records that are not in this store" in result.stdout
    assert list(said(store)) == [CALLS[0]]
    assert run("--import", str(tmp_path / "missing.csv")).exit_code == 2


def test_labels_that_contradict_those_on_record_are_told(run, store: SQLiteStore, tmp_path: Path) -> None:
    store.add_label(CALLS[0], label(correct=False))
    result = run("--import", str(written(tmp_path, [GOOD], "jsonl")))
    assert "1 calls are now judged both right and wrong: rec-000000/call_1" in result.stdout


@pytest.fixture
def checker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Writes a module with a checker, and gives its name."""
    monkeypatch.syspath_prepend(str(tmp_path))
    count = 0

    def write(body: str) -> str:
        nonlocal count
        count += 1
        name = f"checker_of_this_test_{count}"
        (tmp_path / f"{name}.py").write_text(f"def judge(call, conversation, record):\n    {body}\n")
        monkeypatch.delitem(sys.modules, name, raising=False)
        return f"{name}:judge"

    return write


def test_a_checker_that_judges_every_call_states_the_probability_1(run, store: SQLiteStore, checker) -> None:
    name = checker("return call.arguments['amount'] % 2 == 0 and 'Refund' in conversation[0].text and bool(record.id)")
    result = run("--checker", name)
    assert result.exit_code == 0, result.stderr
    assert "2 right, 2 wrong" in result.stdout
    assert "with probability 1: medium" in result.stdout
    found = stored_labels(store)
    assert [(call.correct, call.probability, call.source, call.by) for call in found.calls] == [
        (number % 2 == 0, 1.0, LabelSource.CHECKER, f"checker {name}") for number in range(4)
    ]
    again = run("--checker", name)
    assert "0 right, 0 wrong; 4 it had judged before" in again.stdout
    assert sum(map(len, said(store).values())) == 4


def test_a_checker_that_leaves_calls_open_states_no_probability(run, store: SQLiteStore, checker) -> None:
    store.add_record(audited(9, drawn=False, stopping="none", tier=Tier.HIGH))
    result = run("--checker", checker("return None if call.arguments['amount'] == 103 else True"))
    assert "1 calls of medium stakes were left open" in result.stdout
    assert "with probability 1: high" in result.stdout
    assert "where a draw chose the call: medium" in result.stdout
    found = stored_labels(store)
    known = {call.tier: call.probability for call in found.calls}
    assert known == {Tier.HIGH: 1.0, Tier.MEDIUM: None}
    assert sum(found.left_out.values()) == 3


def test_a_part_of_the_calls_is_not_every_call_until_the_rest_is_judged_too(run, store: SQLiteStore, checker) -> None:
    name = checker("return True")
    assert "where a draw chose the call: medium" in run("--checker", name, "--limit", "2").stdout
    assert {one.probability for labels in said(store).values() for one in labels} == {None}
    assert "with probability 1: medium" in run("--checker", name).stdout
    assert [call.probability for call in stored_labels(store).calls] == [1.0] * 4
    assert "0 right, 0 wrong" in run("--checker", name, "--tool", "other").stdout


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise KeyError('amount')", "raised KeyError"),
        ("return 'yes'", "answered 'yes'"),
        ("return 1", "answered 1"),
        ("return 0.5", "answered 0.5"),
    ],
)
def test_a_checker_that_fails_or_guesses_labels_nothing(run, store: SQLiteStore, checker, body: str, told: str) -> None:
    result = run("--checker", checker(f"if call.arguments['amount'] != 101:\n        return True\n    {body}"))
    assert result.exit_code == 2
    assert told in result.stderr
    assert "record rec-000001, call 'call_1' of refund" in result.stderr
    assert said(store) == {}
    assert "no_such_module" in run("--checker", "no_such_module:judge").stderr


def test_a_checker_that_contradicts_people_is_told(run, store: SQLiteStore, checker) -> None:
    store.add_label(CALLS[1], label(correct=True))
    assert "1 calls are now judged both right and wrong" in run("--checker", checker("return False")).stdout
