"""Agents of LlamaIndex over the counting server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

pytest.importorskip("llama_index.core")

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.tools import FunctionTool

from guardrail import Queue, Review, Store, open_store
from guardrail_llama_index import ReviewRequired, guarded, idempotency_key, resume
from tests.support.approval_trace import TAPE, Ran, taped
from tests.support.guarded_loops import rules
from tests.support.llama_llm import ServedLLM, quiet
from tests.support.openai_server import OpenAIServer


@pytest.fixture(autouse=True)
def _approvals_hold() -> Iterator[None]:
    """Whatever a test does to an agent, agentack's rules on approvals hold on what happened."""
    with quiet(), taped() as tape:
        yield
    assert tape.broken() == []


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrail.sampling.drawing.BACKOFF_SECONDS", 0.001)


@dataclass(kw_only=True)
class House:
    """A server and tools that count their runs."""

    server: OpenAIServer
    run: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    store: Store = field(default_factory=lambda: open_store("memory://"))

    def ran(self, name: str, **arguments: Any) -> str:
        """A tool ran."""
        self.run.append((name, arguments))
        TAPE.add(Ran(name=name, arguments=arguments, key=idempotency_key(), at=datetime.now(UTC)))
        return f"{name} done"

    def llm(self, **more: Any) -> ServedLLM:
        """The served model."""
        return ServedLLM(url=self.server.url, **more)

    def tools(self) -> list[Any]:
        """Three tools of different stakes, one of them synchronous."""

        async def pay(amount: int) -> str:
            """Pay somebody."""
            return self.ran("pay", amount=amount)

        def balance(account: str = "main") -> str:
            """Tell the balance."""
            return self.ran("balance", account=account)

        async def wipe(account: str) -> str:
            """Delete an account."""
            return self.ran("wipe", account=account)

        return [pay, balance, FunctionTool.from_defaults(async_fn=wipe)]

    def plain(self, **more: Any) -> FunctionAgent:
        """An agent without the guard."""
        return FunctionAgent(**{"llm": self.llm(), "tools": self.tools(), "streaming": False, **more})

    def agent(self, tier: str = "critical", *, plain: Any = None, **more: Any) -> Any:
        """The agent with the guard."""
        given = {"policy": rules(tier), "store": self.store, "thread_id": "t", **more}
        return guarded(plain or self.plain(), **given)

    async def go(self, agent: Any, decide: Any = None, **given: Any) -> tuple[str, list[Any]]:
        """A run to its end, and its events; ``decide`` is told of each review, and says whether to look again."""
        handler = agent.run(**(given or {"user_msg": "go"}))
        events: list[Any] = []
        async for event in handler.stream_events():
            events.append(event)
            if isinstance(event, ReviewRequired):
                assert decide is not None
                decide(event.review_id)
                assert await resume(agent, handler.ctx, event)
        return str(await handler), events

    @property
    def drawn(self) -> int:
        """How many samples the server was asked for."""
        return len(self.server.drawn)

    @property
    def queue(self) -> Queue:
        """Where people decide."""
        return Queue(self.store)

    def waiting(self) -> list[Review]:
        """Reviews that nobody has decided."""
        return self.queue.waiting()


@pytest.fixture
def house() -> Iterator[House]:
    """All of it."""
    with OpenAIServer() as server:
        yield House(server=server)
