"""Whatever is hidden is found nowhere: not in the store's files, not in what any command prints or exports."""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings

from guardrail.cli.main import main
from guardrail.codec import to_json
from guardrail.redaction import VARIABLE, holds_mark, new_key
from guardrail.review import Queue
from guardrail.store import open_store
from guardrail.store.care import export
from tests.redaction.planted import Planted, Secret, found_in, guard, planted, shaped
from tests.support import postgres


def _everything(store_url: str, folder: Path) -> str:
    """What the command line tells of a store, and what it exports."""
    runner = CliRunner()
    told = []
    store = open_store(store_url)
    review_id = store.reviews()[0].id
    record_id = store.records()[0].id
    told.append(json.dumps([to_json(one) for one in (*store.reviews(), *store.records())]))
    export(store, folder / "export")
    store.close()
    for command in (
        ["reviews", "list"],
        ["reviews", "list", "--json"],
        ["reviews", "show", review_id],
        ["reviews", "show", review_id, "--full"],
        ["reviews", "show", review_id, "--json"],
        ["log"],
        ["log", "--json"],
        ["explain", record_id],
        ["explain", record_id, "--json"],
        ["audit", "export", str(folder / "audit.jsonl")],
    ):
        result = runner.invoke(main, ["--store", store_url, *command])
        told.append(result.output + (repr(result.exception) if result.exception else ""))
    told += [path.read_text("utf-8") for path in folder.rglob("*.jsonl")]
    return "\n".join(told)


@pytest.mark.parametrize("key", [True, False], ids=["sealed", "dropped"])
@settings(max_examples=15, deadline=None, suppress_health_check=[*HealthCheck])
@given(one=planted(), said=shaped())
def test_secrets_are_found_nowhere(
    key: bool,
    one: Planted,
    said: Secret,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if key:
        monkeypatch.setenv(VARIABLE, new_key())
    caplog.set_level(logging.DEBUG)
    assert one.cores
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'guardrail.db'}"
        store = open_store(url)
        verdict = guard(store, one).assess(one.step)
        review = store.review(verdict.verdicts[0].review_id)
        assert review.hidden
        assert store.records()[0].hidden
        assert holds_mark(review.call.arguments)
        assert review.sealed is key
        queue = Queue(store)
        queue.comment(review.id, by="ana", text=f"looks wrong: {said.value}")
        queue.reject(review.id, by="ana", message=f"never use {said.value}")
        cores = [*one.cores, said.core]
        assert found_in(json.dumps(to_json(verdict)), cores) == []
        for path in folder.iterdir():  # the log that SQLite writes ahead among them
            assert found_in(path.read_bytes(), cores) == [], path.name
        store.close()
        assert found_in(_everything(url, folder), cores) == []
        assert found_in(caplog.text, cores) == []


@pytest.fixture(scope="module")
def server() -> object:
    with postgres.running() as running:
        yield running


@settings(max_examples=6, deadline=None, suppress_health_check=[*HealthCheck])
@given(one=planted())
def test_nor_in_postgresql(one: Planted, server: postgres.Server) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = open_store(server.fresh_url())
        guard(store, one).assess(one.step)
        store.backup(folder / "backup.jsonl")  # type: ignore[attr-defined]  # every row of every table
        assert found_in((folder / "backup.jsonl").read_bytes(), one.cores) == []
        export(store, folder / "export")
        assert all(found_in(path.read_bytes(), one.cores) == [] for path in (folder / "export").iterdir())
        store.close()
