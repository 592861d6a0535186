"""``guardrail worker`` as people and their service managers see it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from langgraph.checkpoint.memory import MemorySaver

from guardrail import Queue, open_store
from guardrail.errors import ConfigError
from guardrail_langgraph.worker import resume, worker
from guardrail_langgraph.worker_loop import line
from tests.support.agents import GO, Bank, evidence, state_graph, thread
from tests.support.openai_server import OpenAIServer, agent, call

SECRET = "account-4711"
graphs: dict[str, Any] = {}


def first() -> Any:
    return graphs["first"]


def second() -> Any:
    return graphs["second"]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'guardrail.db'}"


@pytest.fixture
def bank(url: str) -> Iterator[Bank]:
    found, store = Bank(), open_store(url)
    with OpenAIServer(agent(call("wipe", account=SECRET))) as server:
        graphs["first"] = state_graph(server, found, saver=MemorySaver(), store=store)
        graphs["second"] = state_graph(server, found, saver=MemorySaver(), store=store)
        yield found
    store.close()
    graphs.clear()


def asked(url: str, graph: str = "first", name: str = "t1", *, approve: bool = True) -> str:
    review_id = str(evidence(graphs[graph].invoke(GO, thread(name)))[0]["review_id"])
    if approve:
        store = open_store(url)
        Queue(store).approve(review_id, by="ada")
        store.close()
    return review_id


def run(url: str, *options: str, command: Any = worker, only: tuple[str, ...] = ("first", "second")) -> Result:
    specs = [each for name in only for each in ("--graph", f"{__name__}:{name}")]
    return CliRunner().invoke(command, [*specs, *options], obj={"store": url})


def test_every_graph_is_served_and_one_line_tells_of_each_review(bank: Bank, url: str) -> None:
    ids = {asked(url, "first", "t1"), asked(url, "second", "t 2\n\x1b[2J")}
    result = run(url, "--once")
    assert result.exit_code == 0, result.output
    assert len(bank.run) == 2
    lines = result.output.splitlines()
    assert {one.split()[2] for one in lines} == {review_id[:12] for review_id in ids}
    assert all(re.match(r"\d{4}-\d\d-\d\dT\S+ resumed \w{12} tool=wipe decision=approve by=ada ", one) for one in lines)
    assert SECRET not in result.output
    assert "\x1b" not in result.output
    assert run(url, "--once").output == ""


def test_resume_is_a_worker_that_looks_once(bank: Bank, url: str) -> None:
    asked(url)
    result = run(url, command=resume, only=("first",))
    assert (result.exit_code, len(bank.run)) == (0, 1)


def test_a_thread_of_no_graph_is_told_and_makes_the_exit_code_1(bank: Bank, url: str) -> None:
    review_id = asked(url, "second")
    result = run(url, "--once", only=("first",))
    assert result.exit_code == 1
    assert f" unknown {review_id[:12]} " in result.output
    assert "add its graph with --graph" in result.output
    assert run(url, "--once").exit_code == 0


def test_a_graph_that_fails_is_told_without_its_words(bank: Bank, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(url)

    def fail(*given: Any, **options: Any) -> Any:
        raise ConnectionError(f"cannot reach {SECRET}")

    monkeypatch.setattr(graphs["first"], "invoke", fail)
    result = run(url, "--once")
    assert result.exit_code == 1
    assert "error=ConnectionError" in result.output
    assert SECRET not in result.output


def test_a_traceback_is_printed_where_it_is_asked_for(bank: Bank, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(url)

    def fail(*given: Any, **options: Any) -> Any:
        raise ConnectionError("\x1b[2J gone")

    monkeypatch.setattr(graphs["first"], "invoke", fail)
    output = run(url, "--once", "--traceback").output
    assert "Traceback" in output
    assert "\\x1b[2J gone" in output


def test_a_call_that_is_executing_for_too_long_is_told_to_people(bank: Bank, url: str) -> None:
    review_id = asked(url)
    store = open_store(url)
    queue = Queue(store)
    queue.begin(review_id, digest=queue.get(review_id).digest, by="dispatch")
    assert run(url, "--once").output == ""
    result = run(url, "--once", "--stuck-after", "0")
    assert result.exit_code == 1
    assert f" STUCK {review_id[:12]} tool=wipe " in result.output
    assert SECRET not in result.output
    queue.unknown(review_id, by="ada")
    store.close()
    assert run(url, "--once", "--stuck-after", "0").output == ""


def test_a_review_that_waits_makes_no_noise(bank: Bank, url: str) -> None:
    asked(url, approve=False)
    result = run(url, "--once")
    assert (result.exit_code, result.output, bank.run) == (0, "", [])


def test_one_graph_given_twice_is_refused(bank: Bank, url: str) -> None:
    result = run(url, "--once", only=("first", "first"))
    assert isinstance(result.exception, ConfigError)


def test_values_in_a_line_cannot_pose_as_others() -> None:
    told = line("resumed", "abc", tool='x decision="approve"\n2026', thread="", n=1)
    assert told.split(" ", 3)[3] == r'tool="x decision=\"approve\"\\n2026" n=1'
