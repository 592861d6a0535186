"""Everything passes unchanged between a client and a server, but for calls of tools."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.abc
from mcp.shared.message import SessionMessage
from mcp_types import CONNECTION_CLOSED, INVALID_REQUEST, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from guardrail.engine import Observer
from guardrail.policy import Policy
from guardrail.types import Tier
from guardrail_mcp.guarding import Guarding
from guardrail_mcp.wire import Gone, Id, Reading, Reply, Side, Writing, refused

if TYPE_CHECKING:
    from guardrail.store import Store

_CALL: Final = "tools/call"
_LAST_WORDS: Final = 5.0
_log = logging.getLogger("guardrail.mcp")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a proxy guards.

    ``wait`` is for how many seconds a call waits for a human before the agent is told to come back; ``elicit`` are the
    tiers on which the client's own user may decide; ``resample``: whether the client may be asked to draw steps again;
    ``shared``: whether the policy is about other servers too, so that its rules may name tools that this one lacks;
    ``observers`` are told what was decided, as those of ``guardrail.telemetry``.
    """

    policy: Policy = field(default_factory=Policy)
    thread_id: str
    requester: str
    tenant: str = ""
    wait: float = 45.0
    elicit: frozenset[Tier] = frozenset({Tier.LOW, Tier.MEDIUM})
    resample: bool = True
    shared: bool = False
    observers: tuple[Observer, ...] = ()


class Proxy:
    """One session between a client and a server, over the streams of any transport of the SDK."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store

    async def run(self, client: tuple[Reading, Writing], server: tuple[Reading, Writing]) -> bool:
        """Pass messages on until one side ends. Returns whether the client ended first, as it should."""
        session = _Session(Side(client[1]), Side(server[1]), self._settings, self._store)
        return await session.run(client[0], server[0])


class _Session:
    def __init__(self, client: Side, server: Side, settings: Settings, store: Store) -> None:
        self._client = client
        self._server = server
        self._guarding = Guarding(client, server, settings, store)
        self._calls: dict[tuple[type, Id], anyio.CancelScope] = {}
        self._passed: dict[tuple[type, Id], Id] = {}
        self._tokens: dict[Any, Id] = {}
        self._initialize: Id | None = None
        self._idle = anyio.Event()
        self._ended_well = True

    async def run(self, client: Reading, server: Reading) -> bool:
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._from_server, server, tasks)
                await self._from_client(client, tasks)
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._guarding.close()
        return self._ended_well

    async def _from_client(self, stream: Reading, tasks: anyio.abc.TaskGroup) -> None:
        while (item := await _next(stream)) is not None:
            if isinstance(item, Exception):
                _log.warning("a message of the client is no JSON-RPC message and was dropped")
                continue
            try:
                await self._client_says(item, tasks)
            except Gone:  # what is open is answered when its end is seen
                with anyio.move_on_after(2 * _LAST_WORDS):
                    await anyio.sleep_forever()
                return

    async def _client_says(self, item: SessionMessage, tasks: anyio.abc.TaskGroup) -> None:
        message = item.message
        if isinstance(message, JSONRPCRequest):
            key = type(message.id), message.id
            if key in self._calls or key in self._passed:
                await self._client.send(refused(message.id, "a request of that id is still open", INVALID_REQUEST))
                return
            self._note_token(message)
            if message.method == _CALL:
                scope = self._calls[key] = anyio.CancelScope()
                tasks.start_soon(self._call, message, scope)
                return
            if message.method == "initialize":
                self._guarding.initialized_by(message.params or {})
                self._initialize = message.id
            self._passed[key] = message.id
        elif isinstance(message, JSONRPCNotification):
            if message.method == _CALL:  # a server might run what nobody waits for
                return
            if message.method == "notifications/cancelled" and self._cancelled(message):
                return
            if message.method == "notifications/initialized":
                await self._server.send(message)
                tasks.start_soon(self._guarding.look_at_tools)
                return
        elif self._client.take(message):
            return
        await self._server.send(message)

    def _cancelled(self, message: JSONRPCNotification) -> bool:
        """Cancel a guarded call; whether that is all that has to be done."""
        request_id = (message.params or {}).get("requestId")
        scope = self._calls.get((type(request_id), request_id)) if isinstance(request_id, int | str) else None
        if scope is None or request_id is None:
            if isinstance(request_id, int | str):
                self._closed(request_id)
            return False
        reached = self._server.knows(request_id)
        scope.cancel()
        return not reached

    async def _call(self, request: JSONRPCRequest, scope: anyio.CancelScope) -> None:
        key = type(request.id), request.id
        answer: Reply | None = None
        with scope:
            answer = await self._guarding.answer(request)
        self._calls.pop(key, None)
        self._closed(request.id)
        if answer is not None:
            await self._tell(answer)
        if not self._calls and self._server.gone:
            self._idle.set()

    async def _from_server(self, stream: Reading, tasks: anyio.abc.TaskGroup) -> None:
        while (item := await _next(stream)) is not None:
            if isinstance(item, Exception):
                _log.warning("a message of the server is no JSON-RPC message and was dropped")
                continue
            message = item.message
            if isinstance(message, JSONRPCRequest):
                await self._tell(message)
            elif isinstance(message, JSONRPCNotification):
                if message.method == "notifications/tools/list_changed":
                    self._guarding.forget_tools()
                await self._tell(message, about=self._about(message))
            elif not self._server.take(message):
                if message.id is not None:
                    self._agreed(message)
                    self._closed(message.id)
                await self._tell(message)
        await self._server_ended()
        tasks.cancel_scope.cancel()

    async def _server_ended(self) -> None:
        """Answer whatever is open: nobody else will."""
        self._ended_well = False
        print("guardrail mcp: the server has ended", file=sys.stderr)  # noqa: T201 - stdout is the protocol's
        self._server.end()
        for request_id in list(self._passed.values()):
            await self._tell(refused(request_id, "the server has ended", CONNECTION_CLOSED))
        if self._calls:
            with anyio.move_on_after(_LAST_WORDS):
                await self._idle.wait()

    async def _tell(self, message: Any, *, about: Id | None = None) -> None:
        try:
            await self._client.send(message, about=about)
        except Gone:
            return  # the loop over its messages ends as well

    def _agreed(self, reply: Reply) -> None:
        """The version that the server has chosen."""
        if reply.id == self._initialize and isinstance(reply, JSONRPCResponse):
            version = reply.result.get("protocolVersion")
            self._server.version = version if isinstance(version, str) and version.isascii() else ""

    def _closed(self, request_id: Id) -> None:
        self._passed.pop((type(request_id), request_id), None)
        for token in [token for token, asked in self._tokens.items() if asked == request_id]:
            del self._tokens[token]

    def _note_token(self, message: JSONRPCRequest) -> None:
        meta = (message.params or {}).get("_meta")
        token = meta.get("progressToken") if isinstance(meta, Mapping) else None
        if isinstance(token, int | str):
            self._tokens[token] = message.id

    def _about(self, message: JSONRPCNotification) -> Id | None:
        token = (message.params or {}).get("progressToken")
        return self._tokens.get(token) if isinstance(token, int | str) else None


async def _next(stream: Reading) -> SessionMessage | Exception | None:
    try:
        return await stream.receive()
    except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
        return None
