"""The proxy: everything passes unchanged; what plans tool calls is handed to the recorder."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from guardrail_openai.record.exchange import exchange
from guardrail_openai.record.recorder import Recorder

_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
        "content-length",
        "accept-encoding",
    }
)
_IDENTITY: Final = ("authorization", "api-key", "x-api-key", "openai-organization", "openai-project")
"""Headers that say who the agent is: samples are drawn in the same name."""
_LONGEST: Final = 32 * 1024 * 1024
"""Bytes of an answer that are kept for the recorder; longer ones pass without being recorded."""


def application(
    recorder: Recorder,
    *,
    upstream: str,
    share: float = 1.0,
    limit: int | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    draw: Callable[[], float] | None = None,
) -> Starlette:
    """An ASGI application whose ``/v1`` stands for ``upstream``.

    ``share`` of the planning steps are recorded, drawn at random, at most ``limit`` of them.
    """
    chance = draw or random.SystemRandom().random
    client = httpx.AsyncClient(transport=transport, timeout=httpx.Timeout(None, connect=10.0))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await recorder.finish()
        await client.aclose()

    async def forward(request: Request) -> Response:
        body = await request.body()
        kept = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP]
        url = httpx.URL(upstream.rstrip("/") + "/" + request.path_params["path"], query=request.url.query.encode())
        # the answer has to be readable as it passes
        outgoing = client.build_request(
            request.method, url, headers=[*kept, ("accept-encoding", "identity")], content=body
        )
        try:
            answer = await client.send(outgoing, stream=True)
        except httpx.HTTPError as error:
            message = f"guardrail record cannot reach {upstream}: {type(error).__name__}"
            return JSONResponse({"error": {"message": message, "type": "upstream_unreachable"}}, status_code=502)
        identity = {name: request.headers[name] for name in _IDENTITY if name in request.headers}

        def passed(response: bytes) -> None:
            if answer.status_code == 200 and request.method == "POST":
                _consider(str(url.path), body, response, identity)

        headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP}
        return StreamingResponse(_through(answer, passed), status_code=answer.status_code, headers=headers)

    def _consider(path: str, body: bytes, response: bytes, identity: dict[str, str]) -> None:
        found = exchange(path, body, response, identity)
        if found is None:
            return
        tally = recorder.tally
        tally.seen += 1
        full = limit is not None and tally.seen - tally.left_out - tally.failed > limit
        if full or chance() >= share:
            tally.left_out += 1
            return
        recorder.record(found)

    return Starlette(routes=[Route("/v1/{path:path}", forward, methods=_METHODS)], lifespan=lifespan)


async def _through(answer: httpx.Response, passed: Callable[[bytes], None]) -> AsyncIterator[bytes]:
    kept = bytearray()
    try:
        async for piece in answer.aiter_raw():
            if len(kept) <= _LONGEST:
                kept += piece
            yield piece
    finally:
        await answer.aclose()
    if len(kept) <= _LONGEST:
        passed(bytes(kept))
