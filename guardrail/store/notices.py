"""What a store does with notices, and what all backends share of it.

A message is one notice, or several that go together. All of it hangs on the first of them, the leader, whose id is the
message's: only the leader is due, so whoever claims it has them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from guardrail.errors import StoreError
from guardrail.store import rows
from guardrail.types import Notice, NoticeCount, NoticeState


class Notices(Protocol):
    """The outbox: which notices are owed, who is sending them, and what became of them."""

    def add_notices(self, notices: Sequence[Notice]) -> int:
        """Keep notices, all or none; one whose id is there stays as it is.

        Returns:
            How many are new.
        """

    def claim_notices(self, channel: str, *, by: str, now: str, until: str, most: int = 1) -> list[Notice]:
        """The next message of a channel that is due, its leader first, leased to ``by`` until then; empty: none is.

        A message that was claimed before comes as it was. Notices that belong to none yet become one, at most ``most``
        of them. Of several that ask at once, each gets other notices, and none waits for another.
        """

    def settle_notices(self, notices: Sequence[Notice]) -> bool:
        """Write what became of the notices of one message, leader first, if the stored revision of each is one less
        than the given one; else False, and all unchanged.
        """

    def notices(
        self, *, channel: str | None = None, state: NoticeState | None = None, limit: int = 50, after: str = ""
    ) -> list[Notice]:
        """In the order in which they were kept; ``after`` is the id of one."""

    def count_notices(self) -> list[NoticeCount]:
        """How many there are, by channel and state."""

    def due_notices(self, channel: str, *, now: str, limit: int = 1000) -> int:
        """How many notices of a channel are due that belong to no message yet, counted up to ``limit``."""

    def forget_notices(self, before: str, *, limit: int = 1000) -> int:
        """Delete notices made before that moment (ISO 8601) of which nothing is owed any more; say how many."""


def columns(notice: Notice) -> dict[str, str | int | None]:
    """What lists know of a notice.

    Raises:
        StoreError: its times are none.
    """
    return {
        "at": rows.sort_key(notice.at),
        "channel": notice.channel,
        "state": notice.state.value,
        "due": rows.sort_key(notice.due) if notice.due else None,
        "message": notice.message,
        "revision": notice.revision,
    }


def claimed(found: Sequence[Notice], *, by: str, until: str) -> list[Notice]:
    """The notices of a message, the leader first, as a claim leaves them."""
    leader = found[0]
    return [
        replace(
            notice,
            message=leader.message or leader.id,
            by=by,
            due=until if notice.id == leader.id else "",
            attempts=notice.attempts + 1,
            revision=notice.revision + 1,
        )
        for notice in found
    ]


def check_most(most: int) -> None:
    """A message holds something.

    Raises:
        StoreError: it would not.
    """
    if most < 1:
        raise StoreError(f"a message of {most} notices cannot be claimed: ask for at least 1")
