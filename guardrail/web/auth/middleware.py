"""Puts who asks beside each request."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class Authenticated:
    """Sets ``request.state.principal`` (None: nobody) and ``request.state.csrf``, the token that forms send back."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            state = scope.setdefault("state", {})
            state.setdefault("principal", None)
            state.setdefault("csrf", "")
        await self._app(scope, receive, send)
