"""The people of a tenant, and tokens of programs: for admins."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from guardrail.access import DECIDE, SCOPES
from guardrail.errors import GuardrailError
from guardrail.types import PrincipalKind
from guardrail.web.auth.doors import access_of, link, signed_in
from guardrail.web.forms import Form
from guardrail.web.templating import page

router = APIRouter(include_in_schema=False)


@router.get("/people")
def people_page(request: Request) -> Response:
    """Everybody of the tenant."""
    return _people(request)


@router.post("/people/invite")
def invite(request: Request, form: Form) -> Response:
    """A one-time link for somebody new, which is shown this once."""
    name = form.text("name")
    try:
        secret = access_of(request).invite(name, _roles(form.get("roles")), by=signed_in(request).principal)
    except GuardrailError as error:
        return _people(request, problem=f"{error}.", name=name, roles=form.get("roles"))
    return page(request, "link.html", name=name, link=link(request, secret), reset=False)


@router.post("/people/{account}/roles")
def roles(request: Request, account: str, form: Form) -> Response:
    """Give somebody other roles."""
    try:
        access_of(request).set_roles(account, _roles(form.get("roles")), by=signed_in(request).principal)
    except GuardrailError as error:
        return _people(request, problem=f"{error}.")
    return RedirectResponse("/people", 303)


@router.post("/people/{account}/disable")
def disable(request: Request, account: str) -> Response:
    """Shut somebody out."""
    try:
        access_of(request).disable(account, by=signed_in(request).principal)
    except GuardrailError as error:
        return _people(request, problem=f"{error}.")
    return RedirectResponse("/people", 303)


@router.post("/people/{account}/enable")
def enable(request: Request, account: str) -> Response:
    """Let somebody in again."""
    access_of(request).enable(account, by=signed_in(request).principal)
    return RedirectResponse("/people", 303)


@router.post("/people/{account}/reset")
def reset(request: Request, account: str) -> Response:
    """A one-time link to set a new password, which is shown this once."""
    access = access_of(request)
    try:
        secret = access.reset(account, by=signed_in(request).principal)
    except GuardrailError as error:
        return _people(request, problem=f"{error}.")
    found = access.account(account)
    name = "" if found is None else found.name
    return page(request, "link.html", name=name, link=link(request, secret), reset=True)


@router.post("/people/tokens")
def create_token(request: Request, form: Form) -> Response:
    """A token of an agent or of a part of the system, which is shown this once."""
    kind = PrincipalKind.SYSTEM if form.get("kind") == "system" else PrincipalKind.AGENT
    try:
        token, text = access_of(request).create_token(
            form.text("name"), scopes=tuple(form.all("scope")), by=signed_in(request).principal, kind=kind
        )
    except GuardrailError as error:
        return _people(request, problem=f"{error}.")
    return page(request, "token.html", token=token, text=text)


@router.post("/people/tokens/{token}/revoke")
def revoke_token(request: Request, token: str) -> Response:
    """Make a token worth nothing."""
    access_of(request).revoke_token(token, by=signed_in(request).principal)
    return RedirectResponse("/people", 303)


def _people(request: Request, *, problem: str = "", name: str = "", roles: str = "") -> Response:
    signed, access = signed_in(request), access_of(request)
    return page(
        request,
        "people.html",
        status=422 if problem else 200,
        people=access.accounts(by=signed.principal),
        tokens=access.tokens(by=signed.principal),
        scopes=tuple(scope for scope in SCOPES if scope != DECIDE),
        me=signed.account.id,
        problem=problem,
        name=name,
        roles=roles,
    )


def _roles(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())
