"""What docs/callback.md shows, run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardrail import open_store
from guardrail.types import Route
from tests.support.agents import n_asked
from tests.support.openai_server import OpenAIServer, agent, call

TEXT = (Path(__file__).parent.parent / "docs" / "callback.md").read_text("utf-8")
PARTS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
PLAIN, LEGACY, WATCHING = PARTS
PAY = agent(call("pay", amount=10, to="ann"))


@pytest.fixture
def openai(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[OpenAIServer]:
    monkeypatch.chdir(tmp_path)
    with OpenAIServer(PAY) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "x")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        yield server


def done(*parts: str) -> None:
    names: dict[str, object] = {}
    for part in parts:
        exec(compile(part, "callback.md", "exec"), names)


def routes(url: str) -> list[Route]:
    store = open_store(url)
    try:
        return [record.verdict.route for record in store.records()]
    finally:
        store.close()


def test_a_chain_is_guarded_by_two_lines(openai: OpenAIServer, capsys: pytest.CaptureFixture[str]) -> None:
    done(PLAIN)
    assert capsys.readouterr().out == "['paid 10 to ann']\n"
    assert routes("sqlite:///guardrail.db") == [Route.EXECUTE]


def test_an_executor_is_guarded(openai: OpenAIServer, capsys: pytest.CaptureFixture[str]) -> None:
    done(PLAIN, LEGACY)
    assert capsys.readouterr().out.splitlines()[1] == "done"
    assert routes("sqlite:///guardrail.db") == [Route.EXECUTE, Route.EXECUTE]


def test_a_watcher_only_watches(openai: OpenAIServer, capsys: pytest.CaptureFixture[str]) -> None:
    openai.reply = agent(
        lambda body, index: call("pay", amount=10 + (index if body.get("temperature") == 1.0 else 0), to="ann")
    )
    done(PLAIN.split("guard = ")[0], WATCHING)
    assert capsys.readouterr().out == "['paid 10 to ann']\n"
    assert n_asked(openai) > 0
    assert routes("sqlite:///seen.db") == [Route.RETRY]
