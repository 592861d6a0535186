"""The code of docs/openai.md runs."""

from __future__ import annotations

import ast
import asyncio
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

from guardrail import Queue, open_store
from guardrail.types import Review
from guardrail_openai import GuardedClient, WaitsForReview
from tests.openai.conftest import PAY, PAY_FLAT
from tests.support.guarded_loops import answered, rules, until_answered
from tests.support.openai_server import OpenAIServer, call

ROOT = Path(__file__).parents[2]
LOOP, PERMIT, AGENTS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/openai.md").read_text("utf-8"), flags=re.DOTALL)


@pytest.fixture
def _here(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    (tmp_path / "policy.yaml").write_text("tools:\n  - {match: pay, tier: medium}\n")


@pytest.mark.usefixtures("_here")
def test_the_loop(server: OpenAIServer) -> None:
    server.reset(until_answered(call("pay", amount=100)))
    paid: list[int] = []
    names: dict[str, Any] = {
        "messages": [{"role": "user", "content": "pay"}],
        "tools": [PAY],
        "functions": {"pay": lambda amount: paid.append(amount) or "paid"},
    }
    exec(compile(LOOP, "docs/openai.md", "exec"), names)
    assert paid == [100]
    assert names["messages"][-1]["content"] == "paid"
    names["client"].close()


@pytest.mark.parametrize("tier", ["medium", "critical"])
def test_running_calls_oneself(
    server: OpenAIServer,
    client: OpenAI,
    tier: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting, decided = threading.Event(), WaitsForReview.decided

    def looked(self: WaitsForReview) -> bool:
        waiting.set()
        return decided(self)

    def approve(review: Review) -> None:
        assert waiting.wait(30)
        Queue(store).approve(review.id, by="ann")

    monkeypatch.setattr(WaitsForReview, "decided", looked)
    server.reset(until_answered(call("pay", amount=100)))
    store = open_store("memory://")
    paid: list[int] = []
    names: dict[str, Any] = {
        "client": GuardedClient(client, policy=rules(tier), store=store, thread_id="42"),
        "items": [{"role": "user", "content": "pay"}],
        "flat_tools": [PAY_FLAT],
        "functions": {"pay": lambda amount: paid.append(amount) or "paid"},
    }
    reviewer = approving(store, approve)
    exec(compile(PERMIT, "docs/openai.md", "exec"), names)
    reviewer()
    assert paid == ([100] if tier == "medium" else [])
    assert (capsys.readouterr().out.endswith("True\n")) is (tier == "critical")


@pytest.mark.parametrize("tier", ["medium", "critical"])
async def test_the_agents_sdk(server: OpenAIServer, async_client: AsyncOpenAI, tier: str) -> None:
    agents = pytest.importorskip("agents")
    agents.set_tracing_disabled(True)
    server.reset(until_answered(call("pay", amount=100)))
    store = open_store("memory://")
    names: dict[str, Any] = {
        "model": agents.OpenAIChatCompletionsModel("m", async_client),
        "policy": rules_of_pay(tier),
        "store": store,
    }
    reviewer = approving(store, lambda review: Queue(store).approve(review.id, by="ann"))
    code = compile(AGENTS, "docs/openai.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    await eval(code, names)
    await asyncio.to_thread(reviewer)
    assert names["result"].final_output == "done"
    assert answered(server.requests[-1]) == "paid 100"


def approving(store: Any, decide: Callable[[Review], Any]) -> Callable[[], None]:
    """A reviewer who decides on whatever comes, until the returned function is called."""
    stop = threading.Event()

    def look() -> None:
        queue = Queue(store)
        while not stop.is_set():
            for review in queue.waiting():
                decide(review)
            time.sleep(0.01)

    thread = threading.Thread(target=look)
    thread.start()

    def ended() -> None:
        stop.set()
        thread.join()

    return ended


def rules_of_pay(tier: str) -> Any:
    from guardrail import Policy

    return Policy.parse({"tools": [{"match": "pay", "tier": tier}]})
