"""Three processes: one is interrupted, one decides, one resumes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import MemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from guardrail import Queue, open_store
from guardrail.errors import ConfigError
from guardrail.store import Store
from guardrail.types import ReviewState
from guardrail_langgraph.worker import Leases, opened, resume_decided
from tests.support.agents import GO, Bank, evidence, state_graph, thread
from tests.support.openai_server import OpenAIServer, agent, call, say

APP = '''
import json, os, sqlite3, sys
from contextlib import contextmanager
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from guardrail import Policy
from guardrail_langgraph import GuardrailNode

@tool
def wipe(account: str) -> str:
    """Delete an account."""
    with open("ran.jsonl", "a") as ran:
        ran.write(json.dumps({"account": account}) + "\\n")
    if os.environ.get("CRASH"):
        os._exit(9)
    return "gone"

@contextmanager
def app():
    model = ChatOpenAI(model="m", api_key="x", base_url=os.environ["SERVER"], temperature=0.0)
    policy = Policy.parse({"tools": [{"match": "wipe", "tier": "critical"}]})
    guard = GuardrailNode(model, tools=[wipe], policy=policy, store="sqlite:///guardrail.db")
    planner = guard.watch(model).bind_tools([wipe])
    graph = StateGraph(MessagesState)
    graph.add_node("agent", lambda state: {"messages": [planner.invoke(state["messages"])]})
    graph.add_node("guard", guard)
    graph.add_node("tools", guard.tool_node())
    graph.add_edge(START, "agent")
    graph.add_edge("agent", "guard")
    graph.add_edge("tools", "agent")
    with SqliteSaver.from_conn_string("checkpoints.db") as saver:
        yield graph.compile(checkpointer=saver)

if __name__ == "__main__":
    given = None if "again" in sys.argv else {"messages": [("user", "go")]}
    with app() as graph:
        result = graph.invoke(given, {"configurable": {"thread_id": "t1"}})
        print([message.content for message in result["messages"] if message.type == "tool"])
'''


async def resumed(graph: Any, store: Store, **options: Any) -> list[str]:
    queue, leases = Queue(store, tenant=None), Leases(store, by="this test")
    return [one.outcome for one in await resume_decided(graph, queue, leases, **options)]


class World:
    """A folder with an agent, and commands run in it as processes of their own."""

    def __init__(self, folder: Path, server: OpenAIServer) -> None:
        self.folder, self.server = folder, server
        (folder / "app.py").write_text(APP)

    def run(self, *command: str, code: int = 0, **environment: str) -> str:
        store = "sqlite:///guardrail.db"
        result = subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env={**os.environ, "SERVER": self.server.url, "GUARDRAIL_STORE": store, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout + result.stderr

    def guardrail(self, *arguments: str, code: int = 0, **environment: str) -> str:
        return self.run("-m", "guardrail", *arguments, code=code, **environment)

    @property
    def ran(self) -> list[dict[str, Any]]:
        path = self.folder / "ran.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def asked(self) -> int:
        return sum(body.get("n") or 1 for body in self.server.drawn)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        yield World(tmp_path, server)


@pytest.mark.parametrize("decision", ["approve", "edit", "reject"])
def test_a_review_decided_in_the_terminal_is_carried_out_by_the_worker(world: World, decision: str) -> None:
    world.run("app.py")
    (review,) = json.loads(world.guardrail("reviews", "list", "--json"))
    assert (world.ran, world.asked) == ([], 8)
    more = {"approve": ["--yes"], "edit": ["--args", '{"account": "a2"}'], "reject": ["--message", "no"]}[decision]
    world.guardrail("reviews", decision, review["id"], *more, "--by", "ada")
    assert world.ran == []
    assert f"resumed {review['id'][:12]}" in world.guardrail("resume", "--graph", "app.py:app")
    accounts = {"approve": ["a1"], "edit": ["a2"], "reject": []}[decision]
    assert [run["account"] for run in world.ran] == accounts
    world.guardrail("resume", "--graph", "app.py:app")
    assert [run["account"] for run in world.ran] == accounts
    assert world.asked == 8
    (review,) = json.loads(world.guardrail("reviews", "list", "--all", "--json"))
    assert (review["state"], review["decision"]["by"]) == ("done", "ada")


def test_a_crash_after_the_side_effect_is_left_to_a_human_and_never_run_again(world: World) -> None:
    world.run("app.py")
    (review,) = json.loads(world.guardrail("reviews", "list", "--json"))
    world.guardrail("reviews", "approve", review["id"], "--yes")
    world.guardrail("resume", "--graph", "app.py:app", code=9, CRASH="1")
    assert "Not executed" in world.run("app.py", "again")
    world.guardrail("resume", "--graph", "app.py:app")
    assert len(world.ran) == 1
    (review,) = json.loads(world.guardrail("reviews", "list", "--all", "--json"))
    assert review["state"] == "executing"


async def test_a_graph_with_an_asynchronous_checkpointer_is_resumed_too(tmp_path: Path) -> None:
    bank, store = Bank(), open_store("memory://")
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        async with AsyncSqliteSaver.from_conn_string(f"{tmp_path}/c.db") as saver:
            graph = state_graph(server, bank, saver=saver, store=store)
            result = await graph.ainvoke(GO, thread())
            queue = Queue(store)
            queue.approve(evidence(result)[0]["review_id"], by="ada")
            assert await resumed(graph, store) == ["resumed"]
    assert bank.run == [("wipe", {"account": "a1"})]


async def test_a_decision_that_no_thread_waits_for_is_superseded_after_a_grace() -> None:
    bank, store = Bank(), open_store("memory://")
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=store)
        result = graph.invoke(GO, thread())
        Queue(store).approve(evidence(result)[0]["review_id"], by="ada")
        graph.update_state(thread(), {"messages": [HumanMessage("never mind")]}, as_node="heal")
        assert await resumed(graph, store) == ["waiting"]

        def later() -> datetime:
            return datetime.now(UTC) + timedelta(minutes=5)

        assert await resumed(graph, store, now=later) == ["superseded"]
        assert await resumed(graph, store, now=later) == []
    assert bank.run == []


async def test_the_worker_waits_for_siblings_that_are_not_decided(tmp_path: Path) -> None:
    bank, store = Bank(), open_store("memory://")

    def plan(body: dict[str, Any], index: int) -> dict[str, Any]:
        from tests.support.openai_server import calls

        return calls(("wipe", {"account": "a1"}), ("wipe", {"account": "a2"}))

    with OpenAIServer(agent(plan)) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=store)
        first, second = (one["review_id"] for one in evidence(graph.invoke(GO, thread())))
        queue = Queue(store)
        queue.approve(first, by="ada")
        await resumed(graph, store)
        assert bank.run == []
        queue.reject(second, by="bob")
        await resumed(graph, store)
    assert bank.run == [("wipe", {"account": "a1"})]
    assert {review.state for review in store.reviews()} == {ReviewState.DONE}


async def test_a_thread_that_has_moved_on_is_not_resumed_with_an_old_decision() -> None:
    bank, store = Bank(), open_store("memory://")
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=store)
        result = graph.invoke(GO, thread())
        Queue(store).approve(evidence(result)[0]["review_id"], by="ada")
        server.reply = lambda _b, _i: say("fine")
        graph.invoke({"messages": [HumanMessage("never mind")]}, thread())
        assert await resumed(graph, store) == []
    assert bank.run == []


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("app", "names no graph"),
        ("nowhere.py:app", "no file"),
        ("no_such_module:app", "could not be imported"),
        ("guardrail:nothing", "has no 'nothing'"),
        ("guardrail:Tier", "not a compiled graph"),
    ],
)
async def test_a_graph_that_cannot_be_opened_is_named(spec: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        async with opened(spec):
            pass
