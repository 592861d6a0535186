"""What every store keeps about access."""

from __future__ import annotations

from typing import Protocol

from guardrail.store import rows
from guardrail.types import AccessEntry, AccessKind, AuditEntry


class AccessKeeping(Protocol):
    """Entries about accounts, sessions, tokens and one-time links, each changed by compare-and-set."""

    def access(self, kind: AccessKind, identity: str) -> AccessEntry | None:
        """The entry of that kind and id, if there is one."""

    def accesses(
        self,
        kind: AccessKind,
        *,
        tenant: str | None = None,
        owner: str | None = None,
        after: str = "",
        limit: int = 100,
    ) -> list[AccessEntry]:
        """Entries of a kind by id, ``after`` which only later ones come."""

    def put_access(self, entry: AccessEntry, *, note: AuditEntry | None = None) -> bool:
        """Write an entry if the stored revision is one less than its own (1: there is none); else False, unchanged.

        ``note`` goes into the audit log in the same transaction.

        Raises:
            StoreError: the note poses as an entry of the store's own.
        """

    def drop_access(self, kind: AccessKind, identity: str, *, note: AuditEntry | None = None) -> bool:
        """Delete an entry, and say whether there was one; only then is the note written."""

    def forget_access(self, before: str) -> int:
        """Delete entries that expired before that moment (ISO 8601), and say how many."""


def row_of(entry: AccessEntry) -> dict[str, str | int]:
    """The columns of an entry."""
    return {
        "kind": entry.kind.value,
        "id": rows.new_id(entry.id),
        "tenant": entry.tenant,
        "owner": entry.owner,
        "expires": rows.sort_key(entry.expires) if entry.expires else "",
        "revision": entry.revision,
        "body": entry.body,
    }


def entry_of(row: tuple[str, str, str, str, str, int, str]) -> AccessEntry:
    """The entry of such columns."""
    kind, identity, tenant, owner, expires, revision, body = row
    return AccessEntry(
        kind=AccessKind(kind),
        id=identity,
        tenant=tenant,
        owner=owner,
        expires=expires,
        revision=int(revision),
        body=body,
    )
