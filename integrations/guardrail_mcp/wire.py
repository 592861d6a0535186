"""Messages as they are: who answers which, and what is asked of the two sides by the proxy itself."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

import anyio
from mcp.shared.message import ClientMessageMetadata, ServerMessageMetadata, SessionMessage
from mcp_types import ErrorData, JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

T_co = TypeVar("T_co", covariant=True)
T_contra = TypeVar("T_contra", contravariant=True)
Id = int | str
_VERSION: Final = "mcp-protocol-version"
Reply = JSONRPCResponse | JSONRPCError
Message = JSONRPCRequest | JSONRPCNotification | JSONRPCResponse | JSONRPCError


class Reading(Protocol):
    """A transport's stream of messages that come in; what could not be parsed is an exception."""

    async def receive(self) -> SessionMessage | Exception: ...


class Writing(Protocol):
    """A transport's stream of messages that go out."""

    async def send(self, item: SessionMessage, /) -> None: ...


class Gone(Exception):
    """The other side has ended, and will not answer."""


@dataclass
class Waiting:
    """An answer that is waited for; None: it will not come."""

    reply: Reply | None = None
    there: anyio.Event = field(default_factory=anyio.Event)

    def give(self, reply: Reply | None) -> None:
        """Wake whoever waits."""
        self.reply = reply
        self.there.set()

    async def take(self) -> Reply:
        """The answer.

        Raises:
            Gone: it will not come.
        """
        await self.there.wait()
        if self.reply is None:
            raise Gone
        return self.reply


class Side:
    """One of the two sides, and what the proxy has asked of it. Ids of the proxy's own cannot be guessed."""

    def __init__(self, write: Writing) -> None:
        self._write = write
        self._own = f"guardrail-{secrets.token_hex(8)}"
        self._count = 0
        self._waiting: dict[tuple[type, Id], Waiting] = {}
        self.gone = False
        self.version = ""
        """The protocol's version that was agreed with a server; transports over HTTP write it into every request."""

    async def send(self, message: Message, *, about: Id | None = None) -> None:
        """Pass a message on. ``about``: the request that it belongs to, for transports that tell them apart."""
        metadata: ServerMessageMetadata | ClientMessageMetadata | None = None
        if about is not None:
            metadata = ServerMessageMetadata(related_request_id=about)
        elif self.version:
            metadata = ClientMessageMetadata(headers={_VERSION: self.version})
        try:
            await self._write.send(SessionMessage(message, metadata=metadata))
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            raise Gone from error

    async def begin(self, request: JSONRPCRequest, *, about: Id | None = None) -> Waiting:
        """Send a request whose answer the proxy takes."""
        if self.gone:
            raise Gone
        waiting = self._waiting[type(request.id), request.id] = Waiting()
        try:
            await self.send(request, about=about)
        except BaseException:
            self.forget(request.id)
            raise
        return waiting

    async def ask(self, method: str, params: dict[str, Any], *, about: Id | None = None, limit: float) -> Reply:
        """A request of the proxy's own, given up (and cancelled) after so many seconds.

        Raises:
            Gone: there is no answer.
        """
        self._count += 1
        request = JSONRPCRequest(jsonrpc="2.0", id=f"{self._own}-{self._count}", method=method, params=params)
        try:
            with anyio.fail_after(limit):
                return await (await self.begin(request, about=about)).take()
        except TimeoutError as error:
            await self._cancel(request.id)
            raise Gone from error
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                await self._cancel(request.id)
            raise
        finally:
            self.forget(request.id)

    def take(self, reply: Reply) -> bool:
        """Whether an answer was for the proxy; whoever waits for it gets it."""
        waiting = None if reply.id is None else self._waiting.get((type(reply.id), reply.id))
        if waiting is not None:
            waiting.give(reply)
        return waiting is not None or str(reply.id).startswith(self._own)

    def knows(self, request_id: Id) -> bool:
        """Whether the answer to that request is waited for."""
        return (type(request_id), request_id) in self._waiting

    def forget(self, request_id: Id) -> None:
        """Nobody waits for that answer any more."""
        self._waiting.pop((type(request_id), request_id), None)

    def end(self) -> None:
        """It has ended: no answer will come."""
        self.gone = True
        for waiting in list(self._waiting.values()):
            waiting.give(None)

    async def _cancel(self, request_id: Id) -> None:
        params = {"requestId": request_id, "reason": "not needed any more"}
        note = JSONRPCNotification(jsonrpc="2.0", method="notifications/cancelled", params=params)
        try:
            await self.send(note)
        except Gone:
            return


def refused(request_id: Id, text: str, code: int) -> JSONRPCError:
    """An error of the protocol's own."""
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=code, message=text))
