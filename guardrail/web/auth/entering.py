"""Signing in, signing out, and one-time links."""

from __future__ import annotations

import logging

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from guardrail.access import SHORTEST, SignedIn
from guardrail.errors import AccessError, TooManyAttempts
from guardrail.types import Purpose
from guardrail.visible import plain
from guardrail.web.auth.cookies import clear_session, one_cookie, session_name, set_session
from guardrail.web.auth.doors import access_of, address_of
from guardrail.web.forms import Form, local_path
from guardrail.web.house import house
from guardrail.web.templating import page

_log = logging.getLogger("guardrail.web")
router = APIRouter(include_in_schema=False)


@router.get("/login")
def login_page(request: Request, next: str = "/") -> Response:  # noqa: A002 - the address says so
    """The form to sign in; who is signed in already goes on."""
    if getattr(request.state, "session", None) is not None:
        return RedirectResponse(local_path(next), 303)
    return _login(request, next)


@router.post("/login")
def login(request: Request, form: Form) -> Response:
    """Begin a session."""
    settings = house(request).settings
    try:
        signed = access_of(request).sign_in(
            form.text("name"),
            form.get("password"),
            tenant=form.text("tenant") or settings.tenant,
            address=address_of(request),
            agent=request.headers.get("user-agent", ""),
        )
    except TooManyAttempts as error:
        answer = _login(request, form.get("next"), name=form.text("name"), problem=f"{error}.", status=429)
        answer.headers["retry-after"] = str(max(1, round(error.seconds)))
        return answer
    except AccessError:
        # without the name: people type their password there
        _log.warning("somebody failed to sign in, from %s", plain(address_of(request)))
        return _login(
            request, form.get("next"), name=form.text("name"), problem="Name and password do not fit.", status=403
        )
    return entered(request, signed, form.get("next"))


@router.post("/logout")
def logout(request: Request) -> Response:
    """End the session."""
    settings = house(request).settings
    access_of(request).sign_out(one_cookie(request, session_name(settings)))
    answer = RedirectResponse("/login", 303)
    clear_session(answer, settings)
    return answer


@router.get("/welcome/{secret}")
def welcome_page(request: Request, secret: str) -> Response:
    """What a one-time link is for. Looking does not use it."""
    return _welcome(request, secret)


@router.post("/welcome/{secret}")
def welcome(request: Request, secret: str, form: Form) -> Response:
    """Use a one-time link, and sign in."""
    access, password = access_of(request), form.get("password")
    if password != form.get("again"):
        return _welcome(request, secret, name=form.text("name"), problem="The two passwords are not the same.")
    try:
        account = access.accept(secret, password=password, name=form.text("name"))
    except AccessError as error:
        return _welcome(request, secret, name=form.text("name"), problem=f"{_capital(str(error))}.")
    signed = access.begin(account, address=address_of(request), agent=request.headers.get("user-agent", ""))
    return entered(request, signed, "/")


def entered(request: Request, signed: SignedIn, next_path: str) -> Response:
    """Give the browser its session, with a new secret, and go on. The one that it had ends."""
    before: SignedIn | None = getattr(request.state, "session", None)
    if before is not None:
        access_of(request).sign_out(before.cookie)
    answer = RedirectResponse(local_path(next_path), 303)
    set_session(answer, house(request).settings, signed.cookie)
    return answer


def _login(request: Request, next_path: str, *, name: str = "", problem: str = "", status: int = 200) -> Response:
    oidc = getattr(request.app.state, "oidc", None)
    return page(
        request,
        "login.html",
        status=status,
        next=local_path(next_path),
        name=name,
        problem=problem,
        provider=None if oidc is None else oidc.title,
    )


def _welcome(request: Request, secret: str, *, name: str = "", problem: str = "") -> Response:
    try:
        invitation = access_of(request).look(secret)
    except AccessError as error:
        return page(request, "welcome_gone.html", status=410, detail=f"{_capital(str(error))}.")
    return page(
        request,
        "welcome.html",
        status=422 if problem else 200,
        invitation=invitation,
        first=invitation.purpose is Purpose.FIRST_RUN,
        reset=invitation.purpose is Purpose.RESET,
        name=invitation.name or name,
        shortest=SHORTEST,
        problem=problem,
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
