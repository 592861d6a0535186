"""The code of docs/uis.md runs, and does what the page says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import MemorySaver

from guardrail.types import ReviewState
from tests.support.agents import chat_model
from tests.support.openai_server import OpenAIServer, calls, say
from tests.support.ui_contracts import AgentChatUI, stream_interrupt, thread_of

PAGE = (Path(__file__).parents[2] / "docs" / "uis.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, flags=re.DOTALL)
SETTING, ANSWER, EVIDENCE = [text for language, text in BLOCKS if language == "python"]
POLICY = "default: {tier: low}\ntools:\n  - {match: pay, tier: critical}\n"


def reply(body: dict[str, Any], _index: int) -> dict[str, Any]:
    asked = [message["content"] for message in body["messages"] if message["role"] == "user"][-1]
    if body["messages"][-1]["role"] == "tool":
        return say("done")
    _, people, amount = asked.split()
    return calls(*(("pay", {"amount": int(amount), "to": name}) for name in people.split("+")))


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    from langchain_core.tools import tool

    monkeypatch.chdir(tmp_path)
    Path("policy.yaml").write_text(POLICY, "utf-8")
    paid: list[tuple[int, str]] = []

    @tool
    def pay(amount: int, to: str) -> str:
        """Pay somebody."""
        paid.append((amount, to))
        return "paid"

    with OpenAIServer(reply) as server:
        given: dict[str, Any] = {"model": chat_model(server), "tools": [pay], "paid": paid}
        exec(compile(SETTING, "docs/uis.md", "exec"), given)
        given["graph"].checkpointer = MemorySaver()  # as LangGraph's server does
        yield given
        given["store"].close()


def test_the_page_has_no_block_that_is_not_tried() -> None:
    assert [language for language, _ in BLOCKS] == ["python", "json", "python", "python"]


def test_an_answer_of_agent_inbox_runs_the_call_with_a_number(names: dict[str, Any]) -> None:
    exec(compile(ANSWER, "docs/uis.md", "exec"), names)
    assert names["paid"] == [(12, "ann")]
    assert [review.state for review in names["store"].reviews()] == [ReviewState.DONE]


def test_the_evidence_is_where_the_page_says(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(EVIDENCE, "docs/uis.md", "exec"), names)
    (review,) = names["store"].reviews()
    assert capsys.readouterr().out == f"{review.id} 8 of 8\n"
    assert names["paid"] == []


def test_the_graph_is_found_by_its_name_and_asks_in_turn(names: dict[str, Any]) -> None:
    (settings,) = [json.loads(text) for language, text in BLOCKS if language == "json"]
    (path,) = settings["graphs"].values()
    assert path.partition(":")[2] in names
    config = {"configurable": {"thread_id": "3"}}
    names["graph"].invoke({"messages": [("user", "pay bob+ann 20")]}, config)
    (card,) = AgentChatUI.cards(stream_interrupt(thread_of(names["graph"], config)))
    assert card.args == {"amount": 20, "to": "bob"}
