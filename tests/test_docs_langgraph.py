"""What docs/langgraph.md shows, run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.types import Command

from guardrail import open_store
from guardrail.types import ReviewState
from tests.support.openai_server import OpenAIServer, agent, call, calls

TEXT = (Path(__file__).parent.parent / "docs" / "langgraph.md").read_text("utf-8")
PARTS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)
SHARED, RELEASED, WITHIN, DEEP = [part for kind, part in PARTS if kind == "python"]
TWO = calls(("pay", {"amount": 10, "to": "ann"}), ("close_account", {"owner": "bob"}))
GO = {"messages": [("user", "go")]}


@pytest.fixture
def openai(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[OpenAIServer]:
    monkeypatch.chdir(tmp_path)
    for kind, part in PARTS:
        if kind == "yaml":
            (tmp_path / part.splitlines()[0].removeprefix("# ")).write_text(part, "utf-8")
    with OpenAIServer(agent(TWO)) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "x")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        yield server


def done(*parts: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    for part in parts:
        exec(compile(part, "langgraph.md", "exec"), names)
    return names


def thread(name: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": name}}


def closed() -> list[ReviewState]:
    store = open_store("sqlite:///guardrail.db")
    try:
        return [one.state for one in store.reviews()]
    finally:
        store.close()


def test_the_payment_is_made_while_the_account_waits(openai: OpenAIServer, capsys: pytest.CaptureFixture[str]) -> None:
    names = done(SHARED, RELEASED)
    printed = capsys.readouterr().out.splitlines()
    assert "closed bob" not in printed[0]
    assert printed[1] == "['paid 10 to ann', 'closed bob']"
    assert names["final"]["messages"][-1].content == "done"
    assert closed() == [ReviewState.DONE]
    names["guard"].store.close()


def test_an_agent_within_an_agent_asks_through_it(openai: OpenAIServer) -> None:
    def plan(body: dict[str, Any], index: int) -> Any:
        tools = {one["function"]["name"] for one in body["tools"]}
        return call("ask_clerk", task="close bob") if "ask_clerk" in tools else call("close_account", owner="bob")

    openai.reply = agent(plan)
    names = done(SHARED, WITHIN)
    boss = names["boss"]
    (waiting,) = boss.invoke(GO, thread("1"))["__interrupt__"]
    assert waiting.value["action_requests"][0]["name"] == "close_account"
    final = boss.invoke(Command(resume={waiting.id: {"type": "approve"}}), thread("1"))
    assert final["messages"][-1].content == "done"
    assert closed() == [ReviewState.DONE]
    for name in ("guard", "clerk_guard"):
        names[name].store.close()


def test_a_deep_agent_and_its_helper_have_one_guard(openai: OpenAIServer) -> None:
    pytest.importorskip("deepagents")

    def plan(body: dict[str, Any], index: int) -> Any:
        told = [str(one["content"]) for one in body["messages"] if one["role"] == "user"]
        if told == ["close bob"]:
            return call("close_account", owner="bob")
        return call("task", description="close bob", subagent_type="general-purpose")

    openai.reply = agent(plan)
    names = done(SHARED, DEEP)
    (waiting,) = names["agent"].invoke(GO, thread("1"))["__interrupt__"]
    assert waiting.value["action_requests"][0]["name"] == "close_account"
    final = names["agent"].invoke(Command(resume={waiting.id: {"type": "approve"}}), thread("1"))
    assert final["messages"][-1].content == "done"
    assert closed() == [ReviewState.DONE]
    names["guard"].store.close()
