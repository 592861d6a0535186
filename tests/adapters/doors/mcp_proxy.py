"""The proxy in front of a server of the Model Context Protocol; both in this process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.shared.memory import create_client_server_memory_streams
from mcp_types import (
    CreateMessageResultWithTools,
    ElicitResult,
    SamplingCapability,
    SamplingContextCapability,
    SamplingToolsCapability,
    TextContent,
    ToolUseContent,
)

from guardrail.types import Tier
from guardrail_mcp import Proxy, Settings
from tests.adapters.door import ASYNC, Conversation, Door, Setting, Unable, closing
from tests.adapters.script import Played, Script, Turn
from tests.adapters.serving import Served
from tests.adapters.tools import Tools

_PATIENCE = 10
"""How often the agent plans before it gives up."""
ABLE = SamplingCapability(tools=SamplingToolsCapability(), context=SamplingContextCapability())


class ClientServed(Served):
    """The client's own model: the protocol has no request that plans, and one request for each sample."""

    def play(self, script: Script, *, n: str = "honour") -> None:
        self.played = Played(script)
        self._requests = 0

    async def draw(self, _context: Any, _params: Any) -> CreateMessageResultWithTools:
        """A sample, as the client's application gives it."""
        self._requests += 1
        turn = self.played.turn(sample=True)
        if turn is None:
            raise RuntimeError("the model is not there")
        blocks: list[Any] = [
            ToolUseContent(name=one[0], id=f"s{self._requests}", input=one[1]) for one in turn.calls
        ] or [TextContent(text=turn.text)]
        return CreateMessageResultWithTools(role="assistant", model="m", content=blocks, stop_reason="toolUse")

    @property
    def plans(self) -> int:
        return self.played.asked

    @property
    def choices(self) -> int:
        return self.played.drawn

    @property
    def requests(self) -> int:
        return self._requests

    @property
    def streamed(self) -> int:
        return 0


def bank(tools: Tools) -> MCPServer:
    """The server with the tools."""
    server = MCPServer("bank")

    @server.tool()
    def pay(amount: int, to: str) -> str:
        """Pay somebody."""
        return tools.ran("pay", {"amount": amount, "to": to})

    @server.tool()
    def balance(account: str) -> str:
        """Tell the balance."""
        return tools.ran("balance", {"account": account})

    @server.tool()
    def wipe(account: str) -> str:
        """Delete an account."""
        return tools.ran("wipe", {"account": account})

    return server


class ProxyConversation(Conversation):
    """An agent that plans by the script, and calls what it planned through the proxy."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._open: list[Any] = setting.memory.get("open", [])

    async def go(self) -> None:
        async with self._client() as client:
            await self._on(client, await self._plan(None))

    async def resume(self) -> None:
        async with self._client() as client:
            await self._on(client, self._open)

    async def replay(self) -> None:
        """The agent makes the same call once more."""
        async with self._client() as client:
            await self._on(client, list(self.setting.memory["waited"]))

    async def say(self, text: str) -> None:
        """The agent turns to something else."""
        self._keep([])
        async with self._client() as client:
            await self._on(client, await self._plan(None))

    async def answer(self, kind: str, **said: Any) -> None:
        if kind not in ("approve", "reject"):
            raise Unable  # a form of the protocol has no room for an edit
        answers = {"approve": ("accept", {"decision": "approve"}), "reject": ("accept", {"decision": "reject", **said})}
        action, content = answers[kind]

        async def asked(_context: Any, _params: Any) -> ElicitResult:
            return ElicitResult(action=action, content=content)  # type: ignore[arg-type]

        async with self._client(wait=30.0, elicitation_callback=asked) as client:
            await self._on(client, self._open)

    async def change(self, **arguments: Any) -> None:
        self._keep([(one[0], {**one[1], **arguments}) for one in self._open])
        await self.resume()

    async def _on(self, client: Client, calls: Any) -> None:
        for _ in range(_PATIENCE):
            if not calls:
                return
            results: dict[int, Any] = {}
            async with anyio.create_task_group() as tasks:
                for number, one in enumerate(calls):
                    tasks.start_soon(_called, client, one, number, results)
            said = {number: "\n".join(block.text for block in one.content) for number, one in results.items()}
            self.seen += str(said)
            waits = [one for number, one in enumerate(calls) if "Not executed yet" in said[number]]
            self.told += [said[number] for number in sorted(said) if "Not executed yet" not in said[number]]
            self._keep(waits)
            calls = () if waits else await self._plan(said[max(said)])

    async def _plan(self, told: str | None) -> Any:
        turn = self.setting.served.played.turn(sample=False, told=told)
        self.seen += str(turn)
        if not turn.calls:
            self.final = turn.text
        return turn.calls and _readable(turn)

    def _keep(self, calls: Any) -> None:
        self._open = self.setting.memory["open"] = list(calls)
        if calls:
            self.setting.memory.setdefault("waited", list(calls))

    @asynccontextmanager
    async def _client(self, *, wait: float = 0.0, **how: Any) -> AsyncIterator[Client]:
        setting = self.setting
        settings = Settings(
            policy=setting.policy,
            thread_id=setting.thread_id,
            requester="mcp",
            wait=wait,
            elicit=frozenset(Tier),
            **setting.options,
        )
        server: Any = bank(setting.tools)._lowlevel_server
        async with (
            create_client_server_memory_streams() as (at_client, at_proxy),
            create_client_server_memory_streams() as (to_server, at_server),
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(server.run, *at_server, server.create_initialization_options())
            tasks.start_soon(Proxy(settings, setting.store).run, at_proxy, to_server)
            draws = {"sampling_callback": setting.served.draw, "sampling_capabilities": ABLE}
            async with Client(_given(at_client), mode="legacy", **draws, **how) as client:
                yield client
            tasks.cancel_scope.cancel()


async def _called(client: Client, one: Any, number: int, results: dict[int, Any]) -> None:
    results[number] = await client.call_tool(one[0], one[1])


@asynccontextmanager
async def _given(streams: Any) -> AsyncIterator[Any]:
    yield streams


def _readable(turn: Turn) -> list[Any]:
    """The calls with arguments: a client of the protocol sends none that it cannot read."""
    found = []
    for one in turn.calls:
        try:
            found.append((one[0], json.loads(one[1]) if isinstance(one[1], str) else one[1]))
        except ValueError as error:
            raise Unable from error
    return found


class ProxyDoor(Door):
    """One session after the other on one thread."""

    name = "mcp"
    ways = (ASYNC,)
    serving = ClientServed

    def open(self, setting: Setting) -> AbstractAsyncContextManager[Conversation]:
        return closing(ProxyConversation(setting))


DOORS = [ProxyDoor()]
