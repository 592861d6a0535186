"""Clients over streamable HTTP: each session has its own, and a server of its own behind it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from uuid import uuid4

import anyio
import anyio.abc
import uvicorn
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER, StreamableHTTPServerTransport
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from guardrail.errors import ConfigError
from guardrail_mcp.proxy import Proxy, Settings
from guardrail_mcp.serving import Upstream

if TYPE_CHECKING:
    from guardrail.store import Store

_SESSIONS: Final = 100
_log = logging.getLogger("guardrail.mcp")


def serve_http(settings: Settings, store: Store, server: Upstream, place: str) -> bool:
    """Serve clients at ``http://HOST:PORT/mcp`` until a signal comes.

    Raises:
        ConfigError: that is no place to listen on, or others could reach it: there is no signing in here.
    """
    split = urlsplit(f"//{place}")
    try:
        host, port = split.hostname or "", split.port
    except ValueError:
        host, port = "", None
    if not host or port is None:
        raise ConfigError(f"--http must be a host and a port such as 127.0.0.1:8931, not {place!r}")
    if host not in ("127.0.0.1", "localhost", "::1"):
        raise ConfigError("--http serves this machine only (127.0.0.1): put a proxy that signs people in before it")
    app = application(settings, store, server, hosts=[place, f"localhost:{port}", f"127.0.0.1:{port}"])
    uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_level="warning", lifespan="on")).run()
    return True


def application(settings: Settings, store: Store, server: Upstream, *, hosts: list[str]) -> Starlette:
    """The ASGI application, for requests to these ``hosts`` only (a page elsewhere could be made to point here)."""
    sessions = _Sessions(settings, store, server, hosts)
    return Starlette(routes=[Route("/mcp", sessions)], lifespan=sessions.running)


class _Sessions:
    """An approval belongs to the session in which the call was planned: the thread's id has the session's."""

    def __init__(self, settings: Settings, store: Store, server: Upstream, hosts: list[str]) -> None:
        self._settings = settings
        self._store = store
        self._server = server
        origins = [f"http://{host}" for host in hosts]
        self._security = TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)
        self._open: dict[str, StreamableHTTPServerTransport] = {}
        self._tasks: anyio.abc.TaskGroup | None = None

    @asynccontextmanager
    async def running(self, _app: Starlette) -> AsyncIterator[None]:
        """While the server runs."""
        async with anyio.create_task_group() as self._tasks:
            yield
            self._tasks.cancel_scope.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        session = request.headers.get(MCP_SESSION_ID_HEADER)
        if session is not None:
            transport = self._open.get(session)
            if transport is None:
                await PlainTextResponse("no such session", 404)(scope, receive, send)
                return
            await transport.handle_request(scope, receive, send)
            return
        if len(self._open) >= _SESSIONS or self._tasks is None:
            await PlainTextResponse("too many sessions", 503)(scope, receive, send)
            return
        transport = StreamableHTTPServerTransport(uuid4().hex, security_settings=self._security)
        await self._tasks.start(self._run, transport)
        opened = False

        async def watched(message: dict[str, object]) -> None:
            nonlocal opened
            if message["type"] == "http.response.start":
                opened = message["status"] == 200
            await send(message)

        try:
            await transport.handle_request(scope, receive, watched)  # type: ignore[arg-type]  # it is a Send
        finally:
            if not opened:
                with anyio.CancelScope(shield=True):
                    await transport.terminate()

    async def _run(
        self,
        transport: StreamableHTTPServerTransport,
        *,
        task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        session = str(transport.mcp_session_id)
        settings = replace(self._settings, thread_id=f"{self._settings.thread_id}/{session}")
        self._open[session] = transport
        try:
            async with transport.connect() as client:
                task_status.started()
                async with self._server() as server:
                    await Proxy(settings, self._store).run(client, server)
        except Exception:  # noqa: BLE001 - a session that fails must not end the others
            _log.exception("a session has ended")
        finally:
            self._open.pop(session, None)
