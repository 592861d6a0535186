"""One counting server for all tests, and a loop through each door of the SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

pytest.importorskip("anthropic")

from anthropic import Anthropic, AsyncAnthropic

from guardrail import Policy, Review, StepVerdict, Store, open_store
from guardrail_anthropic import GuardedAnthropic
from tests.support.anthropic_server import AnthropicServer, use
from tests.support.approval_trace import taped
from tests.support.guarded_loops import SCHEMA, Tools, done, rules

WAYS = [(how, form) for how in ("sync", "async") for form in ("plain", "events", "stream")]
TOOLS = [{"name": name, "input_schema": SCHEMA} for name in ("pay", "balance", "wipe")]
REQUEST: dict[str, Any] = {
    "model": "m",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "pay 100"}],
    "tools": TOOLS,
    "extra_body": {"temperature": 0},
}


@dataclass(kw_only=True)
class Loop:
    """One conversation through one door."""

    server: AnthropicServer
    how: str
    form: str
    policy: Policy
    store: Store
    thread_id: str = "t"
    options: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    turns: list[Any] = field(default_factory=lambda: [{"role": "user", "content": "go"}])
    tools: Tools = field(default_factory=Tools)
    events: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        kind: Any = Anthropic if self.how == "sync" else AsyncAnthropic
        self.sdk = kind(api_key="x", base_url=self.server.url)
        self.client = GuardedAnthropic(
            self.sdk, policy=self.policy, store=self.store, thread_id=self.thread_id, **self.options
        )
        self.functions = self.tools.by_name(asynchronous=self.how == "async")

    def restarted(self) -> Loop:
        """The same conversation in another process: another client, which knows the store and the messages."""
        given = {name: getattr(self, name) for name in ("server", "how", "form", "policy", "store", "turns", "tools")}
        return Loop(**given)

    async def close(self) -> None:
        await done(self.sdk.close())

    async def plan(self) -> list[Any]:
        """One turn of the model: its tool_use blocks; the verdict is in ``verdict``."""
        request = {**REQUEST, **self.more, "messages": self.turns}
        self.message = await self._message(request)
        self.turns.append({"role": "assistant", "content": self.message.content})
        self.verdict: StepVerdict | None = self.client.verdict(self.message)
        return [block for block in self.message.content if block.type == "tool_use"]

    async def _message(self, request: dict[str, Any]) -> Any:
        messages = self.client.messages
        if self.form == "plain":
            return await done(messages.create(**request))
        if self.form == "stream" and self.how == "async":
            async with messages.stream(**request) as stream:
                self.events = [event async for event in stream]
                return await stream.get_final_message()
        if self.form == "stream":
            with messages.stream(**request) as stream:
                self.events = list(stream)
                return stream.get_final_message()
        events = await done(messages.create(**request, stream=True))
        self.events = [event async for event in events] if self.how == "async" else list(events)
        return put_together(self.events)

    async def run(self, block: Any, **more: Any) -> dict[str, Any]:
        """Run a call or hear why not."""
        result: dict[str, Any] = await done(self.client.run(block, self.functions, **more))
        return result

    async def answer(self, blocks: list[Any], **more: Any) -> list[dict[str, Any]]:
        """Run the calls of a turn; their results are the next message."""
        results = [await self.run(block, **more) for block in blocks]
        self.turns.append({"role": "user", "content": results})
        return results

    def waiting(self) -> list[Review]:
        """Reviews that nobody has decided."""
        found: list[Review] = self.client.guard.queue.waiting()
        return found


def put_together(events: list[Any]) -> Any:
    """The message of raw events, as a program does that has nothing but these."""
    import json

    from anthropic.types import Message

    blocks: dict[int, dict[str, Any]] = {}
    written: dict[int, str] = {}
    data: dict[str, Any] = {}
    for event in events:
        match event.type:
            case "message_start":
                data = event.message.model_dump()
            case "content_block_start":
                blocks[event.index] = event.content_block.model_dump()
            case "content_block_delta" if event.delta.type == "input_json_delta":
                written[event.index] = written.get(event.index, "") + event.delta.partial_json
            case "content_block_delta" if event.delta.type == "text_delta":
                blocks[event.index]["text"] += event.delta.text
            case "content_block_delta" if event.delta.type == "thinking_delta":
                blocks[event.index]["thinking"] += event.delta.thinking
            case "content_block_delta" if event.delta.type == "signature_delta":
                blocks[event.index]["signature"] = event.delta.signature
            case "message_delta":
                data["stop_reason"] = event.delta.stop_reason
    for index, text in written.items():
        blocks[index]["input"] = json.loads(text) if text else {}
    return Message.model_validate({**data, "content": [blocks[index] for index in sorted(blocks)]})


Make = Callable[..., Loop]


@pytest.fixture(autouse=True)
def _approvals_hold() -> Iterator[None]:
    with taped() as tape:
        yield
    assert tape.broken() == []


@pytest.fixture(scope="session")
def running() -> Iterator[AnthropicServer]:
    with AnthropicServer() as server:
        yield server


@pytest.fixture
def server(running: AnthropicServer) -> AnthropicServer:
    running.reset(lambda _body, index: use("pay", amount=index))
    return running


@pytest.fixture
def client(server: AnthropicServer) -> Iterator[Anthropic]:
    with Anthropic(api_key="x", base_url=server.url) as client:
        yield client


@pytest.fixture(params=WAYS, ids="-".join)
async def make(request: pytest.FixtureRequest, server: AnthropicServer) -> AsyncIterator[Make]:
    """A loop through each door."""
    how, form = request.param
    made: list[Loop] = []

    def loop(tier: str = "medium", **more: Any) -> Loop:
        given = {"policy": rules(tier), "store": open_store("memory://"), **more}
        made.append(Loop(server=server, how=how, form=form, **given))
        return made[-1]

    yield loop
    for one in made:
        await one.close()
