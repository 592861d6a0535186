"""``guardrail label`` tells the watch: the answer that breaks a promise raises its alarm."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from guardrail.calibration import save_calibration
from guardrail.cli.main import main
from guardrail.errors import StoreError
from guardrail.store import SQLiteStore
from guardrail.watching import watched
from tests.watching.promised import promised, ran


@pytest.fixture
def store(tmp_path: Path):
    opened = SQLiteStore(tmp_path / "guardrail.db")
    for number in range(40):
        opened.add_record(ran(promised(), f"rec-{number:06}", audited=1.0))
    yield opened
    opened.close()


@pytest.fixture
def run(store: SQLiteStore, tmp_path: Path):
    save_calibration(promised(), tmp_path / "calibration.json")

    def run(*args: str, answers: str = "") -> Result:
        environment = {"GUARDRAIL_STORE": store.url, "GUARDRAIL_REVIEWER": "ana"}
        return CliRunner().invoke(main, ["label", *args], input=answers, env=environment)

    return run


def test_a_wrong_call_too_many_raises_the_alarm_in_the_walk(run, store: SQLiteStore, tmp_path: Path) -> None:
    result = run("--calibration", str(tmp_path / "calibration.json"), answers="n\n" * 40)
    assert result.exit_code == 0
    told = result.stdout.index("audited calls of the medium tier were wrong")
    assert "of 40, " in result.stdout[told:]  # the walk goes on
    assert len(store.alarms()) == 2
    assert watched(store, promised()).after == 40


def test_labels_of_a_file_are_told_too(run, store: SQLiteStore, tmp_path: Path) -> None:
    rows = [{"record": f"rec-{number:06}", "correct": False, "probability": 1} for number in range(40)]
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    result = run("--import", str(tmp_path / "labels.jsonl"), "--calibration", str(tmp_path / "calibration.json"))
    assert result.exit_code == 0
    assert watched(store, promised()).after == 40


def test_without_a_promise_nothing_is_watched(run, store: SQLiteStore) -> None:
    assert run(answers="n\n" * 40).exit_code == 0
    assert store.alarms() == []
    assert watched(store, promised()).after == 0


def test_an_answer_stands_where_the_watch_cannot_be_told(
    run, store: SQLiteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise StoreError("another process writes")

    monkeypatch.setattr("guardrail.watching.look", busy)
    result = run("--calibration", str(tmp_path / "calibration.json"), answers="n\nn\nq\n")
    assert result.exit_code == 0
    assert "the watch could not be told: another process writes" in result.stdout
    assert "2 answers kept" in result.stdout
    assert sum(bool(one.labels) for one in store.records(limit=100)) == 2
