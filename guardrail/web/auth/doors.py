"""What the pages of access work with."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from guardrail.access import Access, SignedIn
from guardrail.errors import NotSignedIn
from guardrail.store import Store
from guardrail.web.house import house
from guardrail.web.settings import Settings


def access_of(request: HTTPConnection) -> Access:
    """Who may come into this application."""
    found: Access = request.app.state.access
    return found


def signed_in(request: HTTPConnection) -> SignedIn:
    """The browser's session.

    Raises:
        NotSignedIn: there is none; a token is none either.
    """
    found: SignedIn | None = getattr(request.state, "session", None)
    if found is None:
        raise NotSignedIn("sign in first, in a browser: this is not for tokens")
    return found


def address_of(request: HTTPConnection) -> str:
    """Where somebody comes from, as the server sees it."""
    return request.client.host if request.client is not None else ""


def first_run(store: Store, settings: Settings) -> str | None:
    """The one-time address at which the first account is made; None where there is an account."""
    secret = Access(store).first_run(tenant=settings.tenant)
    return None if secret is None else f"{settings.url}/welcome/{secret}"


def link(request: HTTPConnection, secret: str) -> str:
    """The address of a one-time link."""
    return f"{house(request).settings.url}/welcome/{secret}"
