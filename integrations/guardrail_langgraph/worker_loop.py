"""The worker's loop: looks at the store, gives each thread its turn, and tells in one line what became of it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from guardrail.cli.safe_text import plain
from guardrail.errors import StoreError
from guardrail.review import Queue
from guardrail.types import Review, ReviewState
from guardrail_langgraph.worker_graphs import Registered
from guardrail_langgraph.worker_leases import Leases
from guardrail_langgraph.worker_threads import ANSWERED, NEEDS_SOMEBODY, Outcome, Resumed, close_answered, take_turn

_log = logging.getLogger(__name__)
_AGAIN: Final = 600.0
"""Seconds after which what still needs somebody is told again."""
_SETTLED: Final = 10.0
"""Seconds that a call may run before its graph is asked whether it has ended; a tool node that says so is quicker."""
_ASK_AGAIN: Final = 30.0
_EVERY: Final = 100_000
_BARE = re.compile(r"[\w.:/@+-]+")


def line(event: str, subject: str, **values: object) -> str:
    """One line of the log: time, event, subject, then ``key=value``; what is not a plain word stands in quotes."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return " ".join([at, event, subject, *(f"{key}={_value(value)}" for key, value in values.items() if value != "")])


class Worker:
    """Resumes the threads of some graphs for as long as it runs.

    Args:
        graphs: the graphs, each under its name.
        queue: the reviews of every tenant.
        leases: this worker's leases, in the same store.
        concurrency: threads that it runs at once.
        stuck_after: seconds after which a call that is still executing is a human's matter.
        tell: where its lines go.
        traces: whether a failed graph's traceback is told too; it may hold arguments.
    """

    def __init__(
        self,
        graphs: Sequence[Registered],
        queue: Queue,
        leases: Leases,
        *,
        concurrency: int,
        stuck_after: float,
        tell: Callable[[str], None],
        traces: bool = False,
    ) -> None:
        self._graphs = graphs
        self._queue = queue
        self._leases = leases
        self._turns = asyncio.Semaphore(concurrency)
        self._stuck_after = stuck_after
        self._tell = tell
        self._traces = traces
        self._running: dict[str, asyncio.Task[None]] = {}
        self._told: dict[tuple[str, str], float] = {}
        self._stopping = asyncio.Event()
        self.trouble = False
        """Whether something needs somebody: a graph failed, a thread is of no graph, a call is stuck."""

    def stop(self) -> None:
        """Begin no further thread; ``run`` returns when those that run are done."""
        self._stopping.set()

    async def once(self) -> None:
        """Give every thread that has something to do its turn.

        Raises:
            StoreError: the store cannot be read.
        """
        await self._look()
        await asyncio.gather(*self._running.values())

    async def run(self, every: float) -> None:
        """Look every so many seconds, until stopped. A store that cannot be read is told, and tried again."""
        while not self._stopping.is_set():
            try:
                await self._look()
            except StoreError as error:
                self._say("store", "failed", error=type(error).__name__, message=str(error))
            try:
                await asyncio.wait_for(self._stopping.wait(), every)
            except TimeoutError:
                continue
        self._say("stopping", self._leases.by, running=len(self._running))
        await asyncio.gather(*self._running.values())

    async def _look(self) -> None:
        for review in await asyncio.to_thread(self._queue.sweep):
            event = "expired" if review.state is ReviewState.EXPIRED else "escalated"
            self._say(event, review.id[:12], tool=review.call.name, due=review.due, thread=review.thread_id)
        reviews = await asyncio.to_thread(self._queue.in_states, ANSWERED | {ReviewState.EXECUTING}, limit=_EVERY)
        threads = [review.thread_id for review in reviews if review.state in ANSWERED and review.record_id]
        for thread_id in dict.fromkeys([*threads, *await asyncio.to_thread(self._leases.left)]):
            if thread_id not in self._running:
                self._running[thread_id] = asyncio.create_task(self._turn(thread_id))
        executing = [review for review in reviews if review.state is ReviewState.EXECUTING]
        closed = await self._close_answered(executing)
        for review in executing:
            if review.id not in closed:
                self._look_at(review)

    async def _turn(self, thread_id: str) -> None:
        try:
            async with self._turns:
                if self._stopping.is_set():
                    return
                started = time.monotonic()
                for one in await take_turn(self._graphs, self._queue, self._leases, thread_id):
                    self._say_of(one, time.monotonic() - started)
        except StoreError as error:
            self.trouble = True
            self._say("store", "failed", thread=thread_id, error=type(error).__name__, message=str(error))
        finally:
            del self._running[thread_id]

    def _say_of(self, one: Resumed, seconds: float) -> None:
        review, reviewed = one.review, {}
        if review is not None:
            decision = review.decision
            reviewed = {
                "tool": review.call.name,
                "decision": decision.type.value if decision else "",
                "by": decision.by if decision else "",
                "tenant": review.tenant,
            }
        subject = review.id[:12] if review is not None else "-"
        self.trouble |= one.outcome in NEEDS_SOMEBODY
        if one.outcome in (Outcome.WAITING, Outcome.UNKNOWN, Outcome.AMBIGUOUS) and self._known(one.outcome, one):
            return
        more = {"error": type(one.error).__name__} if one.error is not None else {"seconds": f"{seconds:.2f}"}
        self._say(one.outcome.value, subject, **reviewed, thread=one.thread_id, graph=one.graph, **more, **_advice(one))
        if self._traces and one.error is not None:
            self._tell("".join(map(plain_line, traceback.format_exception(one.error))))

    def _known(self, outcome: Outcome, one: Resumed) -> bool:
        return self._told_lately(outcome.value, one.review.id if one.review else one.thread_id)

    async def _close_answered(self, executing: Sequence[Review]) -> set[str]:
        """Close those whose call has run, as their graph tells, and say which. Not asked all the time."""
        now = datetime.now(UTC)
        old = min(_SETTLED, self._stuck_after)
        threads = [one.thread_id for one in executing if (now - _since(one)).total_seconds() >= old]
        closed = set()
        for thread_id in dict.fromkeys(threads):
            if thread_id in self._running or self._told_lately("asked", thread_id, _ASK_AGAIN):
                continue
            for one in await close_answered(self._graphs, self._queue, thread_id):
                self._say_of(one, 0.0)
                closed |= {one.review.id} if one.review is not None else set()
        return closed

    def _look_at(self, review: Review) -> None:
        since = _since(review)
        if (datetime.now(UTC) - since).total_seconds() < self._stuck_after:
            return
        self.trouble = True
        if not self._told_lately("stuck", review.id):
            self._say(
                "STUCK",
                review.id[:12],
                tool=review.call.name,
                tenant=review.tenant,
                thread=review.thread_id,
                since=since.isoformat(timespec="seconds"),
                message="nobody knows whether it ran: a person has to look, and to close the review",
            )

    def _told_lately(self, what: str, whom: str, again: float = _AGAIN) -> bool:
        now = time.monotonic()
        if now - self._told.get((what, whom), -again) < again:
            return True
        self._told = {key: at for key, at in self._told.items() if now - at < _AGAIN} | {(what, whom): now}
        return False

    def _say(self, event: str, subject: str, **values: object) -> None:
        self._tell(line(event, subject, **values))


def _since(review: Review) -> datetime:
    begun = [event.at for event in review.history if event.state is ReviewState.EXECUTING]
    return datetime.fromisoformat(begun[-1] if begun else review.at)


def plain_line(text: str) -> str:
    """Lines of a traceback, each with everything hidden written out."""
    return "".join(f"{plain(one)}\n" for one in text.splitlines())


def _advice(one: Resumed) -> dict[str, str]:
    if one.outcome is Outcome.UNKNOWN:
        return {"message": "no graph of this worker has this call in that thread: add its graph with --graph"}
    if one.outcome is Outcome.AMBIGUOUS:
        return {"message": "several graphs have this thread: give them checkpointers of their own, or a worker each"}
    return {}


def _value(value: object) -> str:
    text = str(value)
    return text if _BARE.fullmatch(text) and text.isascii() else json.dumps(plain(text), ensure_ascii=False)
