"""The OpenAI Agents SDK, with both of its models."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager
from typing import Any

from agents import (
    Agent,
    FunctionTool,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    RunState,
    ToolApprovalItem,
    set_tracing_disabled,
)
from openai import AsyncOpenAI

from guardrail_openai.agents import guarded, idempotency_key, resume
from tests.adapters.door import ASYNC, ASYNC_STREAM, Conversation, Door, Setting, closing
from tests.adapters.tools import SPECS, Tools


def function_tools(tools: Tools) -> list[FunctionTool]:
    """The tools as the SDK wants them."""

    def tool(name: str, description: str, schema: dict[str, Any]) -> FunctionTool:
        async def invoke(_context: Any, arguments: str) -> str:
            return tools.ran(name, json.loads(arguments), idempotency_key())

        return FunctionTool(
            name=name,
            description=description,
            params_json_schema=schema,
            on_invoke_tool=invoke,
            strict_json_schema=False,
        )

    return [tool(spec.name, spec.description, dict(spec.parameters)) for spec in SPECS]


class RunConversation(Conversation):
    """Runs of one agent, whose state is saved where it waits."""

    def __init__(self, setting: Setting, api: str) -> None:
        super().__init__(setting)
        set_tracing_disabled(True)
        self._client = AsyncOpenAI(api_key="sk-test", base_url=setting.served.url, max_retries=0)
        kind: Any = OpenAIChatCompletionsModel if api == "chat" else OpenAIResponsesModel
        plain: Agent[Any] = Agent(
            name="clerk", tools=list(function_tools(setting.tools)), model=kind("m", self._client)
        )
        self._agent = guarded(
            plain, policy=setting.policy, store=setting.store, thread_id=setting.thread_id, **setting.options
        )
        self._items: list[Any] = setting.memory.get("items", [])

    async def go(self) -> None:
        await self._run("go")

    async def resume(self) -> None:
        await self._resumed(self.setting.memory["state"])

    async def replay(self) -> None:
        await self._resumed(self.setting.memory["waited"])

    async def say(self, text: str) -> None:
        """The run that waits is left, as one does who begins a new one: its calls are in no history."""
        await self._run(text)

    async def change(self, **arguments: Any) -> None:
        state = json.loads(self.setting.memory["state"])

        def changed(value: Any) -> Any:
            if isinstance(value, dict):
                found = {key: changed(one) for key, one in value.items()}
                given = found.get("arguments")
                if isinstance(given, str):
                    found["arguments"] = json.dumps({**json.loads(given), **arguments})
                return found
            return [changed(one) for one in value] if isinstance(value, list) else value

        await self._resumed(json.dumps(changed(state)))

    async def close(self) -> None:
        await self._client.close()

    async def _resumed(self, text: str) -> None:
        state = await RunState.from_string(self._agent, text)
        await resume(self._agent, state)
        await self._run(state)

    async def _run(self, given: Any) -> None:
        if self.setting.way.stream:
            result: Any = Runner.run_streamed(self._agent, given)
            self.seen += str([event async for event in result.stream_events()])
        else:
            result = await Runner.run(self._agent, given)
            self.seen += str(result.new_items)
        items = [item.to_input_item() for item in result.new_items if not isinstance(item, ToolApprovalItem)]
        self.told = [str(one["output"]) for one in items if str(one.get("type", "")).endswith("_output")]
        memory = self.setting.memory
        self.final = ""
        if result.interruptions:
            memory["state"] = result.to_state().to_string()
            memory.setdefault("waited", memory["state"])
        else:
            self.final = str(result.final_output)


class RunDoor(Door):
    """A model of the SDK."""

    ways = (ASYNC, ASYNC_STREAM)

    def __init__(self, api: str) -> None:
        self.name = f"agents-{api}"  # type: ignore[misc]
        self._api = api

    def open(self, setting: Setting) -> AbstractAsyncContextManager[Conversation]:
        return closing(RunConversation(setting, self._api))


DOORS = [RunDoor("chat"), RunDoor("responses")]
