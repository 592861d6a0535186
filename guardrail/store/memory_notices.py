"""The outbox of notifications in memory."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from guardrail.store import notices as outbox
from guardrail.store import rows
from guardrail.types import Notice, NoticeCount, NoticeState


class MemoryNotices:
    """The part of a store in memory that keeps notices: by id, in the order in which they came."""

    _notices: dict[str, Notice]

    def _opened(self) -> AbstractContextManager[object]:
        """The store's lock, and that it is open."""
        raise NotImplementedError

    def add_notices(self, notices: Sequence[Notice]) -> int:
        added = [(rows.new_id(one.id), _checked(one)) for one in notices]
        with self._opened():
            before = len(self._notices)
            for name, notice in added:
                self._notices.setdefault(name, notice)
            return len(self._notices) - before

    def claim_notices(self, channel: str, *, by: str, now: str, until: str, most: int = 1) -> list[Notice]:
        outbox.check_most(most)
        with self._opened():
            due = self._due(channel, now)
            if not due:
                return []
            leader = due[0]
            if leader.message:
                others = [one for one in self._all() if one.message == leader.id and one.state is NoticeState.OWED]
            else:
                others = [one for one in due if not one.message][:most]
            together = [leader, *(one for one in others if one.id != leader.id)]
            taken = outbox.claimed(together, by=by, until=until)
            self._notices.update({one.id: _checked(one) for one in taken})
            return taken

    def settle_notices(self, notices: Sequence[Notice]) -> bool:
        changed = {one.id: _checked(one) for one in notices}
        with self._opened():
            for one in notices:
                if one.id not in self._notices or self._notices[one.id].revision != one.revision - 1:
                    return False
            self._notices.update(changed)
            return True

    def notices(
        self, *, channel: str | None = None, state: NoticeState | None = None, limit: int = 50, after: str = ""
    ) -> list[Notice]:
        with self._opened():
            found = self._all()
        if after:
            names = [one.id for one in found]
            found = found[names.index(after) + 1 :] if after in names else []
        wanted = (one for one in found if channel in (None, one.channel) and state in (None, one.state))
        return [*wanted][: max(limit, 0)]

    def count_notices(self) -> list[NoticeCount]:
        counts: dict[tuple[str, str], NoticeCount] = {}
        with self._opened():
            found = self._all()
        for one in found:
            at = rows.sort_key(one.at)
            new = NoticeCount(channel=one.channel, state=one.state, count=0, oldest=at)
            old = counts.get((one.channel, one.state.value), new)
            counts[one.channel, one.state.value] = replace(old, count=old.count + 1, oldest=min(old.oldest, at))
        return [counts[key] for key in sorted(counts)]

    def due_notices(self, channel: str, *, now: str, limit: int = 1000) -> int:
        with self._opened():
            return min(limit, sum(not one.message for one in self._due(channel, now)))

    def forget_notices(self, before: str, *, limit: int = 1000) -> int:
        end = rows.sort_key(before)
        with self._opened():
            settled = (one for one in self._all() if one.state is not NoticeState.OWED)
            old = [one.id for one in settled if rows.sort_key(one.at) < end][:limit]
            for name in old:
                del self._notices[name]
            return len(old)

    def _all(self) -> list[Notice]:
        return [*self._notices.values()]

    def _due(self, channel: str, now: str) -> list[Notice]:
        end = rows.sort_key(now)
        due = (one for one in self._all() if one.channel == channel and one.due and rows.sort_key(one.due) <= end)
        return sorted(due, key=lambda one: rows.sort_key(one.due))


def _checked(notice: Notice) -> Notice:
    outbox.columns(notice), rows.encode(notice)  # what no other store could keep is refused
    return notice
