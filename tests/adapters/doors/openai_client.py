"""``GuardedClient``: plain loops on chat completions and on Responses."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

from guardrail_openai import Refused, WaitsForReview
from tests.adapters.door import Conversation, Door, Setting, closing
from tests.adapters.tools import SPECS
from tests.support.guarded_loops import Loop
from tests.support.guarded_loops import Tools as LoopTools


class _Functions(LoopTools):
    """The functions as a loop has them; the loop's own tape is left alone."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self._setting = setting

    def _function(self, name: str, *, asynchronous: bool) -> Any:
        def function(**arguments: Any) -> str:
            return self._setting.tools.ran(name, arguments)

        async def afunction(**arguments: Any) -> str:
            return function(**arguments)

        return afunction if asynchronous else function


class LoopConversation(Conversation):
    """A loop that keeps its messages, and the calls that wait."""

    def __init__(self, setting: Setting, api: str) -> None:
        super().__init__(setting)
        self._api = api
        self._open: list[Any] = setting.memory.get("open", [])
        way = setting.way
        flat = [{"type": "function", "name": one.name, "parameters": one.parameters} for one in SPECS]
        nested = [{"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}} for tool in flat]
        turns = setting.memory.setdefault("turns", [{"role": "user", "content": "go"}])
        self._loop = Loop(
            server=setting.served,
            api=api,
            how="async" if way.asynchronous else "sync",
            stream=way.stream,
            policy=setting.policy,
            store=setting.store,
            thread_id=setting.thread_id,
            options={"tools": nested if api == "chat" else flat, **setting.options},
            request={"messages": turns, "tools": nested} if api == "chat" else {"input": turns, "tools": flat},
            tools=_Functions(setting),
        )

    async def go(self) -> None:
        await self._on(plan=True)

    async def resume(self) -> None:
        await self._on(plan=False)

    async def replay(self) -> None:
        """The message that waited is gone back to: the call is run again, by whoever kept it."""
        self._open = list(self.setting.memory["waited"])
        await self._on(plan=False)

    async def say(self, text: str) -> None:
        for item in self._open:
            with_call = self._loop.client.permit(item)
            try:
                with_call.enter()
            except WaitsForReview as waits:
                self._loop.turns.append(waits.message)
            except Refused as held:
                self._loop.turns.append(held.message)
        self._keep([])
        self._loop.turns.append({"role": "user", "content": text})
        await self._on(plan=True)

    async def change(self, **arguments: Any) -> None:
        import json

        def changed(item: dict[str, Any]) -> dict[str, Any]:
            if self._api == "responses":
                return {**item, "arguments": json.dumps({**json.loads(item["arguments"]), **arguments})}
            given = json.loads(item["function"]["arguments"])
            return {**item, "function": {**item["function"], "arguments": json.dumps({**given, **arguments})}}

        self._keep([changed(item) for item in self._open])
        await self._on(plan=False)

    async def close(self) -> None:
        await self._loop.close()

    async def _on(self, *, plan: bool) -> None:
        items = await self._plan() if plan else self._open
        while items:
            waits = []
            for item in items:
                try:
                    message = await self._loop.run(item)
                except WaitsForReview:
                    waits.append(item)
                else:
                    self.told.append(self._loop.said(message))
            self._keep(waits)
            if waits:
                return
            items = await self._plan()

    def _keep(self, items: list[Any]) -> None:
        self._open = self.setting.memory["open"] = items
        if items:
            self.setting.memory.setdefault("waited", list(items))

    async def _plan(self) -> list[Any]:
        items = await self._loop.plan()
        loop = self._loop
        shown = (
            [chunk.model_dump(mode="json") for chunk in loop.chunks] if loop.stream else [loop.response.model_dump()]
        )
        self.seen += str(shown)
        if not items:
            self.final = self._words()
        return items

    def _words(self) -> str:
        loop = self._loop
        if self._api == "chat":
            if not loop.stream:
                return loop.words
            return "".join(
                choice.delta.content or "" for chunk in loop.chunks for choice in chunk.choices if choice.delta
            )
        if not loop.stream:
            return str(loop.response.output_text)
        ended = next(one for one in loop.chunks if one.type == "response.completed")
        return str(ended.response.output_text)


class LoopDoor(Door):
    """A loop on one of the two APIs."""

    def __init__(self, api: str) -> None:
        self.name = f"openai-{api}"  # type: ignore[misc]
        self._api = api

    def open(self, setting: Setting) -> AbstractAsyncContextManager[Conversation]:
        return closing(LoopConversation(setting, self._api))


DOORS = [LoopDoor("chat"), LoopDoor("responses")]
