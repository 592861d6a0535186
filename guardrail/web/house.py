"""What every page and every call of the API works with, and who asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import HTTPConnection

from guardrail.errors import NotSignedIn
from guardrail.policy import Policy
from guardrail.review import Queue
from guardrail.store import Store
from guardrail.types import Principal
from guardrail.web.settings import Settings


@dataclass(frozen=True, kw_only=True)
class House:
    """One served application: its store, its queue of all tenants (who acts sees its own), its policy if it has one."""

    store: Store
    queue: Queue
    settings: Settings
    clock: Callable[[], datetime]
    policy: Policy | None = None


def house(request: HTTPConnection) -> House:
    """The application that serves this request."""
    found: House = request.app.state.house
    return found


def principal(request: HTTPConnection) -> Principal:
    """Who asks, by the session or the token that came with the request: never by anything that the request says.

    Raises:
        NotSignedIn: nobody that is known here.
    """
    found: Principal | None = getattr(request.state, "principal", None)
    if found is None:
        raise NotSignedIn("sign in first")
    return found
