"""Agents of pydantic-ai over the counting server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

pytest.importorskip("pydantic_ai")

from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from guardrail import Queue, Review, Store, open_store
from guardrail_pydantic_ai import GuardedAgent, guarded, idempotency_key
from tests.support.approval_trace import TAPE, Ran, taped
from tests.support.guarded_loops import rules
from tests.support.openai_server import OpenAIServer


@pytest.fixture(autouse=True)
def _approvals_hold() -> Iterator[None]:
    """Whatever a test does to an agent, agentack's rules on approvals hold on what happened."""
    with taped() as tape:
        yield
    assert tape.broken() == []


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrail.sampling.drawing.BACKOFF_SECONDS", 0.001)


@dataclass(kw_only=True)
class House:
    """A server, a client and tools that count their runs."""

    server: OpenAIServer
    client: AsyncOpenAI
    run: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    store: Store = field(default_factory=lambda: open_store("memory://"))

    def ran(self, name: str, **arguments: Any) -> str:
        """A tool ran."""
        self.run.append((name, arguments))
        TAPE.add(Ran(name=name, arguments=arguments, key=idempotency_key(), at=datetime.now(UTC)))
        return f"{name} done"

    @property
    def model(self) -> OpenAIChatModel:
        """The served model."""
        return OpenAIChatModel("m", provider=OpenAIProvider(openai_client=self.client))

    def tools(self) -> list[Any]:
        """Three tools of different stakes, one of them asynchronous."""

        def pay(amount: int) -> str:
            """Pay somebody."""
            return self.ran("pay", amount=amount)

        async def balance(account: str = "main") -> str:
            """Tell the balance."""
            return self.ran("balance", account=account)

        def wipe(account: str) -> str:
            """Delete an account."""
            return self.ran("wipe", account=account)

        return [pay, balance, wipe]

    def plain(self, **more: Any) -> Agent[Any, Any]:
        """An agent without the guard."""
        return Agent(**{"model": self.model, "tools": self.tools(), **more})

    def agent(self, tier: str = "critical", *, plain: Agent[Any, Any] | None = None, **more: Any) -> GuardedAgent:
        """The agent with the guard."""
        given = {"policy": rules(tier), "store": self.store, "thread_id": "t", **more}
        return guarded(plain or self.plain(), **given)

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
async def house() -> AsyncIterator[House]:
    """All of it."""
    with OpenAIServer() as server:
        async with AsyncOpenAI(api_key="sk-test", base_url=server.url, max_retries=0) as client:
            yield House(server=server, client=client)
