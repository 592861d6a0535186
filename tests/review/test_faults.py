"""The process may die at any moment: between two accesses to the store, or while one is under way."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from guardrail.errors import GuardrailError, ReviewError
from guardrail.review import RUNS, Queue
from guardrail.store import MemoryStore
from guardrail.types import DecisionType, ReviewState
from tests.support.records import record, refund, review

ID = "rev-000001"
DIGEST = "digest of the call"


class Crash(BaseException):
    """The end of the process, which no handler catches."""


class CrashingStore:
    """A store whose n-th access is the last thing the process does; ``after``: the access still took effect."""

    url = "memory://"

    def __init__(self, store: MemoryStore, n: int, *, after: bool) -> None:
        self._store, self._left, self._after = store, n, after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                if self._after:
                    method(*args, **kwargs)
                raise Crash
            return method(*args, **kwargs)

        return call


def _work(queue: Queue, ran: list[Any], decide: str) -> None:
    """What a process does with a review, from the beginning, as one that starts again does."""
    queue.open(review())
    if decide == "approve":
        queue.approve(ID, by="ana")
    elif decide == "edit":
        queue.edit(ID, by="ana", arguments={"order_id": "A-7", "amount": 20})
    else:
        queue.reject(ID, by="ana")
    decided = queue.get(ID)
    assert decided.decision is not None
    if decided.decision.type in RUNS:
        begun = queue.begin(ID, digest=DIGEST, by="worker")
        assert begun.decision is not None
        ran.append(begun.decision.arguments or begun.call.arguments)
    queue.finish(ID, by="worker")


@pytest.mark.parametrize("decide", ["approve", "edit", "reject"])
@pytest.mark.parametrize("after", [False, True])
def test_wherever_the_process_dies_the_call_runs_at_most_once(decide: str, after: bool) -> None:
    for n in count():
        store = MemoryStore()
        store.add_record(record(review_id=ID))
        ran: list[Any] = []
        crashed = False
        for attempt in (CrashingStore(store, n, after=after), store, store):
            try:
                _work(Queue(attempt), ran, decide)
            except Crash:
                crashed = True
            except ReviewError:
                pass  # the process that starts again finds that the approval was used
        stands = Queue(store).get(ID)
        assert stands.decision is not None
        assert stands.decision.type.value == decide
        assert len(store.record("rec-000001").labels) == 1
        if decide == "reject":
            assert (ran, stands.state) == ([], ReviewState.DONE)
        else:
            expected = refund().arguments if decide == "approve" else {"order_id": "A-7", "amount": 20}
            assert ran in ([], [expected])
            assert stands.state in (ReviewState.EXECUTING, ReviewState.DONE)
        if not crashed:
            break
    assert n >= 8


class Life(RuleBasedStateMachine):
    """Any number of people and workers, in any order, some with stale or forged digests."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.store.add_record(record(review_id=ID))
        self.queue = Queue(self.store)
        self.ran = 0
        self.refused = False

    @rule()
    def open(self) -> None:
        self.queue.open(review())

    @rule(kind=st.sampled_from(DecisionType), by=st.sampled_from(["ana", "ben"]))
    def decide(self, kind: DecisionType, by: str) -> None:
        act = {
            DecisionType.APPROVE: lambda: self.queue.approve(ID, by=by),
            DecisionType.EDIT: lambda: self.queue.edit(ID, by=by, arguments={"order_id": "A-7", "amount": 20}),
            DecisionType.REJECT: lambda: self.queue.reject(ID, by=by),
            DecisionType.RESPOND: lambda: self.queue.respond(ID, by=by, message="ask me"),
        }[kind]
        try:
            act()
        except GuardrailError:
            return
        self.refused = self.refused or kind not in RUNS

    @rule(digest=st.sampled_from([DIGEST, DIGEST, "forged"]))
    def dispatch(self, digest: str) -> None:
        try:
            self.queue.begin(ID, digest=digest, by="worker")
        except GuardrailError:
            return
        assert digest == DIGEST
        self.ran += 1

    @rule(end=st.sampled_from(["finish", "unknown", "supersede"]))
    def end(self, end: str) -> None:
        with suppress(GuardrailError):
            getattr(self.queue, end)(ID, by="guard", note="")

    @invariant()
    def used_at_most_once(self) -> None:
        assert self.ran <= 1
        assert not (self.ran and self.refused)

    @invariant()
    def history_is_whole(self) -> None:
        for one in self.store.reviews():
            assert one.revision == len(one.history)
            assert not one.history or one.history[-1].state is one.state


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
