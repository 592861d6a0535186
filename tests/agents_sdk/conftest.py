"""Agents of the OpenAI Agents SDK over the counting server, in every way in which they run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

pytest.importorskip("agents")

from agents import (
    Agent,
    FunctionTool,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    RunState,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI

from guardrail import Policy, Store, open_store
from guardrail_openai.agents import guarded, idempotency_key
from tests.support.approval_trace import TAPE, Ran, taped
from tests.support.guarded_loops import rules
from tests.support.openai_server import OpenAIServer

WAYS = [(api, stream) for api in ("chat", "responses") for stream in (False, True)]


@pytest.fixture(autouse=True)
def _approvals_hold() -> Iterator[None]:
    """Whatever a test does to an agent, agentack's rules on approvals hold on what happened."""
    with taped() as tape:
        yield
    assert tape.broken() == []


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    set_tracing_disabled(True)
    monkeypatch.setattr("guardrail.sampling.drawing.BACKOFF_SECONDS", 0.01)


class Bank:
    """Function tools that count their runs."""

    def __init__(self) -> None:
        self.run: list[tuple[str, dict[str, Any]]] = []
        self.keys: list[str] = []

    def ran(self, name: str, **arguments: Any) -> str:
        """A tool ran."""
        self.run.append((name, arguments))
        self.keys.append(idempotency_key())
        TAPE.add(Ran(name=name, arguments=arguments, key=idempotency_key()))
        return f"{name} done"

    def tools(self) -> list[FunctionTool]:
        """Three tools of different stakes, one of them asynchronous."""

        @function_tool
        def pay(amount: int) -> str:
            """Pay somebody."""
            return self.ran("pay", amount=amount)

        @function_tool
        async def balance(account: str = "main") -> str:
            """Tell the balance."""
            return self.ran("balance", account=account)

        @function_tool
        def wipe(account: str) -> str:
            """Delete an account."""
            return self.ran("wipe", account=account)

        return [pay, balance, wipe]


@dataclass(kw_only=True)
class House:
    """A server, a client and the tools; agents are made as they are wanted."""

    server: OpenAIServer
    client: AsyncOpenAI
    api: str
    stream: bool
    bank: Bank = field(default_factory=Bank)
    store: Store = field(default_factory=lambda: open_store("memory://"))

    def plain(self, name: str = "clerk", **more: Any) -> Agent[Any]:
        """An agent without the guard."""
        kind: Any = OpenAIChatCompletionsModel if self.api == "chat" else OpenAIResponsesModel
        given = {"tools": self.bank.tools(), "model": kind("m", self.client), **more}
        return Agent(name=name, **given)

    def agent(self, tier: str = "medium", *, policy: Policy | None = None, **more: Any) -> Agent[Any]:
        """The agent with the guard."""
        plain = more.pop("plain", None) or self.plain()
        given = {"policy": policy or rules(tier), "store": self.store, "thread_id": "t", **more}
        return guarded(plain, **given)

    async def go(self, agent: Agent[Any], given: str | RunState[Any, Any] = "go", **more: Any) -> Any:
        """A run, streamed or not; its result."""
        if not self.stream:
            return await Runner.run(agent, given, **more)
        result = Runner.run_streamed(agent, given, **more)
        self.events = [event async for event in result.stream_events()]
        return result

    @property
    def drawn(self) -> int:
        """How many resamples the server was asked for."""
        return sum(body.get("n") or 1 for body in self.server.drawn)

    def waiting(self, agent: Agent[Any]) -> list[Any]:
        """Reviews that nobody has decided."""
        return queue_of(agent).waiting()


def queue_of(agent: Agent[Any]) -> Any:
    """The queue of a guarded agent."""
    model: Any = agent.model
    return model.seat.guard.queue


@pytest.fixture(params=WAYS, ids=lambda way: f"{way[0]}-{'stream' if way[1] else 'plain'}")
async def house(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """Both models of the SDK, streamed and not."""
    api, stream = request.param
    with OpenAIServer() as server:
        async with AsyncOpenAI(api_key="sk-test", base_url=server.url, max_retries=0) as client:
            yield House(server=server, client=client, api=api, stream=stream)
