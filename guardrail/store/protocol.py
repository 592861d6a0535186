"""Where records, labels, reviews, alarms and the ledger of spending are kept.

Dumb on purpose: the rules of a review live in ``guardrail.review``, those of a budget in ``guardrail.policy``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from guardrail.audit import AuditView
from guardrail.store.access import AccessKeeping
from guardrail.store.notices import Notices
from guardrail.store.sealing import SealedValues
from guardrail.types import (
    Alarm,
    AuditDraw,
    AuditEntry,
    AuditHead,
    Label,
    Record,
    Review,
    ReviewFilter,
    ReviewPage,
    ReviewState,
    Spending,
    Usage,
)


class Store(Notices, SealedValues, AccessKeeping, Protocol):
    """Durable records, reviews and spending, safe for several threads and processes.

    Every write is committed when the method returns, and reviews, labels and spending then survive a power cut.
    ``compare_and_set`` is the only way in which a review changes.

    Raises:
        StoreLocked, StoreFull, StoreTooNew: and nothing was written.
    """

    url: str

    def add_record(self, record: Record) -> bool:
        """Keep a record and its labels; False, and nothing changed, if one of that id is there."""

    def record(self, record_id: str) -> Record:
        """The record of that id, or the only one whose id begins so (at least 6 characters).

        Raises:
            NotFound: none, or several.
        """

    def records(self, *, thread_id: str | None = None, limit: int = 50, before: str | None = None) -> list[Record]:
        """Newest first. ``before`` is a record id: only records older than it."""

    def add_label(self, record_id: str, label: Label) -> Record:
        """Attach a judgement to a record and return the record. The same one twice is kept once."""

    def labelled(self, *, after: int = 0, limit: int = 500) -> list[tuple[int, str, Label]]:
        """Labels in the order in which they came, each with its number (above ``after``) and its record's id."""

    def add_draws(self, draws: Sequence[AuditDraw]) -> int:
        """Keep calls that were drawn to be judged, all or none; those drawn before in the same batch stay as they are.

        Returns:
            How many are new.
        """

    def draws(self, *, record_id: str | None = None, limit: int = 500, after: int = 0) -> list[tuple[int, AuditDraw]]:
        """Calls that were drawn, in the order in which they were kept, each with its number (above ``after``)."""

    def raise_alarm(self, alarm: Alarm) -> bool:
        """Keep an alarm; False, and nothing changed, if one of that id is there."""

    def alarms(self, *, standing: bool = True) -> list[Alarm]:
        """The alarms that nobody has cleared, or all of them, oldest first."""

    def clear_alarm(self, alarm_id: str, *, by: str, at: str, note: str = "") -> Alarm:
        """Write down that a person has cleared an alarm; one that is cleared stays as it is.

        Raises:
            NotFound: there is none of that id.
        """

    def state(self, key: str) -> tuple[int, str] | None:
        """A small text that something keeps under a key, with its revision; None where there is none."""

    def put_state(self, key: str, text: str, *, revision: int) -> bool:
        """Write that text if the revision kept is still ``revision`` (0: none is kept); else False, unchanged."""

    def add_review(self, review: Review) -> Review:
        """Keep a review and return it; if one of that id is there, that one, unchanged."""

    def review(self, review_id: str) -> Review:
        """The review of that id, or the only one whose id begins so (at least 6 characters).

        Raises:
            NotFound: none, or several.
        """

    def reviews(
        self,
        *,
        states: frozenset[ReviewState] | None = None,
        thread_id: str | None = None,
        record_id: str | None = None,
        limit: int = 50,
    ) -> list[Review]:
        """Oldest first. ``record_id`` is a whole id, here."""

    def find_reviews(self, wanted: ReviewFilter, *, limit: int = 50, after: str = "") -> ReviewPage:
        """The reviews that are wanted, the highest priority first and the oldest of one priority first.

        ``after`` is what the page before said. A page takes as long among a million reviews as among a thousand.

        Raises:
            StoreError: ``after`` is nothing that a page said.
        """

    def due_reviews(self, before: str, *, limit: int = 500) -> list[Review]:
        """The reviews of all tenants that nobody has decided and whose next deadline is at or before that moment (ISO
        8601), the soonest first. It is ``due``, or ``escalate_at`` where that is sooner and not done.
        """

    def compare_and_set(self, review: Review) -> bool:
        """Write a review if the stored revision is one less than the given one; else False, unchanged.

        Raises:
            StoreError: it would go to another tenant, or has a priority or a deadline that is none.
        """

    def note(self, entry: AuditEntry) -> AuditEntry:
        """Put something that happened elsewhere into the audit log; number, shard, previous and hash are the store's
        own. Reviews, labels, draws and alarms write theirs with every change, in the same transaction.

        Raises:
            StoreError: it poses as an entry of those.
        """

    def audit_entries(
        self,
        *,
        tenant: str = "",
        shard: int | None = None,
        after: int = 0,
        subject: str | None = None,
        limit: int = 500,
    ) -> list[AuditEntry]:
        """The audit log of a tenant, shard by shard and number by number; ``after`` is a number of that one shard.
        With ``subject``, only what it says about that review, record, batch or alarm.

        Raises:
            StoreError: ``after`` is given, and no shard.
        """

    def audit_heads(self, *, tenant: str = "") -> list[AuditHead]:
        """Where each chain of a tenant ends; a chain that has no entries is left out."""

    def audit_tenants(self) -> list[str]:
        """Every tenant that has an audit log or a review."""

    def audit_view(self, *, tenant: str = "") -> AbstractContextManager[AuditView]:
        """A tenant's whole audit log and what it tells of, as both stood at one moment, while the context is open.

        The log comes shard by shard and number by number. The thread uses nothing else of the store meanwhile.
        """

    def seal(self, *, by: str, tenant: str = "", at: str = "") -> list[AuditHead]:
        """Seal a tenant's chains together, at a moment (ISO 8601) or now, and return where each ends afterwards."""

    def change_mark(self) -> int:
        """A number that grows with every entry of the audit log, and so with every review, label, draw, alarm and note
        that is written, by whomever.
        """

    def wait_for_change(self, timeout: float, *, since: int | None = None) -> bool:
        """Wait until the mark is beyond ``since`` (None: what it is now), at most so many seconds, and say whether.

        Nothing is missed by whoever asks for the mark, looks, and then waits since that mark.
        """

    def spend(self, entry: Spending) -> None:
        """Enter something into the ledger. A count of tokens that cannot be one (below 0, above 10^12) is unknown.

        Raises:
            StoreError: its time is not ISO 8601, its requests are below 0, or its seconds are no duration.
        """

    def spent(self, *, thread_id: str | None = None, since: str | None = None) -> dict[str, Usage]:
        """What was spent, by model: in one thread or in all, ``since`` a moment (ISO 8601; included) or ever.

        A count of tokens is None where one entry that made requests did not report it: unknown is not 0.
        """

    def close(self) -> None:
        """Release what the store holds. Closing twice does no harm."""
