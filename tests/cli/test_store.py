"""``guardrail store``: backup, export, retention and size from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from guardrail.cli.main import main
from guardrail.store import open_store
from guardrail.types import ReviewState
from tests.support.records import record, review

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    store = open_store(str(tmp_path / "guardrail.db"))
    store.add_record(record("rec-000001", at="2020-01-01"))
    store.add_review(review("rev-000001", record_id="rec-000001", at="2020-01-01"))
    claimed = store.review("rev-000001")
    changed = {**vars(claimed), "state": ReviewState.SUPERSEDED, "revision": 1}
    store.compare_and_set(type(claimed)(**changed))
    store.add_record(record("rec-000002"))
    store.add_review(review("rev-000002", record_id="rec-000002"))
    store.close()
    return lambda *args: CliRunner().invoke(main, ["store", *args], env={"GUARDRAIL_STORE": f"{tmp_path}/guardrail.db"})


def test_prune_says_what_it_would_delete_and_deletes_it(run: Run, tmp_path: Path) -> None:
    said = run("prune", "--older-than", "180d", "--dry-run", "--by", "ana")
    assert said.output == "1 reviews, 1 records and 0 labels would be deleted\n"
    assert run("prune", "--older-than", "26w", "--by", "ana").output == "1 reviews, 1 records and 0 labels deleted\n"
    store = open_store(str(tmp_path / "guardrail.db"))
    assert [one.id for one in store.records()] == ["rec-000002"]
    assert "ana" in {entry.by for entry in store.audit_entries() if entry.what == "review.purged"}
    store.close()
    verified = CliRunner().invoke(main, ["audit", "verify"], env={"GUARDRAIL_STORE": f"{tmp_path}/guardrail.db"})
    assert verified.exit_code == 0, verified.output


@pytest.mark.parametrize("age", ["", "180", "-1d", "0d", "d", "1y", "99999d", "\uff11d"])
def test_an_age_that_is_none_is_refused(run: Run, age: str) -> None:
    said = run("prune", "--older-than", age)
    assert said.exit_code == 2
    assert "write 180d" in said.output


def test_an_age_of_many_centuries_deletes_nothing(run: Run) -> None:
    assert run("prune", "--older-than", "9999w", "--by", "ana").output.startswith("0 reviews")


def test_a_backup_is_a_store(run: Run, tmp_path: Path) -> None:
    assert run("backup", str(tmp_path / "copy.db")).exit_code == 0
    copy = open_store(str(tmp_path / "copy.db"), create=False)
    assert len(copy.records()) == 2
    copy.close()
    again = run("backup", str(tmp_path / "copy.db"))
    assert again.exit_code == 2
    assert "there already" in again.output
    assert "is a store itself" in run("restore", str(tmp_path / "copy.db")).output


def test_an_export_says_what_it_wrote(run: Run, tmp_path: Path) -> None:
    said = run("export", str(tmp_path / "out"))
    assert "2 records" in said.output
    assert len((tmp_path / "out" / "audit.jsonl").read_text().splitlines()) == 3


def test_info(run: Run) -> None:
    assert "2 records" in run("info").output
    assert json.loads(run("info", "--json").output)["rows"]["audit_log"] == 3


def test_a_store_that_does_not_last_has_nothing_to_care_for() -> None:
    said = CliRunner().invoke(main, ["store", "info"], env={"GUARDRAIL_STORE": "memory://"})
    assert said.exit_code == 2
    assert "ends with the process" in said.output
