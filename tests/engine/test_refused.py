"""What a person has refused does not run because the model wants it again, however sure it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail import AsyncGuard, Guard, Policy, Queue
from guardrail.sampling import ScriptedSampler
from guardrail.store import MemoryStore, Store
from guardrail.types import (
    PlanningStep,
    Reason,
    Review,
    Route,
    Sample,
    SampleBatch,
    StepVerdict,
    ToolCall,
)
from tests.engine.steps import pay, read, sample, step

RULES: dict[str, Any] = {
    "tools": [
        {"match": "read", "tier": "low"},
        {"match": "pay", "when": {"amount": {"gt": 500}}, "tier": "critical", "timeout": {"after": "15m"}},
        {"match": "pay", "tier": "high"},
    ],
    "tiers": {"high": {"max_retries": 0}},
}


def agreeing(one: PlanningStep, n: int) -> SampleBatch:
    """Every sample plans what is planned."""
    return SampleBatch(samples=(Sample(calls=one.planned.calls),) * n)


class Thread:
    """Steps of one thread, one after the other, on one store."""

    def __init__(self, rules: dict[str, Any] | None = None, **options: Any) -> None:
        self.store: Store = MemoryStore()
        self.queue = Queue(self.store, tenant=options.get("tenant", ""))
        self.guard = Guard(Policy.parse(rules or RULES), ScriptedSampler(agreeing), self.store, **options)
        self.steps = 0

    def plan(self, *calls: ToolCall, **more: Any) -> StepVerdict:
        self.steps += 1
        return self.guard.assess(step(*calls, id=f"m{self.steps}", **more))

    def asked(self, *calls: ToolCall) -> Review:
        verdict = self.plan(*calls)
        return self.store.review(verdict.verdicts[0].review_id)


@pytest.fixture
def disputed() -> tuple[Thread, Review]:
    """A thread whose first payment waits: its samples did not agree."""
    thread = Thread()
    thread.guard._sampler = ScriptedSampler(lambda _, n: SampleBatch(samples=(sample(pay(99)),) * n))
    review = thread.asked(pay(10))
    thread.guard._sampler = ScriptedSampler(agreeing)
    return thread, review


def reject(queue: Queue, review: Review) -> None:
    queue.reject(review.id, by="ada", message="no")


def change(queue: Queue, review: Review) -> None:
    queue.edit(review.id, by="ada", arguments={"amount": 5})


def answer(queue: Queue, review: Review) -> None:
    queue.respond(review.id, by="ada", message="it is paid already")


@pytest.mark.parametrize(("refuse", "word"), [(reject, "rejected"), (change, "changed"), (answer, "answered")])
def test_a_refused_call_planned_again_waits_for_a_human_though_all_samples_agree(
    refuse: Callable[[Queue, Review], None], word: str, disputed: tuple[Thread, Review]
) -> None:
    thread, review = disputed
    refuse(thread.queue, review)
    (verdict,) = thread.plan(pay(10, identity="c9")).verdicts
    assert (verdict.route, verdict.reason) == (Route.REVIEW, Reason.REFUSED_BEFORE)
    assert word in verdict.why
    assert not verdict.calibrated
    assert thread.store.review(verdict.review_id).state == "pending"


def test_other_calls_and_other_threads_are_not_concerned(disputed: tuple[Thread, Review]) -> None:
    thread, review = disputed
    thread.queue.reject(review.id, by="ada")
    assert thread.plan(pay(11)).route is Route.EXECUTE
    assert thread.plan(read("a")).route is Route.EXECUTE
    assert thread.plan(pay(10), thread_id="t2").route is Route.EXECUTE


def test_only_the_refused_call_of_a_step_is_concerned(disputed: tuple[Thread, Review]) -> None:
    thread, review = disputed
    thread.queue.reject(review.id, by="ada")
    routes = [verdict.route for verdict in thread.plan(read("a"), pay(10)).verdicts]
    assert routes == [Route.EXECUTE, Route.REVIEW]


def test_other_words_or_another_form_are_no_way_around_a_refusal() -> None:
    thread = Thread()
    thread.guard._sampler = ScriptedSampler(lambda _, n: SampleBatch(samples=(sample(pay(99)),) * n))
    review = thread.asked(pay(10, memo="rent for May"))
    thread.guard._sampler = ScriptedSampler(agreeing)
    thread.queue.reject(review.id, by="ada")
    for again in (pay(10.0, memo="rent for May"), pay(10, memo="the May rent"), pay(10, memo="Rent  for May")):
        assert thread.plan(again).verdicts[0].reason is Reason.REFUSED_BEFORE


def test_the_edited_call_may_be_planned_and_the_one_before_may_not(disputed: tuple[Thread, Review]) -> None:
    thread, review = disputed
    thread.queue.edit(review.id, by="ada", arguments={"amount": 5})
    thread.queue.begin(review.id, digest=review.digest, by="x")
    thread.queue.finish(review.id, by="x")
    assert thread.plan(pay(5)).route is Route.EXECUTE
    assert thread.plan(pay(10)).verdicts[0].reason is Reason.REFUSED_BEFORE


def test_a_later_approval_takes_a_refusal_back(disputed: tuple[Thread, Review]) -> None:
    thread, review = disputed
    thread.queue.reject(review.id, by="ada")
    second = thread.asked(pay(10))
    thread.queue.approve(second.id, by="ada")
    thread.queue.begin(second.id, digest=second.digest, by="x")
    thread.queue.finish(second.id, by="x")
    assert thread.plan(pay(10)).route is Route.EXECUTE


def test_an_approval_that_nobody_used_in_time_says_nothing_for_the_call(disputed: tuple[Thread, Review]) -> None:
    thread, review = disputed
    thread.queue.reject(review.id, by="ada")
    second = thread.asked(pay(10))
    thread.queue.approve(second.id, by="ada")
    thread.queue.supersede(second.id, by="deadline", note="not used in time")
    assert thread.plan(pay(10)).verdicts[0].reason is Reason.REFUSED_BEFORE


def test_a_call_that_nobody_decided_on_in_time_was_refused() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    rules = {**RULES, "tools": [{"match": "pay", "tier": "high", "timeout": {"after": "15m"}}]}
    thread = Thread(rules, now=lambda: at)
    thread.guard._sampler = ScriptedSampler(lambda _, n: SampleBatch(samples=(sample(pay(99)),) * n))
    review = thread.asked(pay(10))
    thread.guard._sampler = ScriptedSampler(agreeing)
    Queue(thread.store).sweep(at + timedelta(hours=1))
    Queue(thread.store).finish(review.id, by="x")
    (verdict,) = thread.plan(pay(10)).verdicts
    assert verdict.reason is Reason.REFUSED_BEFORE
    assert "in time" in verdict.why


@pytest.mark.parametrize("looked", [False, True])
def test_a_call_that_may_have_run_does_not_run_again_without_a_human(
    looked: bool, disputed: tuple[Thread, Review]
) -> None:
    thread, review = disputed
    thread.queue.approve(review.id, by="ada")
    thread.queue.begin(review.id, digest=review.digest, by="x")
    if looked:
        thread.queue.unknown(review.id, by="ada")
    (verdict,) = thread.plan(pay(10)).verdicts
    assert (verdict.route, verdict.reason) == (Route.REVIEW, Reason.MAY_HAVE_RUN)


def test_what_one_tenant_refused_says_nothing_to_another(disputed: tuple[Thread, Review]) -> None:
    thread, review = disputed
    thread.queue.reject(review.id, by="ada")
    other = Guard(Policy.parse(RULES), ScriptedSampler(agreeing), thread.store, tenant="acme")
    assert other.assess(step(pay(10), id="m7")).route is Route.EXECUTE


def test_a_low_tier_that_may_run_unmeasured_may_not_run_what_was_refused(disputed: tuple[Thread, Review]) -> None:
    thread, review = disputed
    thread.queue.reject(review.id, by="ada")
    rules = {"default": {"tier": "low"}, "tiers": {"low": {"unmeasured": "execute"}}}
    failing = ScriptedSampler(lambda _, n: SampleBatch(samples=()))
    guard = Guard(Policy.parse(rules), failing, thread.store)
    assert guard.assess(step(pay(11), id="m7")).route is Route.EXECUTE
    assert guard.assess(step(pay(10), id="m8")).verdicts[0].reason is Reason.REFUSED_BEFORE


def test_a_step_that_is_asked_about_again_keeps_its_verdict(disputed: tuple[Thread, Review]) -> None:
    thread, review = disputed
    thread.queue.reject(review.id, by="ada")
    first = thread.plan(pay(10))
    thread.steps -= 1
    assert thread.plan(pay(10)) == first


async def test_the_asynchronous_guard_knows_it_too(disputed: tuple[Thread, Review]) -> None:
    thread, review = disputed
    thread.queue.reject(review.id, by="ada")
    guard = AsyncGuard(Policy.parse(RULES), ScriptedSampler(agreeing), thread.store)
    (verdict,) = (await guard.assess(step(pay(10), id="m9"))).verdicts
    assert verdict.reason is Reason.REFUSED_BEFORE


@given(st.lists(st.sampled_from(["reject", "approve", "answer"]), min_size=1, max_size=5))
def test_the_last_decision_counts(decisions: list[str]) -> None:
    rules = {"tools": [{"match": "pay", "tier": "critical"}]}
    thread = Thread(rules)
    for kind in decisions:
        review = thread.asked(pay(10))
        if kind == "approve":
            thread.queue.approve(review.id, by="ada")
            thread.queue.begin(review.id, digest=review.digest, by="x")
        elif kind == "reject":
            thread.queue.reject(review.id, by="ada")
        else:
            thread.queue.respond(review.id, by="ada", message="no")
        thread.queue.finish(review.id, by="x")
    high = Guard(Policy.parse({"default": {"tier": "high"}}), ScriptedSampler(agreeing), thread.store)
    route = high.assess(step(pay(10), id="last")).route
    assert route is (Route.EXECUTE if decisions[-1] == "approve" else Route.REVIEW)


SECRET = "hunter2-Zq9"


def _login(password: str, amount: float = 10) -> ToolCall:
    return ToolCall(name="pay", arguments={"amount": amount, "password": password}, id="c1")


@pytest.mark.parametrize("again", [SECRET, "another-one"])
def test_a_refusal_holds_where_something_of_the_call_is_hidden(again: str) -> None:
    """What is hidden may be the same: nobody gets around a refusal by it."""
    thread = Thread()
    thread.guard._sampler = ScriptedSampler(lambda _, n: SampleBatch(samples=(sample(pay(99)),) * n))
    review = thread.asked(_login(SECRET))
    assert review.hidden == ("/password",)
    thread.queue.reject(review.id, by="ada")
    thread.guard._sampler = ScriptedSampler(agreeing)
    (verdict,) = thread.plan(_login(again)).verdicts
    assert (verdict.route, verdict.reason) == (Route.REVIEW, Reason.REFUSED_BEFORE)


def test_only_exactly_what_was_approved_is_cleared_where_something_is_hidden() -> None:
    thread = Thread()
    thread.guard._sampler = ScriptedSampler(lambda _, n: SampleBatch(samples=(sample(pay(99)),) * n))
    first = thread.asked(_login(SECRET))
    thread.queue.reject(first.id, by="ada")
    thread.guard._sampler = ScriptedSampler(agreeing)
    second = thread.asked(_login(SECRET))
    thread.queue.approve(second.id, by="ada")
    assert thread.plan(_login("another-one")).route is Route.REVIEW
    assert thread.plan(_login(SECRET)).route is Route.EXECUTE


@pytest.mark.parametrize("words", ["[hidden 1: password]", "with [Hidden 2: card] in it"])
def test_a_call_with_a_mark_in_place_of_a_value_goes_to_a_human(words: str) -> None:
    """All samples agree on what the model was shown; it is not the value."""
    (verdict,) = Thread().plan(ToolCall(name="pay", arguments={"amount": 10, "memo": words}, id="c1")).verdicts
    assert (verdict.route, verdict.reason) == (Route.REVIEW, Reason.HOLDS_MARK)
    assert "mark of a hidden value" in verdict.why
