"""A plain loop on a guarded OpenAI client, the same through every door of the SDK."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from openai import AsyncOpenAI, OpenAI

from guardrail import Policy, Review, StepVerdict, Store
from guardrail_openai import GuardedClient
from tests.support.approval_trace import TAPE, Ran
from tests.support.openai_server import OpenAIServer, Reply, say

SCHEMA = {
    "type": "object",
    "properties": {"amount": {"type": "integer"}, "to": {"type": "string"}},
    "required": ["amount"],
}
DOORS = [(api, how, stream) for api in ("chat", "responses") for how in ("sync", "async") for stream in (False, True)]
NAMES = ["-".join((api, how, "stream" if stream else "plain")) for api, how, stream in DOORS]


def rules(tier: str, **more: Any) -> Policy:
    """A policy in which paying has that tier, and looking at the balance is free."""
    tools = [{"match": "pay", "tier": tier}, {"match": "balance", "tier": "low"}, {"match": "wipe", "tier": "critical"}]
    return Policy.parse({"tools": tools, **more})


def last(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The newest item of a request of either API."""
    given = body.get("messages") or body["input"]
    return given[-1] if isinstance(given, list) else {"role": "user", "content": given}


def answered(body: Mapping[str, Any]) -> str:
    """What a tool has just answered, else nothing."""
    item = last(body)
    if item.get("role") == "tool":
        return str(item["content"])
    return str(item["output"]) if str(item.get("type", "")).endswith("_output") else ""


def until_answered(plan: Any) -> Reply:
    """Plans until a tool has answered, then ends; answers that tell to plan again are none."""

    def reply(body: Any, index: int) -> Any:
        said = answered(body)
        if said and "plan the step again" not in said:
            return say("done")
        return plan(body, index) if callable(plan) else plan

    return reply


class Tools:
    """Functions that count their runs."""

    def __init__(self) -> None:
        self.run: list[tuple[str, dict[str, Any]]] = []
        self.key = ""

    def by_name(self, *, asynchronous: bool) -> dict[str, Any]:
        """The functions as a loop has them."""
        return {name: self._function(name, asynchronous=asynchronous) for name in ("pay", "balance", "wipe")}

    def _function(self, name: str, *, asynchronous: bool) -> Any:
        def function(**arguments: Any) -> str:
            self.run.append((name, arguments))
            TAPE.add(Ran(name=name, arguments=arguments, key=self.key, at=datetime.now(UTC)))
            return f"{name} done"

        async def afunction(**arguments: Any) -> str:
            return function(**arguments)

        return afunction if asynchronous else function


@dataclass(kw_only=True)
class Loop:
    """One conversation through one door."""

    server: OpenAIServer
    api: str
    how: str
    stream: bool
    policy: Policy
    store: Store
    thread_id: str = "t"
    options: dict[str, Any] = field(default_factory=dict)
    request: dict[str, Any] = field(default_factory=dict)
    tools: Tools = field(default_factory=Tools)

    def __post_init__(self) -> None:
        sdk: Any = (OpenAI if self.how == "sync" else AsyncOpenAI)(api_key="sk-test", base_url=self.server.url)
        self.sdk = sdk
        self.client = GuardedClient(sdk, policy=self.policy, store=self.store, thread_id=self.thread_id, **self.options)
        flat = [{"type": "function", "name": name, "parameters": SCHEMA} for name in ("pay", "balance", "wipe")]
        if self.api == "chat":
            nested = [{"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}} for tool in flat]
            self.request = self.request or {"messages": [{"role": "user", "content": "go"}], "tools": nested}
        else:
            self.request = self.request or {"input": [{"role": "user", "content": "go"}], "tools": flat}
        self.request |= {"model": "m", "temperature": 0}
        self.functions = self.tools.by_name(asynchronous=self.how == "async")
        self.words = ""
        self.chunks: list[Any] = []

    @property
    def turns(self) -> list[Any]:
        """The conversation so far, which the next request sends."""
        found: list[Any] = self.request["messages" if self.api == "chat" else "input"]
        return found

    def restarted(self) -> Loop:
        """The same conversation in another process: another client, which knows the store and the messages."""
        return Loop(
            server=self.server,
            api=self.api,
            how=self.how,
            stream=self.stream,
            policy=self.policy,
            store=self.store,
            request={**self.request},
            tools=self.tools,
        )

    async def close(self) -> None:
        """Give the connections back."""
        await done(self.sdk.close())

    async def plan(self) -> list[Any]:
        """One turn of the model: its calls; its words are in ``words``, the verdict in ``verdict``."""
        endpoint = self.client.chat.completions if self.api == "chat" else self.client.responses
        response = await done(endpoint.create(**self.request, stream=self.stream))
        self.response = response
        if self.stream:
            self.chunks = [chunk async for chunk in response] if self.how == "async" else list(response)
            items = merged(self.chunks) if self.api == "chat" else items_done(self.chunks)
        elif self.api == "chat":
            message = response.choices[0].message
            items = [one.model_dump(exclude_unset=True) for one in message.tool_calls or []]
            self.words = message.content or ""
        else:
            items = [one.model_dump(exclude_unset=True) for one in response.output]
        self.verdict: StepVerdict | None = self.client.verdict(response)
        if self.api == "chat":
            if items:
                self.turns.append({"role": "assistant", "content": None, "tool_calls": items})
            return items
        self.turns.extend(items)
        return [one for one in items if one["type"] == "function_call"]

    async def run(self, item: Any, **more: Any) -> dict[str, Any]:
        """Run a call or hear why not; the message is added."""
        message: dict[str, Any] = await done(self.client.run(item, self.functions, **more))
        self.turns.append(message)
        return message

    async def go(self, *, wait: float | None = None) -> None:
        """Plan and run until the model has no calls any more."""
        while items := await self.plan():
            for item in items:
                await self.run(item, wait=wait)

    def said(self, message: Mapping[str, Any]) -> str:
        """The words of an answer."""
        return str(message["content" if self.api == "chat" else "output"])

    def waiting(self) -> list[Review]:
        """Reviews that nobody has decided."""
        found: list[Review] = self.client.guard.queue.waiting()
        return found

    @property
    def drawn(self) -> int:
        """How many resamples the server was asked for."""
        return sum(body.get("n") or 1 for body in self.server.drawn)


async def done(value: Any) -> Any:
    """The value, awaited where it has to be."""
    return await value if inspect.isawaitable(value) else value


def merged(chunks: list[Any]) -> list[dict[str, Any]]:
    """Calls put together as a careless program does: by their position, whatever choice they are of."""
    calls: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        for choice in chunk.choices:
            for part in choice.delta.tool_calls or []:
                whole = calls.setdefault(
                    part.index, {"id": part.id, "type": "function", "function": {"name": "", "arguments": ""}}
                )
                whole["function"]["name"] = whole["function"]["name"] or part.function.name
                whole["function"]["arguments"] += part.function.arguments or ""
    return list(calls.values())


def items_done(events: list[Any]) -> list[dict[str, Any]]:
    """The finished items of a stream of the Responses API."""
    return [event.item.model_dump(exclude_unset=True) for event in events if event.type == "response.output_item.done"]
