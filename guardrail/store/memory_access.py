"""What is kept about access, in memory."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace

from guardrail.store import changes, rows
from guardrail.store.access import row_of
from guardrail.store.memory_log import MemoryLog
from guardrail.types import AccessEntry, AccessKind, AuditEntry


class MemoryAccess:
    """The part of a store in memory that keeps accounts, sessions, tokens and one-time links."""

    _access: dict[tuple[AccessKind, str], AccessEntry]
    _log: MemoryLog

    def _opened(self) -> AbstractContextManager[object]:
        """The store's lock, and that it is open."""
        raise NotImplementedError

    def access(self, kind: AccessKind, identity: str) -> AccessEntry | None:
        with self._opened():
            return self._access.get((kind, identity))

    def accesses(
        self,
        kind: AccessKind,
        *,
        tenant: str | None = None,
        owner: str | None = None,
        after: str = "",
        limit: int = 100,
    ) -> list[AccessEntry]:
        with self._opened():
            found = [
                entry
                for (of, identity), entry in self._access.items()
                if of is kind and identity > after and tenant in (None, entry.tenant) and owner in (None, entry.owner)
            ]
        return sorted(found, key=lambda entry: entry.id)[: max(limit, 0)]

    def put_access(self, entry: AccessEntry, *, note: AuditEntry | None = None) -> bool:
        drafted = None if note is None else changes.of_note(note)
        kept = replace(entry, expires=str(row_of(entry)["expires"]))
        with self._opened():
            before = self._access.get((entry.kind, entry.id))
            if (0 if before is None else before.revision) != entry.revision - 1:
                return False
            self._access[entry.kind, entry.id] = kept
            if drafted is not None:
                self._log.append(drafted)
            return True

    def drop_access(self, kind: AccessKind, identity: str, *, note: AuditEntry | None = None) -> bool:
        drafted = None if note is None else changes.of_note(note)
        with self._opened():
            if self._access.pop((kind, identity), None) is None:
                return False
            if drafted is not None:
                self._log.append(drafted)
            return True

    def forget_access(self, before: str) -> int:
        end = rows.sort_key(before)
        with self._opened():
            gone = [key for key, entry in self._access.items() if entry.expires and entry.expires < end]
            for key in gone:
                del self._access[key]
            return len(gone)
