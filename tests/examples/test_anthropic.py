"""The loop on the Anthropic SDK, against a server of its API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("anthropic")

from guardrail.types import ReviewState, Route
from tests.examples.conftest import Folder
from tests.examples.test_agents import QUESTION, RAN
from tests.support.anthropic_server import AnthropicServer, say, use


def clerk(amount: int) -> Any:
    """Looks the order up, pays ``amount`` back and says so."""

    def reply(body: dict[str, Any], _index: int) -> Any:
        said = str([message["content"] for message in body["messages"] if message["role"] == "user"])
        if "refunded" in said:
            return say("The money is on its way.")
        return use("refund", number=1042, amount=amount) if "paid" in said else use("order", number=1042)

    return reply


@pytest.fixture
def claude(folder: Folder) -> Iterator[AnthropicServer]:
    with AnthropicServer(clerk(35)) as server:
        folder.environment |= {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": "x"}
        yield server


def test_without_the_guard_it_runs_what_is_planned(folder: Folder, claude: AnthropicServer) -> None:
    claude.reset(clerk(350))
    said = folder.run("python", "anthropic_loop/before.py", QUESTION)
    assert RAN.format(350) in said
    assert "The money is on its way." in said
    assert len(claude.requests) == 3


def test_with_the_guard_what_the_model_means_runs(folder: Folder, claude: AnthropicServer) -> None:
    said = folder.run("python", "anthropic_loop/after.py", QUESTION)
    assert said.count(RAN.format(35)) == 1
    assert len(claude.requests) == 3 + 2 + 4
    assert [record.verdict.route for record in folder.records()] == [Route.EXECUTE] * 2
    assert folder.reviews() == []


def test_a_large_refund_waits_and_goes_on_when_somebody_decides(folder: Folder, claude: AnthropicServer) -> None:
    claude.reset(clerk(350))
    process = folder.start("python", "anthropic_loop/after.py", QUESTION)
    folder.approve(folder.waiting(process))
    said = folder.ended(process)
    assert said.count(RAN.format(350)) == 1
    assert "The money is on its way." in said
    assert len(claude.requests) == 3 + 2 + 8
    assert [one.state for one in folder.reviews()] == [ReviewState.DONE]
