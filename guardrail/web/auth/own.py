"""One's own account: password, sessions, API tokens."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from guardrail.access import SCOPES, SHORTEST
from guardrail.errors import AccessError, GuardrailError
from guardrail.web.auth.cookies import set_session
from guardrail.web.auth.doors import access_of, address_of, signed_in
from guardrail.web.forms import Form
from guardrail.web.house import house
from guardrail.web.templating import page

router = APIRouter(include_in_schema=False)
_MOST_DAYS = 3650


@router.get("/account")
def account_page(request: Request) -> Response:
    """The account of who is signed in."""
    return _account(request)


@router.post("/account/password")
def change_password(request: Request, form: Form) -> Response:
    """Set a new password; every session ends, and this browser gets a new one."""
    signed, access = signed_in(request), access_of(request)
    if form.get("new") != form.get("again"):
        return _account(request, problem="The two new passwords are not the same.", at="password")
    try:
        account = access.change_password(signed.account, old=form.get("old"), new=form.get("new"))
    except AccessError as error:
        return _account(request, problem=f"{error}.", at="password")
    fresh = access.begin(account, address=address_of(request), agent=request.headers.get("user-agent", ""))
    answer = RedirectResponse("/account", 303)
    set_session(answer, house(request).settings, fresh.cookie)
    return answer


@router.post("/account/sessions/{session}/end")
def end_session(request: Request, session: str) -> Response:
    """End one of one's own sessions."""
    access_of(request).end_session(session, account=signed_in(request).account)
    return RedirectResponse("/account", 303)


@router.post("/account/tokens")
def create_token(request: Request, form: Form) -> Response:
    """Make an API token, which is shown this once."""
    signed = signed_in(request)
    said = form.text("days") or "0"
    days = int(said) if said.isascii() and said.isdecimal() and len(said) <= 4 else -1
    if not 0 <= days <= _MOST_DAYS:
        return _account(request, problem=f"Days are a number from 0 to {_MOST_DAYS}.", at="token")
    until = "" if not days else (house(request).clock() + timedelta(days=days)).isoformat()
    try:
        token, text = access_of(request).create_token(
            form.text("name"),
            scopes=tuple(form.all("scope")),
            by=signed.principal,
            owner=signed.account,
            until=until,
        )
    except GuardrailError as error:
        return _account(request, problem=f"{error}.", at="token")
    return page(request, "token.html", token=token, text=text)


@router.post("/account/tokens/{token}/revoke")
def revoke_token(request: Request, token: str) -> Response:
    """Make a token worth nothing."""
    access_of(request).revoke_token(token, by=signed_in(request).principal)
    return RedirectResponse("/account", 303)


def _account(request: Request, *, problem: str = "", at: str = "") -> Response:
    signed, access = signed_in(request), access_of(request)
    return page(
        request,
        "account.html",
        status=422 if problem else 200,
        account=signed.account,
        current=signed.session.id,
        sessions=access.sessions(signed.account),
        tokens=access.tokens_of(signed.account),
        scopes=SCOPES,
        shortest=SHORTEST,
        problem=problem,
        at=at,
    )
