"""A server that asks for something in the middle of a call (input_required): it is one call, decided once."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp.shared.message import SessionMessage
from mcp_types.jsonrpc import jsonrpc_message_adapter

from guardrail import Policy, Queue, open_store
from guardrail.types import ReviewState
from guardrail_mcp import Proxy, Settings

PLANNED = {"amount": 5}
SCHEMA = {"type": "object", "properties": {"amount": {"type": "integer"}}}


class Side:
    """One end of the proxy, by hand."""

    def __init__(self, read: Any, write: Any) -> None:
        self._read, self._write = read, write

    async def say(self, **message: Any) -> None:
        await self._write.send(SessionMessage(jsonrpc_message_adapter.validate_python({"jsonrpc": "2.0", **message})))

    async def hear(self) -> Any:
        return (await self._read.receive()).message


@asynccontextmanager
async def between(store: Any, **settings: Any) -> Any:
    streams = [anyio.create_memory_object_stream[Any](9) for _ in range(4)]
    (a_in, a_out), (b_in, b_out), (c_in, c_out), (d_in, d_out) = streams
    proxy = Proxy(Settings(policy=Policy(), thread_id="t", requester="r", **settings), store)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(proxy.run, (a_out, b_in), (c_out, d_in))
            yield Side(b_out, a_in), Side(d_out, c_in)
            await a_in.aclose()
    finally:
        for one in (end for stream in streams for end in stream):
            one.close()


async def list_tools(server: Side) -> None:
    asked = await server.hear()
    assert asked.method == "tools/list"
    await server.say(id=asked.id, result={"tools": [{"name": "pay", "inputSchema": SCHEMA}]})


def decide(store: Any, how: str, **said: Any) -> None:
    while not (found := store.reviews(states=frozenset({ReviewState.PENDING}))):
        store.wait_for_change(0.1)
    getattr(Queue(store), how)(found[0].id, by="ada", **said)


@pytest.mark.parametrize("edited", [False, True], ids=["approved", "edited"])
async def test_what_goes_on_is_the_call_that_was_decided(edited: bool) -> None:
    store = open_store("memory://")
    runs = {"amount": 4} if edited else PLANNED
    how = ("edit", {"arguments": runs}) if edited else ("approve", {})
    async with between(store) as (client, server):
        await client.say(id=1, method="tools/call", params={"name": "pay", "arguments": PLANNED})
        await list_tools(server)
        threading.Thread(target=decide, args=(store, how[0]), kwargs=how[1], daemon=True).start()
        first = await server.hear()
        assert first.params["arguments"] == runs
        asks = {"resultType": "input_required", "requestState": "s"}
        await server.say(id=1, result=asks)
        assert (await client.hear()).result == asks
        (review,) = store.reviews()
        assert review.state is ReviewState.EXECUTING
        more = {"name": "pay", "arguments": PLANNED, "requestState": "s", "inputResponses": {}}
        await client.say(id=2, method="tools/call", params=more)
        second = await server.hear()
        assert second.params["arguments"] == runs
        assert second.params["requestState"] == "s"
        assert second.params["_meta"] == first.params["_meta"], "one call has one key"
        await server.say(id=2, result={"content": [], "resultType": "complete"})
        await client.hear()
    assert [one.state for one in store.reviews()] == [ReviewState.DONE]


async def test_what_never_goes_on_has_no_known_outcome() -> None:
    store = open_store("memory://")
    async with between(store) as (client, server):
        await client.say(id=1, method="tools/call", params={"name": "pay", "arguments": PLANNED})
        await list_tools(server)
        threading.Thread(target=decide, args=(store, "approve"), daemon=True).start()
        await server.hear()
        await server.say(id=1, result={"resultType": "input_required", "requestState": "s"})
        await client.hear()
    assert [one.state for one in store.reviews()] == [ReviewState.OUTCOME_UNKNOWN]


async def test_other_arguments_do_not_go_on_with_it() -> None:
    store = open_store("memory://")
    async with between(store, wait=0.2) as (client, server):
        await client.say(id=1, method="tools/call", params={"name": "pay", "arguments": PLANNED})
        await list_tools(server)
        threading.Thread(target=decide, args=(store, "approve"), daemon=True).start()
        if "method" in (await server.hear()).model_dump():
            await server.say(id=1, result={"resultType": "input_required", "requestState": "s"})
        await client.hear()
        more = {"name": "pay", "arguments": {"amount": 500}, "requestState": "s", "inputResponses": {}}
        await client.say(id=2, method="tools/call", params=more)
        assert (await client.hear()).result["isError"]


async def test_the_wait_is_told_as_progress() -> None:
    store = open_store("memory://")
    async with between(store, wait=0.3) as (client, server):
        params = {"name": "pay", "arguments": PLANNED, "_meta": {"progressToken": "p"}}
        await client.say(id=1, method="tools/call", params=params)
        await list_tools(server)
        told = await client.hear()
        assert told.method == "notifications/progress"
        assert told.params["progressToken"] == "p"
        (review,) = store.reviews()
        assert review.id[:12] in told.params["message"]
        assert "Not executed yet" in (await client.hear()).result["content"][0]["text"]


async def test_a_server_that_lists_nothing_has_no_tool_called() -> None:
    async with between(open_store("memory://"), wait=0.1) as (client, server):
        await client.say(id=1, method="tools/call", params={"name": "pay", "arguments": PLANNED})
        asked = await server.hear()
        await server.say(id=asked.id, error={"code": -32601, "message": "no"})
        assert (await client.hear()).result["isError"]


async def test_a_call_that_nobody_waits_for_reaches_no_server() -> None:
    async with between(open_store("memory://")) as (client, server):
        await client.say(method="tools/call", params={"name": "pay", "arguments": PLANNED})
        await client.say(id=1, method="ping")
        assert (await server.hear()).method == "ping"
