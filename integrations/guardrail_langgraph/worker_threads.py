"""One thread's turn: which graph it belongs to, what became of its reviews, and its resumption."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from langgraph.types import Command, Interrupt

from guardrail.clock import utc_now
from guardrail.errors import ReviewConflict, StoreError
from guardrail.review import Queue
from guardrail.types import Principal, PrincipalKind, Review, ReviewState
from guardrail_langgraph.answers import as_answer
from guardrail_langgraph.finished import EXECUTING, NOTE, has_run, message_lists
from guardrail_langgraph.worker_graphs import Registered, asked, coming
from guardrail_langgraph.worker_leases import Leases

WORKER: Final = "worker"
ANSWERED: Final = frozenset({ReviewState.DECIDED, ReviewState.EXPIRED})
"""States in which an agent that waits is told."""
_USED = frozenset({ReviewState.EXECUTING, ReviewState.OUTCOME_UNKNOWN, ReviewState.DONE})
_STRICT = "__pregel_strict_resume"
_GRACE_SECONDS = 60.0
_LATER = 30.0
_WHOLE: Final[tuple[Review | None, ...]] = (None,)
_FIRST_WAIT, _LONGEST_WAIT = 5.0, 3600.0


class Outcome(StrEnum):
    """What became of a thread, or of one of its reviews."""

    RESUMED = "resumed"
    """The answer went to the agent, which ran until it ended or waits again."""
    FINISHED = "finished"
    """The graph has the tool's answer, so the call has run; no tool node had said so."""
    CONTINUED = "continued"
    """A run whose worker died was taken up again; what had run did not run again."""
    SUPERSEDED = "superseded"
    """No interrupt waits for the decision any more."""
    WAITING = "waiting"
    """Its interrupt is not there yet, or a call of the thread needs a human first."""
    FAILED = "failed"
    """The graph raised; it is tried again later."""
    UNKNOWN = "unknown"
    """None of the worker's graphs has this thread; it is left alone."""
    AMBIGUOUS = "ambiguous"
    """Several of the worker's graphs have this thread; it is left alone."""


NEEDS_SOMEBODY: Final = frozenset({Outcome.FAILED, Outcome.UNKNOWN, Outcome.AMBIGUOUS})


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """What became of a review, or (None) of a whole thread; ``error`` is the kind of exception that a graph raised."""

    review: Review | None
    outcome: Outcome
    thread_id: str
    graph: str = ""
    error: BaseException | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """A thread as one graph reads it."""

    registered: Registered
    state: Any
    asked: dict[str, Interrupt]
    coming: frozenset[str]

    @property
    def waits(self) -> bool:
        """Whether it is interrupted."""
        return bool(self.state.interrupts)

    @property
    def unfinished(self) -> bool:
        """Whether something is left to run in it."""
        return bool(self.state.next)

    def holds(self, review: Review) -> bool:
        """Whether the review's call was planned in it: threads of different graphs may have one name."""
        if review.id in self.asked or review.namespace:
            return True  # what was planned in a graph within it does not show
        values = self.state.values
        found = values.values() if isinstance(values, dict) else [values]
        return any(
            getattr(message, "id", None) == review.step_id
            or any(call.get("id") == review.call.id for call in getattr(message, "tool_calls", None) or ())
            for messages in found
            if isinstance(messages, list)
            for message in messages
        )


async def close_answered(graphs: Sequence[Registered], queue: Queue, thread_id: str) -> list[Resumed]:
    """Close the reviews of a thread whose calls have run, as the one graph that has them tells.

    A review of a graph within a graph is left alone, as is one that several graphs may have.
    """
    reviews = await asyncio.to_thread(queue.in_states, EXECUTING, thread_id=thread_id)
    if not reviews:
        return []
    return await _closed(queue, reviews, (await _look(graphs, thread_id))[0])


async def _closed(queue: Queue, reviews: Sequence[Review], seen: Sequence[_Seen]) -> list[Resumed]:
    done = []
    for review in reviews:
        holding = [one for one in seen if one.holds(review)]
        if review.namespace or len(holding) != 1:
            continue
        if not any(has_run(review, messages) for messages in message_lists(holding[0].state.values)):
            continue
        with suppress(ReviewConflict):  # somebody else has closed it
            closed = await asyncio.to_thread(queue.finish, review.id, by=_worker_for(review), note=NOTE)
            name = holding[0].registered.name
            done.append(Resumed(review=closed, outcome=Outcome.FINISHED, thread_id=review.thread_id, graph=name))
    return done


async def _look(graphs: Sequence[Registered], thread_id: str) -> tuple[list[_Seen], Exception | None]:
    """The graphs that have a thread, and the error of one that could not say."""
    found: list[_Seen] = []
    failed: Exception | None = None
    for registered in graphs:
        try:
            state = await registered.state(thread_id)
        except Exception as error:  # noqa: BLE001 - a checkpoint of another graph need not fit this one
            failed = error
            continue
        if state.created_at is not None:
            found.append(
                _Seen(
                    registered=registered, state=state, asked=asked(state.interrupts), coming=coming(state.interrupts)
                )
            )
    return found, failed


async def resume_decided(graph: Any, queue: Queue, leases: Leases, **options: Any) -> list[Resumed]:
    """Resume every thread of ``graph`` that has decided or expired reviews, each interrupt by its id.

    See ``take_turn``, whose ``options`` these are.
    """
    reviews = await asyncio.to_thread(queue.in_states, ANSWERED)
    done: list[Resumed] = []
    for thread_id in dict.fromkeys(review.thread_id for review in reviews):
        done += await take_turn([Registered(name="graph", graph=graph)], queue, leases, thread_id, **options)
    return done


async def take_turn(
    graphs: Sequence[Registered],
    queue: Queue,
    leases: Leases,
    thread_id: str,
    *,
    now: Callable[[], datetime] = utc_now,
    grace: float = _GRACE_SECONDS,
) -> list[Resumed]:
    """Do for a thread what its reviews ask for, unless another worker is at it.

    A review whose thread waits for nothing any more is closed as superseded, ``grace`` seconds after its decision:
    it may have been decided before its interrupt was saved. A run that another worker began and did not end is
    continued where it broke off, once no call of the thread is ``executing``.
    """
    lease = await asyncio.to_thread(leases.take, thread_id)
    if lease is None:
        return []
    turn = _Turn(graphs, queue, leases, thread_id, begun=lease.begun, failures=lease.failures, now=now, grace=grace)
    try:
        return await turn.take()
    finally:
        # Nothing to do where the turn has given the lease back; else it has failed or was cancelled.
        with suppress(StoreError):
            await asyncio.shield(asyncio.to_thread(leases.put_off, thread_id, 0.0))


class _Turn:
    def __init__(
        self,
        graphs: Sequence[Registered],
        queue: Queue,
        leases: Leases,
        thread_id: str,
        *,
        begun: str,
        failures: int,
        now: Callable[[], datetime],
        grace: float,
    ) -> None:
        self._graphs = graphs
        self._queue = queue
        self._leases = leases
        self._thread_id = thread_id
        self._begun = begun
        self._failures = failures
        self._now = now
        self._grace = grace

    async def take(self) -> list[Resumed]:
        # Read under the lease: another worker may have been here since the thread was found.
        reviews = await self._reviews(ANSWERED)
        if not reviews and not self._begun:
            await self._end()
            return []
        seen, error = await _look(self._graphs, self._thread_id)
        finished = await _closed(self._queue, await self._reviews(EXECUTING), seen)
        return [*finished, *await self._taken(reviews, seen, error)]

    async def _taken(self, reviews: list[Review], seen: list[_Seen], error: Exception | None) -> list[Resumed]:
        asking = [one for one in seen if any(review.id in one.asked for review in reviews)]
        begun = [one for one in seen if self._begun and one.registered.name == self._begun]
        if len(asking) > 1:
            await self._put_off(_LATER)
            return self._all(reviews, Outcome.AMBIGUOUS)
        if asking or begun:
            return await self._settle((asking or begun)[0], reviews)
        if error is not None:
            return await self._failed(reviews, "", error)
        closed = [await self._close(review, seen) for review in reviews]
        await self._put_off(_LATER)
        return closed or self._all((), Outcome.UNKNOWN)

    async def _settle(self, seen: _Seen, reviews: Sequence[Review]) -> list[Resumed]:
        answered = [review for review in reviews if review.id in seen.asked and review.decision is not None]
        others = [review for review in reviews if review not in answered]
        if answered:
            return [*await self._run(seen, answered, ()), *[await self._close(review, [seen]) for review in others]]
        if self._begun == seen.registered.name and seen.unfinished:
            used = [review for review in await self._reviews(_USED) if review.id in seen.asked]
            if used or not seen.waits:
                if await self._reviews(EXECUTING):
                    await self._put_off(_LATER)
                    return self._all(reviews, Outcome.WAITING, seen)
                # The decision was used and its run broke off before that was saved: the interrupt is still there.
                return await self._run(seen, used, others)
        closed = [await self._close(review, [seen]) for review in others]
        await self._end()
        return closed

    async def _run(self, seen: _Seen, answered: Sequence[Review], others: Sequence[Review]) -> list[Resumed]:
        """Resume the interrupts of the answered reviews; without any, continue a run that broke off."""
        configurable: dict[str, Any] = {"thread_id": self._thread_id}
        given: Command[Any] | None = None
        if answered:
            answers = {}
            for review in answered:
                assert review.decision is not None
                answers[seen.asked[review.id].id] = as_answer(review.decision, review.call.name)
                configurable["reviewer"] = review.decision.by
            given = Command(resume=answers)
            configurable[_STRICT] = True
        if not await asyncio.to_thread(self._leases.renew, self._thread_id, begun=seen.registered.name):
            return []  # somebody else took the thread, since this worker was asleep for longer than its lease
        try:
            async with self._kept():
                await seen.registered.run(given, {"configurable": configurable})
        except Exception as error:  # noqa: BLE001 - a graph of somebody else may raise anything
            return await self._failed([*answered, *others], seen.registered.name, error)
        finished = await close_answered(self._graphs, self._queue, self._thread_id)
        await self._end()
        if answered:
            return [*self._all(answered, Outcome.RESUMED, seen), *finished]
        return [*self._all(others, Outcome.CONTINUED, seen), *finished]

    async def _close(self, review: Review, seen: Sequence[_Seen]) -> Resumed:
        """What becomes of a review that no interrupt waits for: nothing yet, superseded, or it is of another worker."""
        outcome, graph = Outcome.WAITING, next((one.registered.name for one in seen if one.holds(review)), "")
        decided = datetime.fromisoformat(review.decision.at if review.decision else review.at)
        if not graph:
            outcome = Outcome.UNKNOWN
        elif (
            not any(review.id in one.coming for one in seen) and (self._now() - decided).total_seconds() >= self._grace
        ):
            note = "its thread no longer waits for it"
            with suppress(ReviewConflict):  # it has begun to run since it was read
                await asyncio.to_thread(self._queue.supersede, review.id, by=_worker_for(review), note=note)
                outcome = Outcome.SUPERSEDED
        return Resumed(review=review, outcome=outcome, thread_id=self._thread_id, graph=graph)

    async def _failed(self, reviews: Sequence[Review], graph: str, error: Exception) -> list[Resumed]:
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(self._failures, 20))
        await asyncio.to_thread(self._leases.put_off, self._thread_id, wait, failed=True)
        return [
            Resumed(review=review, outcome=Outcome.FAILED, thread_id=self._thread_id, graph=graph, error=error)
            for review in reviews or _WHOLE
        ]

    @asynccontextmanager
    async def _kept(self) -> AsyncIterator[None]:
        """The lease, kept while the thread runs, however long that takes."""

        async def keep() -> None:
            while True:
                await asyncio.sleep(self._leases.seconds / 3)
                with suppress(StoreError):  # the next attempt comes before the lease has run out
                    await asyncio.to_thread(self._leases.renew, self._thread_id)

        keeping = asyncio.create_task(keep())
        try:
            yield
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping

    def _all(self, reviews: Sequence[Review], outcome: Outcome, seen: _Seen | None = None) -> list[Resumed]:
        name = seen.registered.name if seen else ""
        return [
            Resumed(review=review, outcome=outcome, thread_id=self._thread_id, graph=name)
            for review in reviews or _WHOLE
        ]

    async def _reviews(self, states: frozenset[ReviewState]) -> list[Review]:
        return await asyncio.to_thread(self._queue.in_states, states, thread_id=self._thread_id)

    async def _end(self) -> None:
        await asyncio.to_thread(self._leases.end, self._thread_id)

    async def _put_off(self, seconds: float) -> None:
        if self._begun:
            await asyncio.to_thread(self._leases.put_off, self._thread_id, min(seconds, self._leases.seconds))
        else:
            await self._end()


def _worker_for(review: Review) -> Principal:
    return Principal(name=WORKER, kind=PrincipalKind.SYSTEM, tenant=review.tenant)
