"""A worker keeps house besides: it seals the log, tells people, and says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from langgraph.checkpoint.memory import MemorySaver

from guardrail import Queue, open_store
from guardrail.notify import verify
from guardrail.upkeep import upkeep_status
from guardrail_langgraph.worker import worker
from tests.notify.receiving import SECRET, Receiver, receiving
from tests.support.agents import GO, Bank, evidence, state_graph, thread
from tests.support.openai_server import OpenAIServer, agent, call

graphs: dict[str, Any] = {}


def app() -> Any:
    return graphs["app"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_a_worker_tells_people_and_seals_the_log(tmp_path: Path, receiver: Receiver) -> None:
    url, file = f"sqlite:///{tmp_path / 'guardrail.db'}", tmp_path / "notify.yaml"
    file.write_text(
        f"channels:\n  ops:\n    webhook: {{url: '{receiver.url}', secrets: HOOK_SECRETS}}\n    events: [decided]\n"
    )
    store = open_store(url)
    command = ["--graph", f"{__name__}:app", "--once", "--notify", str(file)]
    runner = CliRunner(env={"HOOK_SECRETS": SECRET})
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graphs["app"] = state_graph(server, Bank(), saver=MemorySaver(), store=store)
        assert runner.invoke(worker, command, obj={"store": url}).exit_code == 0
        review_id = str(evidence(graphs["app"].invoke(GO, thread()))[0]["review_id"])
        Queue(store).approve(review_id, by="ada")
        result = runner.invoke(worker, command, obj={"store": url})
        assert result.exit_code == 0, result.output
    (request,) = receiver.requests
    said = verify(request.headers, request.body, SECRET)
    assert [(item["event"], item["id"], item["state"]) for item in said["data"]["items"]] == [
        ("decided", review_id, "approve")
    ]
    tasks = {one.name: one for one in upkeep_status(store)}
    assert tasks["notify"].note == "1 sent, 0 failed"
    assert "deadlines" not in tasks, "the worker's own loop sweeps them, and says so"
    store.close()


def test_a_worker_refuses_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "notify.yaml"
    file.write_text("channels:\n  ops:\n    apprise: NO_SUCH_VARIABLE\n")
    url = f"sqlite:///{tmp_path / 'guardrail.db'}"
    result = CliRunner(env={"NO_SUCH_VARIABLE": ""}).invoke(
        worker, ["--graph", f"{__name__}:app", "--once", "--notify", str(file)], obj={"store": url}
    )
    assert result.exception is not None
    assert "NO_SUCH_VARIABLE, which is not set" in str(result.exception)
