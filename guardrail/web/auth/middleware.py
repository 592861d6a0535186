"""Who asks: by the session of a browser or the token of a program; and that forms come from this server's own pages.

A request with a session that changes something needs the form token, which no other site can know, and comes from this
origin, as the browser says. A token in the header needs neither: no browser sends it by itself.
"""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guardrail.access import form_token, new_secret, same
from guardrail.errors import GuardrailError, NotSignedIn
from guardrail.web.auth.cookies import before_header, before_name, one_cookie, session_name
from guardrail.web.auth.doors import access_of
from guardrail.web.errors import Refused, answer, described, kind_with
from guardrail.web.house import house

FIELD: Final = "csrf"
HEADER: Final = "x-csrf-token"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_BEFORE: Final = ("/login", "/welcome/", "/oidc/")
"""Pages for people who are not signed in."""
_FORM: Final = "application/x-www-form-urlencoded"


class Authenticated:
    """Sets ``request.state.principal`` (None: nobody), ``request.state.session`` (None: no browser's session) and
    ``request.state.csrf``, the token that forms send back; refuses what was not sent by a page of this server.

    An application around this one that knows who asks says so by ``scope["state"]["principal"]`` and ``["csrf"]``.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        state = scope.setdefault("state", {})
        state["session"] = None
        before = ""
        try:
            if state.get("principal") is None:
                before = await _known(request, state)
            receive = await _checked(request, state, receive)
        except ClientDisconnect:
            return
        except GuardrailError as error:
            await answer(request, *described(error))(scope, receive, send)
            return

        async def out(message: Message) -> None:
            if before and message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.append("set-cookie", before_header(house(request).settings, before))
            await send(message)

        await self._app(scope, receive, out)


async def _known(request: HTTPConnection, state: dict[str, object]) -> str:
    """Find out who asks; what is returned is a cookie to be given for signing in."""
    settings, access = house(request).settings, access_of(request)
    state["principal"], state["csrf"] = None, ""
    bearer = _bearer(request)
    cookie = one_cookie(request, session_name(settings))
    if bearer is not None:
        if cookie:
            raise Refused(kind_with(400), "the request has a session and a token: send one of them")
        state["principal"] = await asyncio.to_thread(access.token, bearer)
        if state["principal"] is None:
            raise NotSignedIn("this token is none, was revoked or has expired, or its owner may not come in")
        return ""
    signed = await asyncio.to_thread(access.session, cookie) if cookie else None
    if signed is not None:
        state.update(principal=signed.principal, session=signed, csrf=signed.csrf)
        return ""
    given = one_cookie(request, before_name(settings))
    if 0 < len(given) < 200:
        state["csrf"] = form_token(given)
        return ""
    if request.scope["method"] in _SAFE and request.url.path.startswith(_BEFORE):
        made = new_secret()
        state["csrf"] = form_token(made)
        return made
    return ""


def _bearer(request: HTTPConnection) -> str | None:
    """The token in the header; None where there is no such header.

    Raises:
        Refused: there are several headers.
    """
    sent = request.headers.getlist("authorization")
    if len(sent) > 1:
        raise Refused(kind_with(400), "the request has several headers Authorization: send one of them")
    kind, _, token = (sent[0] if sent else "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


async def _checked(request: HTTPConnection, state: dict[str, object], receive: Receive) -> Receive:
    """That a request which changes something was sent by a page of this server.

    Raises:
        Refused: it was not, or nobody can tell.
    """
    if request.scope["method"] in _SAFE or _bearer(request) is not None:
        return receive
    token = str(state.get("csrf") or "")
    if not token and request.url.path.startswith("/api/"):
        return receive  # nobody is signed in by a cookie: the route asks for credentials
    _check_origin(request)
    sent = request.headers.get(HEADER, "")
    if not sent and request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM:
        body, receive = await _whole(receive)
        sent = _field(body)
    if not token or not same(sent, token):
        raise Refused(
            kind_with(403), "this form is not from this page, or is too old: open the page again, and send it"
        )
    return receive


def _check_origin(request: HTTPConnection) -> None:
    """That the browser says the request is from this server, as far as it says anything."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Refused(kind_with(403), "another site sent this form")
    origin = request.headers.get("origin")
    if origin is not None and origin.rstrip("/").lower() != house(request).settings.url.lower():
        raise Refused(kind_with(403), f"this form was not sent from {house(request).settings.url}")


def _field(body: bytes) -> str:
    """The last form token among the fields of a form."""
    try:
        fields = parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=10_000)
    except ValueError:
        return ""
    return next((value for name, value in reversed(fields) if name == FIELD), "")


async def _whole(receive: Receive) -> tuple[bytes, Receive]:
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect  # half a form is none
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"".join(parts)
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return body, again
