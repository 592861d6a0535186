"""The code of docs/anthropic.md runs."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic

from guardrail import Queue, open_store
from guardrail_anthropic import GuardedAnthropic, WaitsForReview
from tests.anthropic.conftest import TOOLS
from tests.support.anthropic_server import AnthropicServer, until_answered, use
from tests.support.guarded_loops import rules

LOOP, PERMIT = re.findall(
    r"```python\n(.*?)```", (Path(__file__).parents[2] / "docs/anthropic.md").read_text("utf-8"), flags=re.DOTALL
)


def names(paid: list[int]) -> dict[str, Any]:
    return {
        "messages": [{"role": "user", "content": "pay"}],
        "tools": TOOLS,
        "functions": {"pay": lambda amount: paid.append(amount) or "paid"},
    }


def test_the_loop(server: AnthropicServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "x")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    (tmp_path / "policy.yaml").write_text("tools:\n  - {match: pay, tier: medium}\n")
    server.reset(until_answered(use("pay", amount=100)))
    paid: list[int] = []
    given = names(paid)
    exec(compile(LOOP, "docs/anthropic.md", "exec"), given)
    assert paid == [100]
    assert given["messages"][2]["content"][0]["content"] == "paid"
    given["client"].close()
    given["client"].store.close()


@pytest.mark.parametrize("tier", ["medium", "critical"])
def test_running_calls_oneself(
    server: AnthropicServer,
    client: Anthropic,
    tier: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting, decided = threading.Event(), WaitsForReview.decided

    def looked(self: WaitsForReview) -> bool:
        waiting.set()
        return decided(self)

    monkeypatch.setattr(WaitsForReview, "decided", looked)
    server.reset(until_answered(use("pay", amount=100)))
    store = open_store("memory://")
    paid: list[int] = []
    given = names(paid) | {"client": GuardedAnthropic(client, policy=rules(tier), store=store, thread_id="42")}

    def person() -> None:
        queue = Queue(store)
        assert waiting.wait(30)
        queue.approve(queue.waiting()[0].id, by="ann")

    thread = threading.Thread(target=person, daemon=True)
    if tier == "critical":
        thread.start()
    exec(compile(PERMIT, "docs/anthropic.md", "exec"), given)
    assert paid == ([100] if tier == "medium" else [])
    assert (capsys.readouterr().out.endswith("True\n")) is (tier == "critical")
    if tier == "critical":
        thread.join()
