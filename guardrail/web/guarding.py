"""What every request has to be before it reaches anything: for this server, not too large, and JSON that says one
thing only.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guardrail.codec import unique_keys
from guardrail.web.errors import INVALID, Refused, answer, kind_with
from guardrail.web.house import house

OPEN_HOST: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by programs at whatever address they know."""
DEEPEST: Final = 64
"""Levels of lists and objects in a request."""
SLOWEST: Final = 30.0
"""Seconds in which a request to the API has to arrive."""
MOST_DIGITS: Final = 300
"""Digits of a number in a request."""


class Guarding:
    """Refuses requests for another host (a page elsewhere whose name was made to lead here), and too large ones; those
    to the API that change something are read here, whole, and refused unless they are strict JSON.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            _check_host(request)
            receive = await self._read(request, receive)
        except Refused as refused:
            await _refuse(request, refused)(scope, receive, send)
            return
        begun = False

        async def out(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, out)
        except Refused as refused:  # a form that went on too long
            if begun:
                raise
            await _refuse(request, refused)(scope, receive, send)

    async def _read(self, request: Request, receive: Receive) -> Receive:
        longest = house(request).settings.longest_body
        declared = request.headers.get("content-length", "")
        if declared.isascii() and declared.isdecimal() and int(declared[:20]) > longest:
            raise _too_large(longest)
        limited = _limited(receive, longest)
        if not request.url.path.startswith("/api/") or request.scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return limited
        try:
            async with asyncio.timeout(SLOWEST):
                body = await _whole(limited)
        except TimeoutError:
            raise Refused(kind_with(408), f"the request did not arrive within {SLOWEST:g} seconds") from None
        if body is None:
            return receive  # whoever asked is gone
        if body:
            if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                raise Refused(kind_with(415), "send JSON, with the header Content-Type: application/json")
            strict(body)
        return _again(body, receive)


def strict(body: bytes) -> Any:
    """JSON that every reader reads alike.

    Raises:
        Refused: it is none, a key stands twice, a number is not finite or huge, a text holds half a character, or it
            is too deep.
    """
    try:
        data = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=unique_keys,
            parse_constant=_no_number,
            parse_float=_finite,
            parse_int=_bounded,
        )
        _check(data)
    except RecursionError:
        raise Refused(INVALID, f"the JSON is deeper than {DEEPEST} levels") from None
    except ValueError as error:
        said = "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else _said(error)
        raise Refused(INVALID, f"this is not JSON as it is read here: {said}") from None
    return data


def _said(error: ValueError) -> str:
    return f"{error.msg} at character {error.pos}" if isinstance(error, json.JSONDecodeError) else str(error)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    number = float(text) if len(text) <= MOST_DIGITS else float("inf")
    if number in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return number


def _bounded(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError("a number is too large")
    return int(text)


def _check(data: Any) -> None:
    todo: list[tuple[Any, int]] = [(data, 1)]
    while todo:
        value, depth = todo.pop()
        if depth > DEEPEST:
            raise RecursionError
        if isinstance(value, str):
            value.encode("utf-8")
        elif isinstance(value, list):
            todo += [(one, depth + 1) for one in value]
        elif isinstance(value, dict):
            todo += [(one, depth + 1) for pair in value.items() for one in pair]


def _check_host(request: Request) -> None:
    if request.url.path in OPEN_HOST:
        return
    settings = house(request).settings
    hosts = request.headers.getlist("host")
    if len(hosts) != 1 or _host(hosts[0], settings.url) != settings.host:
        raise Refused(kind_with(421), f"this server answers at {settings.url}")


def _host(said: str, url: str) -> str:
    """The Host header without the port that goes without saying."""
    default = {"https": ":443", "http": ":80"}[urlsplit(url).scheme]
    return said.lower().removesuffix(default)


def _too_large(longest: int) -> Refused:
    return Refused(kind_with(413), f"a request has {longest} bytes at most")


def _limited(receive: Receive, longest: int) -> Receive:
    got = 0

    async def limited() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > longest:
            raise _too_large(longest)
        return message

    return limited


async def _whole(receive: Receive) -> bytes | None:
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def _refuse(request: Request, refused: Refused) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    return answer(request, refused.kind, str(refused))
