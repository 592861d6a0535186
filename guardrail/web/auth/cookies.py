"""The two cookies: of a session, and of a browser in which nobody is signed in yet."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import Response

from guardrail.web.settings import Settings

_SESSION: Final = "guardrail"
_BEFORE: Final = "guardrail-before"
_BEFORE_SECONDS: Final = 3600


def one_cookie(request: HTTPConnection, name: str) -> str:
    """The cookie of that name; none, where there are several: another server of this host, or another of its names,
    may have put one beside ours.
    """
    sent = [part.strip().partition("=") for header in request.headers.getlist("cookie") for part in header.split(";")]
    found = [value for one, _, value in sent if one.strip() == name]
    return found[0].strip() if len(found) == 1 else ""


def session_name(settings: Settings) -> str:
    """What the cookie of a session is called; over https the browser itself binds ``__Host-`` to this host."""
    return f"__Host-{_SESSION}" if settings.secure else _SESSION


def before_name(settings: Settings) -> str:
    """What the cookie is called that binds the form to sign in to the browser that asked for it."""
    return f"__Host-{_BEFORE}" if settings.secure else _BEFORE


def set_session(response: Response, settings: Settings, cookie: str) -> None:
    """Give the browser a session, until it closes or the session ends; what was there before goes."""
    response.set_cookie(session_name(settings), cookie, path="/", secure=settings.secure, httponly=True, samesite="lax")
    response.delete_cookie(before_name(settings), path="/", secure=settings.secure, httponly=True, samesite="lax")


def clear_session(response: Response, settings: Settings) -> None:
    """Take the session from the browser."""
    response.delete_cookie(session_name(settings), path="/", secure=settings.secure, httponly=True, samesite="lax")


def before_header(settings: Settings, cookie: str) -> str:
    """The header that gives a browser the cookie for signing in."""
    morsel: SimpleCookie = SimpleCookie()
    try:
        morsel[before_name(settings)] = cookie
    except CookieError as error:  # pragma: no cover - the names are ours
        raise ValueError(str(error)) from error
    one = morsel[before_name(settings)]
    one["path"], one["httponly"], one["samesite"], one["max-age"] = "/", True, "lax", _BEFORE_SECONDS
    if settings.secure:
        one["secure"] = True
    return one.OutputString()
