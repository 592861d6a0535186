"""Server-sent events over HTTP."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from guardrail.web.live import Live, Subscription

_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # a proxy in front must pass events on at once
]


class EventStream(Response):
    """The events of one client until it goes, the process ends, or its time is over, whichever is first."""

    def __init__(self, live: Live, one: Subscription, *, heartbeat: float, seconds: float) -> None:
        super().__init__()
        self._live, self._one = live, one
        self._heartbeat, self._seconds = heartbeat, seconds

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.ensure_future(self._send(send))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        except OSError:
            pass  # the client is gone
        finally:
            for task in (sending, gone):
                task.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)
            self._live.leave(self._one)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await _part(send, b"retry: 2000\n\n")
        clock = asyncio.get_running_loop().time
        end = clock() + self._seconds
        while (left := end - clock()) > 0:
            event = await self._one.next(min(self._heartbeat, left))
            if event is None and self._one.over:
                break
            await _part(send, b": still here\n\n" if event is None else event.encoded())
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _part(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
