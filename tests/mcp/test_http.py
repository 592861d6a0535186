"""The proxy over streamable HTTP, towards clients and towards the server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import httpx
import pytest
import uvicorn
import yaml
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from guardrail import Policy, open_store
from guardrail_mcp import Proxy, Settings
from guardrail_mcp.http import application
from guardrail_mcp.serving import upstream_of
from tests.mcp.conftest import POLICY, Library, text

LEND = {"title": "Emma", "days": 7}


@contextmanager
def served(library: Library) -> Iterator[str]:
    """The proxy at an address, before the real server."""
    store = open_store(library.url)
    listening = socket.create_server(("127.0.0.1", 0))
    place = f"127.0.0.1:{listening.getsockname()[1]}"
    settings = Settings(
        policy=Policy.parse(yaml.safe_load(POLICY)), thread_id="mcp/books", requester="mcp/books", wait=library.wait
    )
    app = application(settings, store, upstream_of(library.upstream, None, {}), hosts=[place])
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://{place}/mcp"
    finally:
        server.should_exit = True
        thread.join(20)
        store.close()


async def test_calls_over_http_are_guarded_and_everything_else_passes(library: Library) -> None:
    told: list[Any] = []

    async def progress(*said: Any) -> None:
        told.append(said)

    with served(library) as url:
        async with Client(streamable_http_client(url), mode="legacy") as client:
            assert "Emma" in (await client.read_resource("books://all")).contents[0].text
            assert text(await client.call_tool("look", {"title": "Emma"})) == "Emma is on shelf 3"
            await client.call_tool("slow", {"seconds": 0.01}, progress_callback=progress)
            thread = library.deciding("approve")
            result = await client.call_tool("lend", LEND)
            thread.join()
    assert result.structured_content == LEND
    assert (1.0, 2.0, "half") in told


async def test_an_approval_of_one_session_is_none_of_another(library: Library) -> None:
    library.wait = 0.3
    with served(library) as url:
        async with Client(streamable_http_client(url), mode="legacy") as one:
            await one.call_tool("lend", LEND)
            library.decide("approve")
            async with Client(streamable_http_client(url), mode="legacy") as other:
                assert (await other.call_tool("lend", LEND)).is_error
            assert not (await one.call_tool("lend", LEND)).is_error
    assert len(library.ran) == 1


async def test_a_server_over_http_is_guarded(library: Library) -> None:
    library.wait = 0.3
    settings = Settings(policy=Policy(), thread_id="outer", requester="outer", wait=0.2)
    store = open_store("memory://")
    with served(library) as url:
        to_proxy, at_proxy = anyio.create_memory_object_stream[Any](0)
        to_client, at_client = anyio.create_memory_object_stream[Any](0)

        async def proxied() -> None:
            async with upstream_of((), url, {})() as server, to_client, at_proxy:
                await Proxy(settings, store).run((at_proxy, to_client), server)

        @asynccontextmanager
        async def transport() -> Any:
            async with anyio.create_task_group() as tasks, to_proxy, at_client:
                tasks.start_soon(proxied)
                yield at_client, to_proxy
                await to_proxy.aclose()

        async with Client(transport(), mode="legacy") as client:
            assert "Emma" in (await client.read_resource("books://all")).contents[0].text
            assert "Not executed yet" in text(await client.call_tool("look", {"title": "Emma"}))
    assert library.ran == []


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "http://evil.example"}], ids=str)
def test_a_page_of_elsewhere_reaches_nothing(library: Library, headers: dict[str, str]) -> None:
    message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {}}
    accept = {"accept": "application/json, text/event-stream", **headers}
    with served(library) as url:
        assert httpx.post(url, json=message, headers=accept).status_code in (403, 421)
        assert httpx.post(url, json=message, headers={**accept, "mcp-session-id": "0" * 32}).status_code == 404
