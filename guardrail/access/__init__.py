"""Who may come in: accounts, sessions, API tokens, one-time links. Nothing here knows of HTTP."""

from __future__ import annotations

from guardrail.access.accounts import ADMIN, check_admin, checked_name, checked_roles, principal_of
from guardrail.access.credentials import form_token, new_secret, same
from guardrail.access.invitations import Invitations
from guardrail.access.passwords import LONGEST, SHORTEST, Passwords
from guardrail.access.sessions import IDLE, Sessions, SignedIn
from guardrail.access.throttling import Throttle
from guardrail.access.tokens import DECIDE, METRICS, READ, SCOPES, Tokens

__all__ = [
    "ADMIN",
    "DECIDE",
    "IDLE",
    "LONGEST",
    "METRICS",
    "READ",
    "SCOPES",
    "SHORTEST",
    "Access",
    "Passwords",
    "SignedIn",
    "Throttle",
    "check_admin",
    "checked_name",
    "checked_roles",
    "form_token",
    "new_secret",
    "principal_of",
    "same",
]


class Access(Sessions, Tokens, Invitations):
    """Everything about who may come in, over one store.

    Args:
        store: where it is kept.
        clock: the present moment, aware of its zone.
        passwords: how passwords are hashed; by default argon2id at the cost that RFC 9106 recommends.
    """
