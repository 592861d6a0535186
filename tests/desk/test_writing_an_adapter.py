"""The adapter that docs/adapters.md shows is one: what it lets run was decided on, and runs once."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guardrail import Policy, Queue, Store, ToolSpec, open_store
from guardrail.types import ReviewState
from tests.support.approval_trace import TAPE, Ran, taped

(CODE,) = re.findall(
    r"```python\n(.*?)```", (Path(__file__).parents[2] / "docs/adapters.md").read_text("utf-8"), flags=re.DOTALL
)
SPECS = (ToolSpec(name="pay", parameters={"type": "object", "properties": {"amount": {"type": "integer"}}}),)
Amounts = Iterator[int]


@pytest.fixture(autouse=True)
def _approvals_hold() -> Iterator[None]:
    with taped() as tape:
        yield
    assert tape.broken() == []


class Bank:
    """A model that pays until it is told that it has, a tool that counts, and the adapter between them."""

    def __init__(self, tier: str, amounts: Amounts, *, wait: int = 0) -> None:
        self.store: Store = open_store("memory://")
        self.queue = Queue(self.store)
        self.paid: list[int] = []
        self.asked = 0
        self.messages: list[dict[str, Any]] = [{"role": "user", "text": "pay"}]
        names: dict[str, Any] = {}
        exec(compile(CODE.replace("wait=600", f"wait={wait}"), "docs/adapters.md", "exec"), names)
        policy = Policy.parse({"tools": [{"match": "pay", "tier": tier}]})
        ids, turns = itertools.count(), amounts

        def model(messages: list[dict[str, Any]]) -> dict[str, Any]:
            self.asked += 1
            if messages[-1].get("text", "").startswith("paid"):
                return {"text": "done", "calls": []}
            return {"text": "", "calls": [("pay", {"amount": next(turns)}, f"c{next(ids)}")]}

        def pay(amount: int) -> str:
            self.paid.append(amount)
            TAPE.add(Ran(name="pay", arguments={"amount": amount}, key=""))
            return f"paid {amount}"

        self.agent = names["GuardedAgent"](model, {"pay": pay}, SPECS, policy=policy, store=self.store, thread_id="t")

    @property
    def said(self) -> str:
        text: str = self.messages[-1]["text"]
        return text


def test_what_is_agreed_on_runs_once() -> None:
    bank = Bank("medium", itertools.repeat(5))
    assert bank.agent.turn(bank.messages)
    assert (bank.paid, bank.said, bank.asked) == ([5], "paid 5", 5)  # four of five samples settle it
    planned = bank.messages[1]["calls"][0]
    assert "Not executed again" in bank.agent.run(planned)
    assert not bank.agent.turn(bank.messages)
    assert bank.paid == [5]


def test_what_is_doubtful_is_planned_again_and_then_waits_for_a_person() -> None:
    bank = Bank("medium", itertools.count())
    bank.agent.turn(bank.messages)
    assert "gave different answers" in bank.said
    bank.agent.turn(bank.messages)
    (review,) = bank.queue.waiting()
    assert review.id[:12] in bank.said
    assert bank.paid == []
    assert [record.attempt for record in bank.store.records()] == [1, 0]
    bank.queue.edit(review.id, by="ann", arguments={"amount": 7})
    assert bank.agent.run(bank.messages[-2]["calls"][0]) == "paid 7"
    assert bank.queue.get(review.id).state is ReviewState.DONE


@pytest.mark.parametrize("answer", ["approve", "reject"])
def test_it_waits_for_the_decision(answer: str) -> None:
    bank = Bank("critical", itertools.repeat(5), wait=30)
    decide: Callable[..., Any] = getattr(bank.queue, answer)

    def person() -> None:
        mark = 0
        while not (waiting := bank.queue.waiting()):
            bank.store.wait_for_change(1.0, since=mark)
            mark = bank.store.change_mark()
        decide(waiting[0].id, by="ann")

    thread = threading.Thread(target=person, daemon=True)
    thread.start()
    bank.agent.turn(bank.messages)
    thread.join()
    assert bank.paid == ([5] if answer == "approve" else [])
    assert bank.said.startswith("paid" if answer == "approve" else "Not executed: rejected")
