"""How values of access are kept: found, written once, changed by compare-and-set, each with its audit entry."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from guardrail import codec
from guardrail.clock import utc_now
from guardrail.codec import digest
from guardrail.errors import AccessError, StoreError
from guardrail.names import skeleton
from guardrail.store import Store
from guardrail.types import (
    AccessEntry,
    AccessKind,
    Account,
    ApiToken,
    AuditEntry,
    Invitation,
    Session,
)

V = TypeVar("V", Account, Session, ApiToken, Invitation)
_KINDS: Final[dict[type[Any], AccessKind]] = {
    Account: AccessKind.ACCOUNT,
    Session: AccessKind.SESSION,
    ApiToken: AccessKind.TOKEN,
    Invitation: AccessKind.INVITATION,
}
_RACES: Final = 32
_PAGE: Final = 500


def account_id(tenant: str, name: str) -> str:
    """The one account of a tenant whose name a reader would take for this one."""
    return digest("account", tenant, skeleton(name))


class Keeping:
    """Values of access in a store. ``clock`` gives the present moment, aware of its zone."""

    def __init__(self, store: Store, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._clock = clock

    def _now(self) -> str:
        return self._clock().astimezone(UTC).isoformat()

    def _past(self, until: str) -> bool:
        return bool(until) and datetime.fromisoformat(until) <= self._clock()

    def _get(self, kind: type[V], identity: str) -> tuple[V, int] | None:
        """A value and its revision."""
        entry = self._store.access(_KINDS[kind], identity)
        return None if entry is None else (_value(kind, entry), entry.revision)

    def _all(self, kind: type[V], *, tenant: str | None = None, owner: str | None = None) -> list[V]:
        found: list[V] = []
        after = ""
        while True:
            page = self._store.accesses(_KINDS[kind], tenant=tenant, owner=owner, after=after, limit=_PAGE)
            found += [_value(kind, entry) for entry in page]
            if len(page) < _PAGE:
                return found
            after = page[-1].id

    def _add(self, value: V, *, what: str = "", by: str = "") -> bool:
        """Keep a new value; False if one of its id is there."""
        return self._store.put_access(_entry(value, 1), note=self._note(value, what, by))

    def _change(self, kind: type[V], identity: str, change: Callable[[V], V], *, what: str = "", by: str = "") -> V:
        """Change a value, whatever others change meanwhile. ``change`` that gives the value back leaves it.

        Raises:
            AccessError: there is none.
        """
        for _ in range(_RACES):
            found = self._get(kind, identity)
            if found is None:
                raise AccessError(f"there is no {_KINDS[kind].value} of that id")
            before, revision = found
            after = change(before)
            if after == before:
                return before
            if self._store.put_access(_entry(after, revision + 1), note=self._note(after, what, by)):
                return after
        raise StoreError(f"this {_KINDS[kind].value} kept changing while it was written: try again")

    def _drop(self, value: V, *, what: str = "", by: str = "") -> bool:
        return self._store.drop_access(_KINDS[type(value)], value.id, note=self._note(value, what, by))

    def _note(self, value: Account | Session | ApiToken | Invitation, what: str, by: str) -> AuditEntry | None:
        """What the audit log says of a change: whom or what it is about, and no secret."""
        if not what:
            return None
        subject = value.account if isinstance(value, Session) else value.id
        return AuditEntry(
            tenant=value.tenant,
            shard=0,
            number=0,
            at=self._now(),
            by=by,
            what=what,
            subject=subject,
            body=digest(codec.to_json(_told(value))),
            previous="",
            hash="",
        )


def _told(value: Account | Session | ApiToken | Invitation) -> Account | Session | ApiToken | Invitation:
    """The value without what is made of a secret."""
    if isinstance(value, Account):
        return replace(value, password="set" if value.password else "")
    return replace(value, secret="") if isinstance(value, ApiToken) else value


def _value(kind: type[V], entry: AccessEntry) -> V:
    return codec.from_json(kind, json.loads(entry.body))


def _entry(value: Account | Session | ApiToken | Invitation, revision: int) -> AccessEntry:
    owner = value.account if isinstance(value, Session) else value.owner if isinstance(value, ApiToken) else ""
    expires = value.until if isinstance(value, Session | Invitation) else ""
    return AccessEntry(
        kind=_KINDS[type(value)],
        id=value.id,
        tenant=value.tenant,
        owner=owner,
        expires=expires,
        revision=revision,
        body=codec.canonical(codec.to_json(value)),
    )
