"""Agents of pydantic-ai, with the model of its OpenAI provider."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from typing import Any

from openai import AsyncOpenAI
from pydantic_ai import Agent, DeferredToolRequests, Tool, ToolDenied
from pydantic_ai.messages import ModelMessagesTypeAdapter, ModelRequest, ModelResponse, ToolCallPart, ToolReturnPart
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from guardrail_pydantic_ai import guarded, idempotency_key, resume
from tests.adapters.door import Conversation, Door, Setting, closing
from tests.adapters.tools import SPECS, Tools


def function_tools(tools: Tools, *, asynchronous: bool) -> list[Tool[Any]]:
    """The tools as the framework wants them."""

    def tool(name: str, description: str, schema: dict[str, Any]) -> Tool[Any]:
        def run(**arguments: Any) -> str:
            return tools.ran(name, arguments, idempotency_key())

        async def arun(**arguments: Any) -> str:
            return run(**arguments)

        return Tool.from_schema(arun if asynchronous else run, name=name, description=description, json_schema=schema)

    return [tool(spec.name, spec.description, dict(spec.parameters)) for spec in SPECS]


class RunConversation(Conversation):
    """Runs of one agent, whose messages are saved as JSON."""

    def __init__(self, setting: Setting, api: str) -> None:
        super().__init__(setting)
        self._kind: Any = OpenAIChatModel if api == "chat" else OpenAIResponsesModel

    async def go(self) -> None:
        await self._run("go")

    async def resume(self) -> None:
        await self._resumed(self.setting.memory["open"])

    async def replay(self) -> None:
        await self._resumed(self.setting.memory["waited"])

    async def say(self, text: str) -> None:
        """The framework wants every call answered before the user speaks again."""
        messages, asked = self._saved(self.setting.memory["open"])
        results = await self._decided(asked)
        results.approvals = {
            **{part.tool_call_id: ToolDenied("superseded") for part in asked.approvals},
            **{key: one for key, one in results.approvals.items() if isinstance(one, ToolDenied)},
        }
        await self._run(text, message_history=messages, deferred_tool_results=results)

    async def change(self, **arguments: Any) -> None:
        saved = json.loads(self.setting.memory["open"])

        def changed(value: Any) -> Any:
            if isinstance(value, dict):
                found = {key: changed(one) for key, one in value.items()}
                if found.get("part_kind") == "tool-call":
                    found["args"] = {**json.loads(found["args"]), **arguments}
                return found
            return [changed(one) for one in value] if isinstance(value, list) else value

        messages, asked = self._saved(json.dumps(changed(saved)))
        results = asked.build_results(approve_all=True)
        await self._run(None, message_history=messages, deferred_tool_results=results)

    def _client(self) -> AsyncOpenAI:
        return AsyncOpenAI(api_key="sk-test", base_url=self.setting.served.url, max_retries=0)

    def _agent(self, client: AsyncOpenAI) -> Any:
        setting = self.setting
        provider = OpenAIProvider(openai_client=client)
        plain: Agent[Any, Any] = Agent(
            self._kind("m", provider=provider),
            tools=function_tools(setting.tools, asynchronous=setting.way.asynchronous),
        )
        return guarded(
            plain, policy=setting.policy, store=setting.store, thread_id=setting.thread_id, **setting.options
        )

    @staticmethod
    def _saved(text: str) -> tuple[list[Any], Any]:
        saved = json.loads(text)
        asked = DeferredToolRequests(metadata=saved["metadata"])
        messages = ModelMessagesTypeAdapter.validate_python(saved["messages"])
        waiting = set(saved["waiting"])
        newest = next(message for message in reversed(messages) if isinstance(message, ModelResponse))
        asked.approvals += [
            one for one in newest.parts if isinstance(one, ToolCallPart) and one.tool_call_id in waiting
        ]
        return messages, asked

    async def _decided(self, asked: DeferredToolRequests) -> Any:
        async with self._client() as client:
            return await resume(self._agent(client), asked)

    async def _resumed(self, text: str) -> None:
        messages, asked = self._saved(text)
        results = await self._decided(asked)
        if len(results.approvals) < len(asked.approvals):
            return  # the framework goes on once every call has a result
        await self._run(None, message_history=messages, deferred_tool_results=results)

    async def _run(self, prompt: str | None, **more: Any) -> None:
        # each run with a client of its own: a synchronous one has an event loop of its own, too
        if self.setting.way.asynchronous:
            result = await self._arun(prompt, **more)
        else:
            result = await asyncio.to_thread(self._sync, prompt, **more)
        new = result.new_messages()
        self.told = [
            str(part.content)
            for message in new
            if isinstance(message, ModelRequest)
            for part in message.parts
            if isinstance(part, ToolReturnPart)
        ]
        self.final, asked = "", result.output
        if not isinstance(asked, DeferredToolRequests):
            self.final = str(asked)
            return
        kept = {
            "messages": json.loads(ModelMessagesTypeAdapter.dump_json(result.all_messages())),
            "waiting": [part.tool_call_id for part in asked.approvals],
            "metadata": asked.metadata,
        }
        self.setting.memory["open"] = json.dumps(kept)
        self.setting.memory.setdefault("waited", self.setting.memory["open"])

    def _sync(self, prompt: str | None, **more: Any) -> Any:
        async def run() -> Any:
            return await self._arun(prompt, **more)

        if self.setting.way.stream:
            return asyncio.run(run())
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        client = self._client()
        try:
            result = self._agent(client).run_sync(prompt, **more)
        finally:
            loop.run_until_complete(client.close())
            loop.close()
            asyncio.set_event_loop(None)
        self.seen += str(result.new_messages())
        return result

    async def _arun(self, prompt: str | None, **more: Any) -> Any:
        async with self._client() as client:
            agent = self._agent(client)
            if not self.setting.way.stream:
                result = await agent.run(prompt, **more)
                self.seen += str(result.new_messages())
                return result

            async def heard(_context: Any, events: Any) -> None:
                self.seen += str([event async for event in events])

            return await agent.run(prompt, event_stream_handler=heard, **more)


class RunDoor(Door):
    """A model of the provider."""

    def __init__(self, api: str) -> None:
        self.name = f"pydantic-ai-{api}"  # type: ignore[misc]
        self._api = api

    def open(self, setting: Setting) -> AbstractAsyncContextManager[Conversation]:
        return closing(RunConversation(setting, self._api))


DOORS = [RunDoor("chat"), RunDoor("responses")]
