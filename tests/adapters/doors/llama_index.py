"""LlamaIndex: one agent, and a workflow of agents."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ToolCallResult
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool, ToolMetadata
from llama_index.core.workflow import Context
from pydantic import create_model

from guardrail_llama_index import ReviewRequired, guarded, idempotency_key, resume
from tests.adapters.door import ASYNC, ASYNC_STREAM, Conversation, Door, Setting
from tests.adapters.tools import SPECS, Tools
from tests.support.llama_llm import ServedLLM, quiet

_KINDS = {"integer": int, "string": str}


def function_tools(tools: Tools) -> list[FunctionTool]:
    """The tools as the framework wants them."""

    def tool(name: str, description: str, schema: dict[str, Any]) -> FunctionTool:
        async def run(**arguments: Any) -> str:
            return tools.ran(name, arguments, idempotency_key())

        fields: Any = {key: (_KINDS[value["type"]], ...) for key, value in schema["properties"].items()}
        given = ToolMetadata(name=name, description=description, fn_schema=create_model(name, **fields))
        return FunctionTool(async_fn=run, metadata=given)

    return [tool(spec.name, spec.description, dict(spec.parameters)) for spec in SPECS]


class RunConversation(Conversation):
    """Runs of one agent; where it waits, its context is saved as JSON, and the run is ended as by a crash."""

    def __init__(self, setting: Setting, build: Any) -> None:
        super().__init__(setting)
        self._build = build

    async def go(self) -> None:
        await self._run(user_msg="go")

    async def resume(self) -> None:
        await self._resumed(self.setting.memory["open"])

    async def replay(self) -> None:
        await self._resumed(self.setting.memory["waited"])

    async def say(self, text: str) -> None:
        """The run that waits is left, as one does who begins a new one: its calls are in no history."""
        await self._run(user_msg=text)

    async def change(self, **arguments: Any) -> None:
        saved = json.loads(self.setting.memory["open"])
        context = saved["context"]
        for waiter in context["workers"]["call_tool"]["collected_waiters"]:
            event = json.loads(waiter["event"])
            event["value"]["tool_kwargs"] |= arguments
            waiter["event"] = json.dumps(event)
        await self._resumed(json.dumps(saved))

    def _agent(self) -> Any:
        setting = self.setting
        llm = ServedLLM(url=setting.served.url)
        plain = self._build(
            tools=function_tools(setting.tools), llm=llm, streaming=setting.way.stream, name="clerk", description="pays"
        )
        return guarded(
            plain, policy=setting.policy, store=setting.store, thread_id=setting.thread_id, **setting.options
        )

    async def _resumed(self, text: str) -> None:
        saved = json.loads(text)
        asked = [ReviewRequired.model_validate(one) for one in saved["asked"]]
        if len(self._waiting({one.review_id: one for one in asked})) == len(asked):
            return  # nothing is decided: the run stays where it is
        agent = self._agent()
        handler = agent.run(ctx=Context.from_dict(agent, saved["context"]))
        messages = [ChatMessage.model_validate(one) for one in saved["memory"]]
        await handler.ctx.store.set("memory", ChatMemoryBuffer.from_defaults(chat_history=messages, token_limit=9999))
        try:
            for one in asked:
                await resume(agent, handler.ctx, one)
            await self._hear(handler, asked)
        except BaseException:
            await _end(handler)
            raise

    async def _run(self, **given: Any) -> None:
        await self._hear(self._agent().run(**given), [])

    async def _hear(self, handler: Any, asked: list[Any]) -> None:
        known = {one.review_id: one for one in asked}
        results: list[str] = []
        async for event in handler.stream_events():
            self.seen += str(event)
            if isinstance(event, ToolCallResult):
                results.append(str(event.tool_output.content))
            if isinstance(event, ReviewRequired):
                known[event.review_id] = event
            waiting = self._waiting(known)
            if waiting and len(results) + len(waiting) >= await handler.ctx.store.get("num_tool_calls"):
                break
        self.told, self.final = results, ""
        if waiting := self._waiting(known):
            await self._save(handler, waiting)
        else:
            self.final = str(await handler)

    def _waiting(self, asked: dict[str, Any]) -> list[Any]:
        waits = {one.id for one in self.waiting}
        return [event for key, event in asked.items() if key in waits]

    @staticmethod
    async def _settled(handler: Any) -> dict[str, Any]:
        """The context, when no step runs any more: one that is saved while it runs is begun anew, and runs twice."""
        async with asyncio.timeout(30):
            while True:
                context: dict[str, Any] = handler.ctx.to_dict()
                if not any(one["in_progress"] or one["queue"] for one in context["workers"].values()):
                    return context
                await asyncio.sleep(0.01)

    async def _save(self, handler: Any, waiting: list[Any]) -> None:
        memory = await handler.ctx.store.get("memory")
        kept = {
            "context": await self._settled(handler),
            "memory": [one.model_dump(mode="json") for one in await memory.aget_all()],
            "asked": [one.model_dump() for one in waiting],
        }
        self.setting.memory["open"] = json.dumps(kept)
        self.setting.memory.setdefault("waited", self.setting.memory["open"])
        await _end(handler)


async def _end(handler: Any) -> None:
    await handler.cancel_run()
    with suppress(Exception):
        await handler


def _workflow(**given: Any) -> AgentWorkflow:
    other = FunctionAgent(name="other", description="does nothing", llm=given["llm"], tools=[])
    return AgentWorkflow(agents=[FunctionAgent(**given), other], root_agent=given["name"])


class RunDoor(Door):
    """An agent or a workflow."""

    ways = (ASYNC, ASYNC_STREAM)

    def __init__(self, name: str, build: Any) -> None:
        self.name = name  # type: ignore[misc]
        self._build = build

    @asynccontextmanager
    async def open(self, setting: Setting) -> AsyncIterator[Conversation]:
        with quiet():
            yield RunConversation(setting, self._build)


DOORS = [RunDoor("llama-index", FunctionAgent), RunDoor("llama-index-workflow", _workflow)]
