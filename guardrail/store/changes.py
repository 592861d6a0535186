"""What the audit log says of each change, the same for every backend."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from guardrail import audit
from guardrail.codec import digest
from guardrail.errors import StoreError
from guardrail.store.rows import body_digest, decode, key
from guardrail.types import Alarm, AuditDraw, AuditEntry, Comment, Decision, Label, Review, ReviewEvent, ReviewState

_LONGEST = 1000
_WAITING = frozenset({ReviewState.PENDING, ReviewState.CLAIMED})


def now() -> str:
    """The present moment, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat()


class Seen(threading.local):
    """The review that a thread read or wrote last, as it is kept: who changes one has mostly just read it, so that the
    audit entry, which tells what changed, takes no other look. It holds one review a thread.
    """

    _last: Review | None = None

    def keep(self, review: Review) -> Review:
        """Remember it, and give it back."""
        self._last = review
        return review

    def before(self, review: Review) -> Review | None:
        """The review one revision earlier, if it was seen."""
        last = self._last
        return last if last is not None and (last.id, last.revision) == (review.id, review.revision - 1) else None


def of_review(review: Review, body: str, before: str | Review | None) -> AuditEntry:
    """The entry of a review that was put there, or changed from ``before`` (as it is kept, or was read).

    Raises:
        StoreError: ``before`` is damaged, or belongs to another tenant.
    """
    what, by, at = ("opened", review.requester, review.at) if before is None else _change(review, _read(review, before))
    return audit.draft(
        what=f"review.{what}", subject=review.id, body=body_digest(body), by=by, at=at, tenant=review.tenant
    )


def _read(review: Review, before: str | Review) -> Review:
    kept = decode(Review, before, f"review {review.id}") if isinstance(before, str) else before
    if kept.tenant != review.tenant:
        raise StoreError(f"review {review.id} belongs to another tenant, which it never changes")
    return kept


def _change(after: Review, before: Review) -> tuple[str, str, str]:
    """What happened, by whom, when. Told by what differs from what was kept, not by whoever made the change."""
    moved = after.state is not before.state
    claim, was = after.claim, before.claim
    changes = (
        (moved and after.state not in _WAITING, after.state.value, "", ""),
        (after.votes and after.votes != before.votes, "voted", *_last(after.votes)),
        (len(after.comments) > len(before.comments), "commented", *_last(after.comments)),
        (claim is not None and claim != was, "claimed", "" if claim is None else claim.by, ""),
        (claim is None and was is not None, "released", "" if was is None else was.by, ""),
        (after.escalated and not before.escalated, "escalated", "", ""),
        (True, after.state.value if moved else "changed", "", ""),
    )
    what, by, at = next((what, by, at) for happened, what, by, at in changes if happened)
    if len(after.history) > len(before.history):  # whoever did it and left an event says so there
        by, at = _last(after.history)
    return what, by, at or now()


def _last(said: Sequence[Decision | Comment | ReviewEvent]) -> tuple[str, str]:
    return (said[-1].by, said[-1].at) if said else ("", "")


def of_label(record_id: str, label: Label, body: str) -> AuditEntry:
    """The entry of a judgement."""
    return audit.draft(what="label.added", subject=record_id, body=body_digest(body), by=label.by, at=label.at)


def of_alarm(alarm: Alarm, body: str) -> AuditEntry:
    """The entry of an alarm that was raised or cleared."""
    what, by, at = (
        ("alarm.cleared", alarm.cleared_by, alarm.cleared_at) if alarm.cleared_by else ("alarm.raised", "", alarm.at)
    )
    return audit.draft(what=what, subject=alarm.id, body=body_digest(body), by=by, at=at)


def of_draws(last: AuditDraw, bodies: Sequence[str]) -> AuditEntry:
    """The entry of a batch of draws, of which these are all, in their order."""
    return audit.draft(what="draws.added", subject=last.batch, body=draws_digest(bodies), by="", at=last.at)


def draws_digest(bodies: Sequence[str]) -> str:
    """The digest of a whole batch."""
    return digest("draws", *(body_digest(body) for body in bodies))


def found(kind: str, subject: str, body: str, *, tenant: str = "") -> AuditEntry:
    """The entry of something that was kept before there was an audit log."""
    return audit.draft(what=f"{kind}.found", subject=subject, body=body, by="", at=now(), tenant=tenant)


def purged(kind: str, subject: str, body: str, *, by: str, at: str, tenant: str = "") -> AuditEntry:
    """The entry of something that is deleted on purpose; ``body`` is the digest of what it was."""
    return audit.draft(what=f"{kind}.{audit.PURGED}", subject=subject, body=body, by=by, at=at, tenant=tenant)


def of_note(entry: AuditEntry) -> AuditEntry:
    """The entry of something that happened elsewhere.

    Raises:
        StoreError: it poses as one of the store's own, or is no entry.
    """
    if entry.what == audit.SEAL or entry.what.partition(".")[0] in audit.KINDS:
        raise StoreError(f"{entry.what!r} is written by the store itself: name what happened otherwise")
    if not entry.what or max(map(len, (entry.what, entry.subject, entry.by, entry.at, entry.body))) > _LONGEST:
        raise StoreError(f"a note needs a name for what happened, and no part of it may exceed {_LONGEST} characters")
    return audit.draft(
        what=entry.what,
        subject=entry.subject,
        body=entry.body,
        by=entry.by,
        at=entry.at or now(),
        tenant=entry.tenant,
    )


def check_place(shard: int | None, after: int) -> None:
    """Numbers are those of one chain.

    Raises:
        StoreError: a number is given, and no chain.
    """
    if shard is None and after:
        raise StoreError(f"entry {after} stands in every chain of the audit log: say of which shard")


def stored(entry: AuditEntry) -> dict[str, str | bytes | int]:
    """The entry as a row: its texts as SQLite compares them exactly."""
    return {name: value if isinstance(value, int) else key(value) for name, value in vars(entry).items()}
