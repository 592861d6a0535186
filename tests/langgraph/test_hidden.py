"""What is hidden in store and interrupt runs as it was planned: through approvals, edits, restarts and other processes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import MemorySaver

from guardrail import Policy, Queue, open_store
from guardrail.engine import Permit, Refusal, finished, permit
from guardrail.errors import ConfigError, InvalidDecision
from guardrail.redaction import VARIABLE, new_key
from guardrail.store import Store
from guardrail.types import Decision, DecisionType, Principal, Review, ReviewState, Tier, ToolCall
from guardrail_langgraph.worker import Leases, resume_decided
from tests.support.agents import (
    Bank,
    approve,
    callback_agent,
    edit,
    evidence,
    react_agent,
    reject,
    resume,
    state_graph,
    thread,
)
from tests.support.agents import tool_messages as answers
from tests.support.openai_server import OpenAIServer, agent, call

PASSWORD, CARD, TYPED = "hunter2-Zq9", 4111111111111111, "typed-by-Ana-7x"
GO = {"messages": [HumanMessage(f"log in with {PASSWORD} and pay from {CARD}")]}
RULES: dict[str, Any] = {
    "default": {"tier": "critical"},
    "redaction": {"paths": ["login.card"]},
    "tools": [
        {"match": "login", "when": {"card": {"gt": 9000000000000000}}, "tier": "critical", "decisions": ["reject"]},
        {"match": "login", "tier": "critical"},
    ],
}


class Desk(Bank):
    """One tool that takes a password, a card's number and plain values."""

    def __init__(self) -> None:
        super().__init__()

        @tool
        def login(user: str, password: str, card: int, note: str = "") -> str:
            """Log in somewhere and pay."""
            self._ran("login", {"user": user, "password": password, "card": card, "note": note})
            return "in"

        self.tools = [login]

    @property
    def ran(self) -> list[dict[str, Any]]:
        return [arguments for _, arguments in self.run]


PLAN = call("login", user="bob", password=PASSWORD, card=CARD, note=f"use {PASSWORD} now")
PLANNED = {"user": "bob", "password": PASSWORD, "card": CARD, "note": f"use {PASSWORD} now"}


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(agent(PLAN)) as server:
        yield server


@pytest.fixture(params=[True, False], ids=["a key", "no key"])
def keyed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if request.param:
        monkeypatch.setenv(VARIABLE, new_key())
    else:
        monkeypatch.delenv(VARIABLE, raising=False)
    return bool(request.param)


def nowhere(text: str) -> None:
    assert [each for each in (PASSWORD, str(CARD), TYPED) if each in text] == []


def in_no_file(folder: Path) -> None:
    nowhere(b"".join(path.read_bytes() for path in folder.iterdir()).decode("latin-1"))


class World:
    """A thread that waits for a human, over one store and one checkpointer."""

    def __init__(self, server: OpenAIServer, url: str, build: Any = state_graph, **options: Any) -> None:
        self.server, self.url, self.saver, self.build, self.options = server, url, MemorySaver(), build, options
        self.desk = Desk()
        self.store: Store = open_store(url)
        self.result = self.graph().invoke(GO, thread())
        (self.asked,) = evidence(self.result)

    def graph(self) -> Any:
        """The graph as a process that was started anew has it."""
        rules = Policy.parse(RULES)
        return self.build(self.server, self.desk, saver=self.saver, store=self.store, rules=rules, **self.options)

    def answer(self, given: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self.graph().invoke(resume(self.result, given), thread())
        return found

    @property
    def review(self) -> Review:
        return self.store.review(self.asked["review_id"])

    @property
    def shown(self) -> dict[str, Any]:
        """The arguments as a reviewer sees them."""
        return self.review.call.arguments


@pytest.mark.usefixtures("keyed")
class TestOnOneGraph:
    @pytest.fixture(params=[state_graph, react_agent, callback_agent], ids=["node", "hook", "callback"])
    def world(self, request: pytest.FixtureRequest, server: OpenAIServer) -> World:
        return World(server, "memory://", request.param)

    def test_an_interrupt_shows_marks(self, world: World) -> None:
        nowhere(json.dumps([one.value for one in world.result["__interrupt__"]]))
        assert world.shown == {
            "user": "bob",
            "password": "[hidden 1: password]",
            "card": "[hidden 2: card]",
            "note": "use [hidden 1: password] now",
        }
        assert set(world.review.hidden) == {"/password", "/card", "/note"}

    def test_an_approval_runs_what_was_planned(self, world: World) -> None:
        world.answer(approve())
        assert world.desk.ran == [PLANNED]
        assert world.review.state is ReviewState.DONE

    def test_a_rejection_runs_nothing(self, world: World) -> None:
        world.answer(reject("no"))
        assert world.desk.run == []


@pytest.mark.parametrize(
    "options",
    [{"dispatch": True}, {"dispatch": False}, {"release_confident": True}],
    ids=["tool node", "plain", "where it starts"],
)
class TestEdits:
    @pytest.fixture
    def world(self, server: OpenAIServer, keyed: bool, options: dict[str, Any]) -> World:
        return World(server, "memory://", **options)

    def test_what_is_left_as_shown_keeps_the_planned_value(self, world: World) -> None:
        world.answer(edit("login", **{**world.shown, "user": "eve"}))
        assert world.desk.ran == [{**PLANNED, "user": "eve"}]
        nowhere(json.dumps(world.review.decision.arguments))  # type: ignore[union-attr]

    def test_a_typed_secret_runs_and_is_written_nowhere(self, world: World) -> None:
        world.answer(edit("login", **{**world.shown, "password": TYPED, "note": "plain"}))
        assert world.desk.ran == [{**PLANNED, "password": TYPED, "note": "plain"}]
        decision = world.review.decision
        assert decision is not None
        assert decision.arguments == {**world.shown, "password": "[hidden e1: password]", "note": "plain"}
        assert decision.by == "resume"

    @pytest.mark.parametrize(
        "changes",
        [
            {"user": "[hidden 1: password]"},
            {"password": "[hidden 2: card]"},
            {"password": "[hidden 1: password] "},
            {"note": "use [hidden 1: password] please"},
            {"password": "[hidden 9: password]"},
            {"user": ["[Hidden 1: password]"]},
        ],
    )
    def test_a_mark_elsewhere_is_asked_again(self, world: World, changes: dict[str, Any]) -> None:
        result = world.answer(edit("login", **{**world.shown, **changes}))
        (again,) = evidence(result)
        assert "mark" in again["problem"]
        assert world.desk.run == []
        world.result = result
        world.answer(approve())
        assert world.desk.ran == [PLANNED]

    def test_rules_look_at_the_value_itself(self, world: World) -> None:
        """Such a card may only be rejected, so the edit is reviewed again."""
        result = world.answer(edit("login", **{**world.shown, "card": 9999999999999995}))
        nowhere(json.dumps([one.value for one in result["__interrupt__"]]))
        assert "9999999999999995" not in json.dumps([one.value for one in result["__interrupt__"]])
        world.result = result
        world.answer(reject())
        assert world.desk.run == []


class TestPermits:
    """The one place where every adapter asks whether a call may run."""

    @pytest.fixture
    def world(self, server: OpenAIServer, keyed: bool) -> World:
        return World(server, "memory://")

    def permit(self, world: World, **changes: Any) -> Permit | Refusal:
        (planned,) = world.store.record(world.review.record_id).planned.calls
        called = ToolCall(name="login", arguments={**PLANNED, **changes}, id=planned.id)
        return permit(
            world.store,
            Queue(world.store),
            record_id=world.review.record_id,
            thread_id="t1",
            call=called,
        )

    @pytest.mark.parametrize("changes", [{"password": "another-Secret1"}, {"user": "eve"}, {"card": 4012888888881881}])
    def test_a_call_that_changed_does_not_run_and_uses_nothing_up(self, world: World, changes: dict[str, Any]) -> None:
        Queue(world.store).approve(world.review.id, by="ana")
        assert isinstance(self.permit(world, **changes), Refusal)
        assert isinstance(self.permit(world, **world.shown), Refusal)
        assert world.review.state is ReviewState.DECIDED
        may = self.permit(world)
        assert isinstance(may, Permit)
        assert may.call.arguments == PLANNED
        assert isinstance(self.permit(world), Refusal)
        finished(Queue(world.store), may)
        assert world.review.state is ReviewState.DONE

    def test_the_planned_call_becomes_the_edit_of_it(self, world: World) -> None:
        Queue(world.store).edit(world.review.id, by="ana", arguments={**world.shown, "user": "eve"})
        may = self.permit(world)
        assert isinstance(may, Permit)
        assert may.call.arguments == {**PLANNED, "user": "eve"}
        assert world.review.state is ReviewState.EXECUTING
        assert isinstance(self.permit(world), Refusal)
        assert isinstance(self.permit(world, user="eve"), Refusal)


@pytest.mark.parametrize("releases", [False, True], ids=["node", "where it starts"])
class TestElsewhere:
    """Decided in the queue, on a durable store, and carried out by a process that was not there before."""

    @pytest.fixture
    def world(self, server: OpenAIServer, keyed: bool, tmp_path: Path, releases: bool) -> World:
        return World(server, f"sqlite:///{tmp_path / 'guardrail.db'}", release_confident=releases)

    async def resumed(self, world: World) -> list[str]:
        world.store.close()
        world.store = open_store(world.url)
        queue = Queue(world.store, tenant=None)
        done = await resume_decided(world.graph(), queue, Leases(world.store, by="this test"))
        return [one.outcome for one in done]

    async def test_an_approval(self, world: World) -> None:
        Queue(world.store).approve(world.review.id, by="ana", seen_digest=world.review.digest)
        assert await self.resumed(world) == ["resumed"]
        assert world.desk.ran == [PLANNED]

    async def test_an_edit_that_keeps(self, world: World) -> None:
        Queue(world.store).edit(world.review.id, by="ana", arguments={**world.shown, "user": "eve"})
        assert await self.resumed(world) == ["resumed"]
        assert world.desk.ran == [{**PLANNED, "user": "eve"}]
        assert world.review.state is ReviewState.DONE

    async def test_an_edit_that_types_a_secret(self, world: World, keyed: bool, tmp_path: Path) -> None:
        given = {**world.shown, "password": TYPED}
        if not keyed:
            with pytest.raises(InvalidDecision, match=r"/password.*could not run"):
                Queue(world.store).edit(world.review.id, by="ana", arguments=given)
            assert world.review.state is ReviewState.PENDING
            return
        Queue(world.store).edit(world.review.id, by="ana", arguments=given)
        assert await self.resumed(world) == ["resumed"]
        assert world.desk.ran == [{**PLANNED, "password": TYPED}]
        in_no_file(tmp_path)

    async def test_without_the_key_the_decision_waits_for_it(
        self, world: World, keyed: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if not keyed:
            pytest.skip("nothing was sealed")
        key = os.environ[VARIABLE]
        Queue(world.store).edit(world.review.id, by="ana", arguments={**world.shown, "password": TYPED})
        monkeypatch.delenv(VARIABLE)
        with pytest.raises(ConfigError, match=VARIABLE):
            world.graph().invoke(resume(world.result, approve()), thread())
        assert world.desk.run == []
        assert world.review.state is ReviewState.DECIDED
        monkeypatch.setenv(VARIABLE, f"{new_key()},{key}")
        world.graph().invoke(resume(world.result, approve()), thread())
        assert world.desk.ran == [{**PLANNED, "password": TYPED}]

    async def test_a_hidden_value_that_does_not_fit_is_refused_at_once(self, world: World) -> None:
        with pytest.raises(InvalidDecision) as told:
            Queue(world.store).edit(world.review.id, by="ana", arguments={**world.shown, "card": "no-number-9"})
        assert "no-number-9" not in str(told.value)
        with pytest.raises(InvalidDecision, match="user"):
            Queue(world.store).edit(world.review.id, by="ana", arguments={**world.shown, "user": 5})
        assert world.review.state is ReviewState.PENDING


def test_a_call_that_runs_at_once_is_told_by_its_digest(server: OpenAIServer, tmp_path: Path) -> None:
    rules = {**RULES, "tools": [{"match": "login", "tier": "high"}]}
    desk, store = Desk(), open_store(f"sqlite:///{tmp_path / 'guardrail.db'}")
    graph = state_graph(server, desk, saver=MemorySaver(), store=store, rules=Policy.parse(rules))
    result = graph.invoke(GO, thread())
    assert desk.ran == [PLANNED]
    assert [message.content for message in answers(result)] == ["in"]
    store.close()
    in_no_file(tmp_path)


def test_no_batch_decides_on_calls_that_only_look_equal(server: OpenAIServer) -> None:
    """Marks of two records may be the same although their values are not."""
    world = World(server, "memory://")
    world.store.add_review(replace(world.review, id="another-review", tier=Tier.LOW))
    decision = Decision(type=DecisionType.APPROVE, by="ana", at="2026-01-01T00:00:00Z")
    with pytest.raises(InvalidDecision, match="hidden"):
        Queue(world.store).decide_all(["another-review"], decision, by=Principal(name="ana"))
