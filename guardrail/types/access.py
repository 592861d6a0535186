"""Who may come in: accounts, sessions, tokens and one-time links, as they are kept: with digests, and no secret."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from guardrail.types.forms import type_config
from guardrail.types.reviews import PrincipalKind


class AccessKind(StrEnum):
    """What an entry of the store says something about."""

    ACCOUNT = "account"
    SESSION = "session"
    TOKEN = "token"  # noqa: S105 - a kind, not a secret
    INVITATION = "invitation"
    SUBJECT = "subject"
    """Somebody whom an OpenID provider knows, and whose account that is."""
    ATTEMPTS = "attempts"
    """Failed attempts to sign in, by account or address."""
    POINTER = "pointer"
    """Which of several entries counts."""


@dataclass(frozen=True, kw_only=True)
class AccessEntry:
    """One thing that is kept about access: its value as JSON, in a row that changes by compare-and-set.

    ``owner`` is the account that it belongs to (empty: none), ``expires`` when it may be forgotten (ISO 8601, UTC;
    empty: never). ``revision`` is 1 for a new one and grows by one with every change.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    kind: AccessKind
    id: str
    body: str
    tenant: str = ""
    owner: str = ""
    expires: str = ""
    revision: int = 1


@dataclass(frozen=True, kw_only=True)
class Account:
    """Somebody who may sign in. ``password`` is an argon2 hash, empty where there is none; ``issuer`` and ``subject``
    are an OpenID provider's, which is who it is there. ``epoch`` grows when all sessions have to end.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    id: str
    name: str
    tenant: str = ""
    roles: tuple[str, ...] = ()
    password: str = ""
    disabled: bool = False
    issuer: str = ""
    subject: str = ""
    created: str = ""
    epoch: int = 0


@dataclass(frozen=True, kw_only=True)
class Session:
    """Somebody who is signed in. ``id`` is the digest of what the cookie holds; times are ISO 8601, UTC."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    id: str
    account: str
    epoch: int
    began: str
    seen: str
    until: str
    address: str = ""
    agent: str = ""
    tenant: str = ""
    by: str = "password"
    """How they signed in: ``password`` or the issuer of an OpenID provider."""


@dataclass(frozen=True, kw_only=True)
class ApiToken:
    """Credentials of a program. ``kind`` agent never decides; one of a person has an ``owner``, and never more rights.

    ``secret`` is a digest. ``scopes`` are what it is for, ``roles`` what it has of its owner's, or, without an owner,
    of its own. ``until`` empty: it does not expire.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    id: str
    name: str
    secret: str
    kind: PrincipalKind
    scopes: tuple[str, ...]
    roles: tuple[str, ...] = ()
    tenant: str = ""
    owner: str = ""
    created: str = ""
    until: str = ""
    used: str = ""
    revoked: str = ""
    by: str = ""


class Purpose(StrEnum):
    """What a one-time link is for."""

    FIRST_RUN = "first-run"
    """To make the first account, an admin's."""
    INVITE = "invite"
    RESET = "reset"
    """To set a new password."""


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """A one-time link. ``id`` is the digest of its secret; ``account`` is whose password a reset sets."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    id: str
    purpose: Purpose
    tenant: str = ""
    name: str = ""
    roles: tuple[str, ...] = ()
    account: str = ""
    by: str = ""
    until: str = ""
    used: str = ""
