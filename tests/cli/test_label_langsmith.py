"""Labels from LangSmith: its real client against a server that stands in for the service."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from langsmith import Client

from guardrail.cli.label import langsmith_labels
from guardrail.cli.main import main
from guardrail.store import SQLiteStore
from guardrail.types import Fault, LabelSource
from tests.cli.labelling import audited

DATASET = "00000000-0000-0000-0000-00000000000d"
AT = "2026-01-06T00:00:00+00:00"
KEY = "a-secret-of-the-test"


def run_id(number: int) -> str:
    return str(UUID(int=1000 + number))


class Service:
    """What LangSmith knows, and what it was asked."""

    def __init__(self) -> None:
        self.examples: list[dict[str, Any]] = []
        self.feedback: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.status = 200

    def example(self, *, outputs: Any = None, metadata: Any = None, run: int | None = None) -> None:
        self.examples.append(
            {
                "id": str(UUID(int=len(self.examples) + 1)),
                "dataset_id": DATASET,
                "inputs": {"question": "refund?"},
                "outputs": outputs,
                "metadata": metadata,
                "created_at": AT,
                "modified_at": AT,
                "source_run_id": None if run is None else run_id(run),
            }
        )

    def judge(self, run: int, score: Any, *, key: str = "correctness", comment: str | None = None) -> None:
        self.feedback.append(
            {
                "id": str(UUID(int=5000 + len(self.feedback))),
                "run_id": run_id(run),
                "trace_id": run_id(run),
                "key": key,
                "score": score,
                "comment": comment,
                "created_at": AT,
                "modified_at": AT,
            }
        )

    def answer(self, path: str, asked: dict[str, list[str]]) -> Any:
        if path == "/datasets":
            wanted = asked.get("name") == ["judged refunds"]
            return [{"id": DATASET, "name": "judged refunds", "created_at": AT}] if wanted else []
        start, size = int(asked.get("offset", ["0"])[0]), int(asked.get("limit", ["100"])[0])
        if path == "/examples":
            return self.examples[start : start + size]
        if path == "/feedback":
            mine = [one for one in self.feedback if one["run_id"] in asked["run"] and one["key"] in asked["key"]]
            return mine[start : start + size]
        return {}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    found = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            found.keys.add(self.headers.get("x-api-key", ""))
            body = json.dumps(found.answer(parts.path, parse_qs(parts.query))).encode()
            self.send_response(found.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    client = Client(f"http://127.0.0.1:{server.server_port}", api_key=KEY, auto_batch_tracing=False)
    monkeypatch.setattr(langsmith_labels, "client", lambda: client)
    yield found
    client.session.close()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def store(tmp_path: Path):
    opened = SQLiteStore(tmp_path / "guardrail.db")
    for number in range(3):
        opened.add_record(audited(number))
    yield opened
    opened.close()


@pytest.fixture
def run(store: SQLiteStore) -> Callable[..., Result]:
    def run(*args: str, dataset: str = "judged refunds") -> Result:
        command = ["label", "--langsmith", dataset, *args]
        return CliRunner().invoke(main, command, env={"GUARDRAIL_STORE": store.url})

    return run


def test_examples_and_the_feedback_on_their_runs_become_labels(run, store: SQLiteStore, service: Service) -> None:
    service.example(outputs={"id": "q/7", "record": "rec-000000", "correct": False, "fault": "unwanted", "by": "bo"})
    service.example(metadata={"record": "rec-000001"}, run=1)
    service.judge(1, 1.0, comment="as asked")
    service.judge(1, 0, key="helpfulness")
    service.example(metadata={"record": "rec-000002"}, run=2)
    result = run()
    assert result.exit_code == 0, result.stderr
    assert "2 labels kept" in result.stdout
    (first,), (second,) = store.record("rec-000000").labels, store.record("rec-000001").labels
    assert (first.correct, first.fault, first.by, first.source) == (False, Fault.UNWANTED, "bo", LabelSource.IMPORT)
    assert (second.correct, second.note, second.by, second.at) == (True, "as asked", "langsmith judged refunds", AT)
    assert store.record("rec-000002").labels == ()
    assert service.keys == {KEY}
    assert "0 labels kept, 2 were there before" in run().stdout


def test_every_page_is_read_and_another_key_may_be_named(run, store: SQLiteStore, service: Service) -> None:
    for _ in range(120):
        service.example()
    service.example(metadata={"record": "rec-000002"}, run=2)
    service.judge(2, 0, key="right tool")
    assert run("--feedback-key", "right tool").exit_code == 0
    assert [one.correct for one in store.record("rec-000002").labels] == [False]


@pytest.mark.parametrize("score", [0.5, -1, 2])
def test_a_score_between_right_and_wrong_is_no_label(run, store: SQLiteStore, service: Service, score: float) -> None:
    service.example(outputs={"record": "rec-000000", "correct": True})
    service.example(metadata={"record": "rec-000001"}, run=1)
    service.judge(1, score)
    result = run()
    assert result.exit_code == 2
    assert "example 00000000-0000-0000-0000-000000000002" in result.stderr
    assert "must be 1 (right) or 0 (wrong)" in result.stderr
    assert store.record("rec-000000").labels == ()


def test_feedback_that_contradicts_itself_is_refused(run, store: SQLiteStore, service: Service) -> None:
    service.example(metadata={"record": "rec-000001"}, run=1)
    service.judge(1, 1)
    service.judge(1, 0)
    assert "both right and wrong" in run().stderr


def test_a_dataset_without_labels_or_without_a_name_is_told(run, service: Service) -> None:
    service.example()
    assert "no example of the LangSmith dataset judged refunds is judged" in run().stderr
    missing = run(dataset="no such dataset")
    assert missing.exit_code == 2
    assert "could not be asked for the dataset 'no such dataset'" in missing.stderr


def test_what_the_service_answers_is_not_repeated(run, service: Service) -> None:
    service.status = 403
    result = run()
    assert result.exit_code == 2
    assert "LANGSMITH_API_KEY" in result.stderr
    assert KEY not in result.output
