"""What holds whatever people, agents and clocks do, in any order: written without the queue's own rules."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from guardrail.codec import canonical
from guardrail.errors import GuardrailError, NotFound, NotPermitted, ReviewConflict
from guardrail.review import OVERRIDE, Queue
from guardrail.store import MemoryStore, SQLiteStore
from guardrail.types import Decision, DecisionType, Principal, PrincipalKind, Review, ReviewState
from tests.review.queues import DIGEST, ID, Clock, Desk
from tests.support.records import record, refund, review

PEOPLE = [
    Principal(name="ana", roles=("treasury",)),
    Principal(name="Ana ", roles=("treasury",)),
    Principal(name="ben", roles=("treasury", "board")),
    Principal(name="cat", roles=("board", OVERRIDE)),
    Principal(name="dan"),
    Principal(name="rob", roles=("treasury", OVERRIDE)),
    Principal(name="eve", kind=PrincipalKind.AGENT, roles=("treasury", OVERRIDE)),
    Principal(name="sys", kind=PrincipalKind.SYSTEM, roles=("treasury", OVERRIDE)),
    Principal(name="sam", roles=("treasury", OVERRIDE), tenant="other"),
]
MAY = {"ana", "Ana ", "ben"}
"""Who may decide on reviews of tenant "" which ask for the treasury; rob asked for them."""
ARGUMENTS = [{"order_id": "A-7", "amount": 20}, {"order_id": "A-7", "amount": 21}]
person = st.sampled_from(PEOPLE)


class Office(RuleBasedStateMachine):
    reviews: Bundle[str] = Bundle("reviews")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.store = MemoryStore()
        self.store.add_record(record(review_id=ID))
        self.queue = Queue(self.store, tenant=None, clock=self.clock)
        self.ran: dict[str, int] = {}
        self.said: dict[str, dict[str, str]] = {}
        self.before: dict[str, Review] = {}

    @rule(target=reviews, quorum=st.sampled_from([1, 2, 3]), due=st.sampled_from([0, 100, 400]), roles=st.booleans())
    def ask(self, quorum: int, due: int, roles: bool) -> str:
        identity = f"rev-{len(self.before):06}"
        asked = replace(
            review(identity, at=self.clock.now.isoformat()),
            quorum=quorum,
            due=self.clock.after(due) if due else "",
            escalate_at=self.clock.after(due / 2) if due else "",
            roles=("treasury",) if roles else (),
            requester="rob",
        )
        self.before[identity] = self.queue.open(asked)
        self.said[identity] = {}
        return identity

    @rule(
        identity=reviews,
        who=person,
        kind=st.sampled_from(DecisionType),
        arguments=st.sampled_from(ARGUMENTS),
        override=st.booleans(),
    )
    def decide(self, identity: str, who: Principal, kind: DecisionType, arguments: Any, override: bool) -> None:
        before = self.queue.get(identity)
        decision = Decision(
            type=kind,
            by=who.name,
            at="",
            arguments=arguments if kind is DecisionType.EDIT else None,
            message="ask me" if kind is DecisionType.RESPOND else "",
        )
        try:
            after = self.queue.decide(identity, decision, by=who, override=override)
        except NotFound:
            assert who.tenant == "other"
            return
        except NotPermitted:
            assert who.name not in MAY
            return
        except ReviewConflict:
            return
        assert who.kind is PrincipalKind.HUMAN
        assert who.tenant == ""
        assert who.name != "rob"
        assert who.name in MAY or not before.roles
        if after == before:
            return
        assert before.state in (ReviewState.PENDING, ReviewState.CLAIMED)
        assert not before.due or self.clock.now.isoformat() < before.due
        held = before.claim is not None and before.claim.until > self.clock.now.isoformat()
        if held and before.claim.by != who.name:
            assert override
            assert OVERRIDE in who.roles
        self.said[identity][who.name.strip().casefold()] = f"{kind} {canonical(decision.arguments)}"

    @rule(identity=reviews, who=person, override=st.booleans(), lease=st.sampled_from([50, 300]))
    def claim(self, identity: str, who: Principal, override: bool, lease: float) -> None:
        before = self.queue.get(identity)
        with suppress(GuardrailError):
            self.queue.claim(identity, by=who, override=override, lease=lease)
            held = before.claim is not None and before.claim.until > self.clock.now.isoformat()
            assert not held or before.claim.by == who.name or override
            assert who.kind is PrincipalKind.HUMAN

    @rule(identity=reviews, who=person, act=st.sampled_from(["release", "renew"]))
    def hold(self, identity: str, who: Principal, act: str) -> None:
        with suppress(GuardrailError):
            getattr(self.queue, act)(identity, by=who)

    @rule(identity=reviews, who=person)
    def comment(self, identity: str, who: Principal) -> None:
        before = self.queue.get(identity)
        with suppress(GuardrailError):
            after = self.queue.comment(identity, by=who, text="hello")
            assert (after.state, after.decision, after.votes) == (before.state, before.decision, before.votes)

    @rule(seconds=st.sampled_from([1, 49, 50, 200]))
    def wait(self, seconds: float) -> None:
        self.clock.move(seconds)

    @rule()
    def sweep(self) -> None:
        self.queue.sweep()
        assert self.queue.sweep() == []
        for one in self.queue.waiting():
            assert not one.due or one.due > self.clock.now.isoformat()

    @rule(identity=reviews, digest=st.sampled_from([DIGEST, DIGEST, "forged"]))
    def run(self, identity: str, digest: str) -> None:
        try:
            begun = self.queue.begin(identity, digest=digest, by="worker")
        except GuardrailError:
            return
        assert digest == DIGEST
        assert begun.decision is not None
        said = f"{begun.decision.type} {canonical(begun.decision.arguments)}"
        assert begun.decision.type in (DecisionType.APPROVE, DecisionType.EDIT)
        assert list(self.said[identity].values()).count(said) >= begun.quorum
        self.ran[identity] = self.ran.get(identity, 0) + 1

    @rule(identity=consumes(reviews), end=st.sampled_from(["finish", "unknown", "supersede"]))
    def end(self, identity: str, end: str) -> None:
        with suppress(GuardrailError):
            getattr(self.queue, end)(identity, by="worker", note="")

    @invariant()
    def what_was_decided_stays(self) -> None:
        for identity, before in self.before.items():
            now = self.queue.get(identity)
            assert self.ran.get(identity, 0) <= 1
            assert now.revision >= before.revision
            assert now.history[: len(before.history)] == before.history
            assert now.call == refund()
            if before.decision is not None:
                assert now.decision == before.decision
            if now.state is ReviewState.EXPIRED:
                assert now.decision is not None
                assert now.decision.type is DecisionType.REJECT
            self.before[identity] = now


TestOffice = Office.TestCase
TestOffice.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
@pytest.mark.parametrize("quorum", [1, 2])
def test_of_32_reviewers_one_wins_and_the_others_hear_of_it(backend: str, quorum: int, tmp_path) -> None:
    """With a quorum of two, the first of 32 different answers that two people give."""
    desk = Desk(store=MemoryStore() if backend == "memory" else SQLiteStore(tmp_path / "guardrail.db"))
    desk.open(quorum=quorum)
    start = threading.Barrier(32)
    kinds = ("approve", "reject") if quorum == 1 else ("approve",)

    def act(n: int) -> object:
        start.wait()
        try:
            return getattr(desk.queue, kinds[n % len(kinds)])(ID, by=Principal(name=f"person {n}"))
        except GuardrailError as error:
            return error

    with ThreadPoolExecutor(32) as pool:
        results = list(pool.map(act, range(32)))
    done = [one for one in results if isinstance(one, Review)]
    assert len(done) == quorum
    assert sum(one.state is ReviewState.DECIDED for one in done) == 1
    assert sum(isinstance(one, ReviewConflict) for one in results) == 32 - quorum
    final = desk.queue.get(ID)
    assert final in done
    assert final.revision == quorum
    assert len(desk.store.record("rec-000001").labels) == 1
    desk.store.close()
