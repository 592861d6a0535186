"""``GuardedAnthropic``: plain loops on the Messages API."""

from __future__ import annotations

import inspect
import json
from contextlib import AbstractAsyncContextManager
from typing import Any, Self

from anthropic import Anthropic, AsyncAnthropic

from guardrail_anthropic import GuardedAnthropic, Refused, WaitsForReview
from tests.adapters.door import Conversation, Door, Setting, closing
from tests.adapters.script import Played, Script, Turn
from tests.adapters.serving import Served
from tests.adapters.tools import SPECS
from tests.support.anthropic_server import AnthropicServer, Block, Body, answered, is_sample, say, uses
from tests.support.openai_server import Fault

OFFERED: list[Any] = [
    {"name": one.name, "description": one.description, "input_schema": one.parameters} for one in SPECS
]


class AnthropicServed(Served):
    """The Messages API, by the counting server. It has no ``n``."""

    prompt_tokens = AnthropicServer.input_tokens + AnthropicServer.cache_read + AnthropicServer.cache_written
    completion_tokens = AnthropicServer.output_tokens

    def __init__(self) -> None:
        self.server = _Server()

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.__exit__(*error)

    def play(self, script: Script, *, n: str = "honour") -> None:
        self.played = self.server.played = Played(script)
        self.server.reset(self._reply)

    def _reply(self, body: Body, _index: int) -> list[Block]:
        turn = self.played.turn(sample=is_sample(body), told=answered(body)) or Turn(text="nothing")
        return uses(*turn.calls, text=turn.text) if turn.calls else say(turn.text)

    @property
    def plans(self) -> int:
        return len([body for body in self.server.requests if not is_sample(body)])

    @property
    def choices(self) -> int:
        return self.played.drawn

    @property
    def requests(self) -> int:
        return len(self.server.drawn)

    @property
    def streamed(self) -> int:
        return len([body for body in self.server.drawn if body.get("stream")])


class _Server(AnthropicServer):
    """Fails for samples where the script says so."""

    played: Played | None = None

    def arrived(self, body: Body, headers: dict[str, str]) -> Fault | None:
        found = super().arrived(body, headers)
        if self.played is not None and is_sample(body) and self.played.fails:
            return Fault(status=500)
        return found


class MessagesConversation(Conversation):
    """A loop that keeps its messages, and the calls that wait."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        kind: Any = AsyncAnthropic if setting.way.asynchronous else Anthropic
        self._sdk = kind(api_key="x", base_url=setting.served.server.url)
        self._client = GuardedAnthropic(
            self._sdk,
            policy=setting.policy,
            store=setting.store,
            thread_id=setting.thread_id,
            tools=OFFERED,
            **setting.options,
        )
        self._turns: list[Any] = setting.memory.setdefault("turns", [{"role": "user", "content": "go"}])
        self._open: list[Block] = setting.memory.get("open", [])
        self._results: list[Block] = setting.memory.setdefault("results", [])

    async def go(self) -> None:
        await self._on(plan=True)

    async def resume(self) -> None:
        await self._on(plan=False)

    async def replay(self) -> None:
        """The call that waited is gone back to: it is run again, by whoever kept it."""
        self._open = list(self.setting.memory["waited"])
        await self._on(plan=False)

    async def say(self, text: str) -> None:
        for block in self._open:
            try:
                self._client.permit(block).enter()
            except (WaitsForReview, Refused) as held:
                self._results.append(held.tool_result)
        self._keep([])
        self._turns.append({"role": "user", "content": [*self._taken(), {"type": "text", "text": text}]})
        await self._on(plan=True)

    async def change(self, **arguments: Any) -> None:
        self._keep([{**block, "input": {**block["input"], **arguments}} for block in self._open])
        await self._on(plan=False)

    async def close(self) -> None:
        await _done(self._sdk.close())

    async def _on(self, *, plan: bool) -> None:
        blocks = await self._plan() if plan else self._open
        while blocks:
            waits = []
            for block in blocks:
                try:
                    result = await _done(self._client.run(block, self._functions()))
                except WaitsForReview:
                    waits.append(block)
                else:
                    self.told.append(str(result["content"]))
                    self._results.append(result)
            self._keep(waits)
            if waits:
                return
            self._turns.append({"role": "user", "content": self._taken()})
            blocks = await self._plan()

    def _functions(self) -> dict[str, Any]:
        return {spec.name: self._function(spec.name) for spec in SPECS}

    def _function(self, name: str) -> Any:
        def function(**arguments: Any) -> str:
            return self.setting.tools.ran(name, arguments)

        async def afunction(**arguments: Any) -> str:
            return function(**arguments)

        return afunction if self.setting.way.asynchronous else function

    def _keep(self, blocks: list[Block]) -> None:
        self._open = self.setting.memory["open"] = blocks
        if blocks:
            self.setting.memory.setdefault("waited", list(blocks))

    def _taken(self) -> list[Block]:
        """The results of the turn, each call's once: a call that was gone back to is answered already."""
        found, self._results[:] = list(self._results), []
        return found

    async def _plan(self) -> list[Block]:
        request: dict[str, Any] = {
            "model": "m",
            "max_tokens": 100,
            "messages": self._turns,
            "tools": OFFERED,
            "extra_body": {"temperature": 0},
        }
        if self.setting.way.stream:
            stream = await _done(self._client.messages.create(**request, stream=True))
            events = [one async for one in stream] if self.setting.way.asynchronous else list(stream)
            content = put_together(events)
            self.seen += str([event.model_dump() for event in events]) + str(content)
        else:
            message = await _done(self._client.messages.create(**request))
            self.seen += str(message.model_dump(warnings=False))
            content = [block.model_dump(exclude_unset=True, warnings=False) for block in message.content]
        self._turns.append({"role": "assistant", "content": content})
        blocks = [block for block in content if block["type"] == "tool_use"]
        if not blocks:
            self.final = "".join(block["text"] for block in content)
        return blocks


def put_together(events: list[Any]) -> list[Block]:
    """The content of raw events. Arguments that are no JSON stay as they were written."""
    blocks: dict[int, Block] = {}
    written: dict[int, str] = {}
    for event in events:
        if event.type == "content_block_start":
            blocks[event.index] = event.content_block.model_dump(exclude_unset=True)
        elif event.type == "content_block_delta" and event.delta.type == "text_delta":
            blocks[event.index]["text"] += event.delta.text
        elif event.type == "content_block_delta":
            written[event.index] = written.get(event.index, "") + event.delta.partial_json
    for index, text in written.items():
        try:
            blocks[index]["input"] = json.loads(text) if text else {}
        except ValueError:
            blocks[index]["input"] = text
    return list(blocks.values())


async def _done(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value


class MessagesDoor(Door):
    """A loop on the Messages API."""

    name = "anthropic"
    serving = AnthropicServed

    def open(self, setting: Setting) -> AbstractAsyncContextManager[Conversation]:
        return closing(MessagesConversation(setting))


DOORS = [MessagesDoor()]
