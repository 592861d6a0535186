"""Group commit: changes that threads ask for at the same time become durable in one transaction.

A disk confirms some thousands of commits a second at best, however small they are. So whoever asks while a commit is
under way waits for the next, which takes everybody who waits by then. Nobody is told of a change before it is durable,
and each gets the result of its own, which saw those before it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, cast

from guardrail.errors import StoreError, StoreLocked

C = TypeVar("C")
T = TypeVar("T")
_MOST = 64
"""Changes of one transaction."""


class Together(Generic[C]):
    """The changes of one database in one process. ``commit`` makes some in one transaction: their results, or an
    exception, and then none of them was made.

    The first thread that asks commits for all who wait; then the first of those who came in the meantime does.
    """

    def __init__(self, commit: Callable[[Sequence[Callable[[C], object]]], list[object]]) -> None:
        self._commit = commit
        self._guard = threading.Lock()
        self._waiting: list[_Asked[C]] = []
        self._leader: _Asked[C] | None = None

    def __call__(self, work: Callable[[C], T]) -> T:
        """What ``work`` gives, once it is durable. It may be done again: where another one fails, all are undone."""
        asked = _Asked[C](work)
        try:
            with self._guard:
                self._waiting.append(asked)
                if self._leader is None:
                    self._appoint()
            asked.told.acquire()
            if not asked.settled:
                self._lead(asked)
        except BaseException:  # an interrupt: the others must not wait for this thread
            self._leave(asked)
            raise
        if asked.error is not None:
            raise asked.error
        return cast("T", asked.result)

    def _lead(self, me: _Asked[C]) -> None:
        with self._guard:
            batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
        try:
            self._settle(batch)
        finally:
            with self._guard:
                self._appoint()
            for one in batch:
                if not one.settled:
                    one.settle(error=_interrupted())
                if one is not me:
                    one.told.release()

    def _settle(self, batch: Sequence[_Asked[C]]) -> None:
        if len(batch) > 1:
            try:
                results = self._commit([one.work for one in batch])
            except StoreLocked as error:  # nothing was tried
                for one in batch:
                    one.settle(error=StoreLocked(*error.args))
                return
            except Exception:  # noqa: BLE001, S110  # undone; one by one, so that each is told its own failure
                pass
            else:
                for one, result in zip(batch, results, strict=True):
                    one.settle(result)
                return
        for one in batch:
            try:
                (result,) = self._commit([one.work])
            except Exception as error:  # noqa: BLE001  # for the thread that asked
                one.settle(error=error)
            else:
                one.settle(result)

    def _appoint(self) -> None:
        """Have the first who waits go on. Whoever calls holds the guard."""
        self._leader = self._waiting[0] if self._waiting else None
        if self._leader is not None:
            self._leader.told.release()

    def _leave(self, asked: _Asked[C]) -> None:
        with self._guard:
            if asked in self._waiting:
                self._waiting.remove(asked)
            if self._leader is asked:
                self._appoint()


class _Asked(Generic[C]):
    """A change, and what became of it. ``told`` can be acquired when it is settled, or this thread has to lead."""

    def __init__(self, work: Callable[[C], object]) -> None:
        self.work = work
        self.told = threading.Lock()
        self.told.acquire()
        self.settled = False
        self.result: object = None
        self.error: Exception | None = None

    def settle(self, result: object = None, *, error: Exception | None = None) -> None:
        self.result, self.error, self.settled = result, error, True


def _interrupted() -> StoreError:
    return StoreError(
        "the thread that was committing this change for others was interrupted: it may have been made or not; look "
        "before you try again"
    )
