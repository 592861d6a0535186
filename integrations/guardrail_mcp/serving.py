"""The two ends of a proxy: where its server is, and how its clients come to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.stdio import stdio_server

from guardrail.errors import ConfigError
from guardrail_mcp.proxy import Proxy, Settings
from guardrail_mcp.wire import Reading, Writing

if TYPE_CHECKING:
    from guardrail.store import Store

Streams = tuple[Reading, Writing]
Upstream = Callable[[], AbstractAsyncContextManager[Streams]]


def upstream_of(command: Sequence[str], url: str | None, environment: Mapping[str, str]) -> Upstream:
    """How to open a session with the server.

    Raises:
        ConfigError: the address is none.
    """
    if url is not None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
            raise ConfigError(f"--upstream must be an address such as https://example.org/mcp, not {url!r}")
        return lambda: _opened(streamable_http_client(url))
    parameters = StdioServerParameters(command=command[0], args=list(command[1:]), env=dict(environment))
    return lambda: _opened(stdio_client(parameters))


def serve(settings: Settings, store: Store, server: Upstream, *, http: str | None = None) -> bool:
    """Guard until the client, or all of them, have gone. Returns whether the server lasted as long.

    Raises:
        ConfigError: the server cannot be started, or ``http`` is no place to listen on.
    """
    if http is not None:
        from guardrail_mcp.http import serve_http

        return serve_http(settings, store, server, http)

    async def over_stdio() -> bool:
        try:
            async with server() as streams, stdio_server() as client:
                return await Proxy(settings, store).run(client, streams)
        except OSError as error:
            raise ConfigError(f"the server cannot be started: {error}") from error

    return anyio.run(over_stdio)


@asynccontextmanager
async def _opened(transport: Any) -> AsyncIterator[Streams]:
    async with transport as streams:
        yield streams[0], streams[1]
