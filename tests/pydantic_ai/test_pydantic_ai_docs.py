"""The code of docs/pydantic-ai.md runs."""

from __future__ import annotations

import ast
import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from guardrail import Queue, Store, open_store
from tests.pydantic_ai.conftest import House
from tests.support.guarded_loops import until_answered
from tests.support.openai_server import call

PAGE = Path(__file__).parents[2] / "docs/pydantic-ai.md"
RUN, CAPABILITY = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)


def approving(store: Store) -> None:
    """A reviewer, who approves what comes first."""
    queue, mark = Queue(store), store.change_mark()
    while not (waiting := queue.waiting()):
        store.wait_for_change(1.0, since=mark)
        mark = store.change_mark()
    queue.approve(waiting[0].id, by="ann")


async def run(code: str, names: dict[str, Any]) -> None:
    compiled = compile(code, PAGE.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    await eval(compiled, names)


@pytest.mark.parametrize("tier", ["high", "critical"])
async def test_the_page(
    house: House, tier: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.yaml").write_text(f"tools:\n  - {{match: pay, tier: {tier}}}\n")
    house.server.reset(until_answered(call("pay", amount=100)))
    names: dict[str, Any] = {"model": house.model, "pay": house.tools()[0]}
    reviewers = []
    if tier == "critical":
        reviewers = [asyncio.to_thread(approving, open_store("sqlite:///guardrail.db"))]
    await asyncio.gather(run(RUN, names), *reviewers)
    assert capsys.readouterr().out == "done\n"
    assert house.run == [("pay", {"amount": 100})]
    if tier == "high":
        await run(CAPABILITY, names)
        assert names["result"].output == "done"
        assert len(house.run) == 2
