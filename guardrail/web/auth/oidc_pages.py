"""The two addresses of signing in by a provider: where one leaves, and where one comes back."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from guardrail.access import new_secret
from guardrail.errors import AccessError, NotFound, NotPermitted
from guardrail.web.auth.doors import access_of, address_of
from guardrail.web.auth.entering import entered
from guardrail.web.errors import Refused, kind_with
from guardrail.web.forms import local_path
from guardrail.web.house import house
from guardrail.web.settings import Settings

if TYPE_CHECKING:
    from guardrail.web.auth.oidc import Provider
    from guardrail.web.auth.oidc_settings import OidcSettings

router = APIRouter(include_in_schema=False)
BACK: Final = "/oidc/callback"
_KEPT: Final = 600
"""Seconds that an attempt may take."""
_COOKIE: Final = re.compile(r"([A-Za-z0-9_-]{43})\.(.{0,2000})")


def use_provider(app: FastAPI, settings: OidcSettings) -> None:
    """Let the people of a provider sign in to an application. Its secret comes from the environment."""
    from guardrail.web.auth.oidc import Provider

    served = app.state.house
    app.state.oidc = Provider(settings, redirect=f"{served.settings.url}{BACK}", now=served.clock)


@router.get("/oidc/login")
def leave(request: Request, next: str = "/") -> Response:  # noqa: A002 - the address says so
    """Send the browser to the provider, with an attempt of its own. Nothing is kept here."""
    from guardrail.web.auth.oidc import Attempt, ProviderDown

    secret = new_secret()
    try:
        answer = RedirectResponse(_provider(request).leave(Attempt(secret)), 303)
    except ProviderDown as error:
        raise Refused(kind_with(503), str(error)) from error
    settings = house(request).settings
    answer.set_cookie(
        _name(settings),
        f"{secret}.{quote(local_path(next), safe='')}",
        max_age=_KEPT,
        path="/",
        secure=settings.secure,
        httponly=True,
        samesite="lax",  # it has to come along when the provider sends the browser back
    )
    return answer


@router.get(BACK)
def arrive(request: Request) -> Response:
    """Begin a session of whom the provider sends back, once for each attempt."""
    from guardrail.web.auth.oidc import Attempt, ProviderDown

    provider, settings = _provider(request), house(request).settings
    kept = _COOKIE.fullmatch(request.cookies.get(_name(settings), ""))
    if kept is None:
        raise Refused(kind_with(403), "this browser did not begin to sign in, or too long ago: begin again")
    said = request.query_params.multi_items()
    if len({name for name, _ in said}) != len(said):
        raise Refused(kind_with(400), "the provider's answer says something twice")
    access = access_of(request)
    attempt = Attempt(kept[1])
    try:
        arrived = provider.arrive(attempt, dict(said))
        if not access.once(attempt.state, timedelta(seconds=2 * _KEPT)):
            raise NotPermitted("this answer has been used: begin again")  # noqa: TRY301
        account = access.provision(
            arrived.issuer,
            arrived.subject,
            name=arrived.name,
            tenant=_tenant(provider, settings),
            roles=arrived.roles,
        )
    except ProviderDown as error:
        raise Refused(kind_with(503), str(error)) from error
    except (NotPermitted, AccessError) as error:
        raise Refused(kind_with(403), f"{provider.title}: {error}") from error
    signed = access.begin(
        account, address=address_of(request), agent=request.headers.get("user-agent", ""), by=arrived.issuer
    )
    answer = entered(request, signed, unquote(kept[2]))
    answer.delete_cookie(_name(settings), path="/", secure=settings.secure, httponly=True, samesite="lax")
    return answer


def _provider(request: Request) -> Provider:
    found: Provider | None = getattr(request.app.state, "oidc", None)
    if found is None:
        raise NotFound("there is no OpenID provider here: sign in with a password")
    return found


def _tenant(provider: Provider, settings: Settings) -> str:
    said = provider.settings.tenant
    return settings.tenant if said is None else said


def _name(settings: Settings) -> str:
    return "__Host-guardrail-oidc" if settings.secure else "guardrail-oidc"
