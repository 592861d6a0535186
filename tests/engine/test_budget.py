"""What may be spent: asked before every request, written after every answer, and said where it is over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from guardrail import AsyncGuard, Guard, Policy
from guardrail.engine.flow import Draw, assess
from guardrail.errors import BudgetSpent, SamplingError, StoreError
from guardrail.policy import Budget, Limits, Price, TierSettings
from guardrail.sampling import ScriptedSampler
from guardrail.store import MemoryStore
from guardrail.types import Reason, Route, SampleBatch, Spending, Tier, Usage
from tests.engine.steps import GOOD, OTHER, Answering, Broken, Stated, in_order, pay, step

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rules(*, tier: Tier = Tier.MEDIUM, prices: dict[str, Price] | None = None, **limits: Limits) -> Policy:
    settings = {Tier.MEDIUM: TierSettings(samples=5, agreement=0.8, waves=(2, 2, 1))}
    return Policy(default=tier, tiers=settings, budget=Budget(prices=prices or {}, **limits))


def guard(policy: Policy, store: Any = None, drawn: Any = None, **options: Any) -> Guard:
    sampler = ScriptedSampler(in_order(drawn or [GOOD] * 5))
    return Guard(policy, sampler, store or MemoryStore(), now=lambda: NOON, **options)


def spent(usage: Usage) -> MemoryStore:
    store = MemoryStore()
    store.spend(Spending(at=NOON.isoformat(), thread_id="another", model="", usage=usage))
    return store


def test_a_step_that_may_not_spend_more_takes_the_fail_closed_route_and_says_so() -> None:
    """Two samples cost 120 tokens here, and then 120 of 100 are spent."""
    verdict = guard(rules(step=Limits(tokens=100))).assess(step(pay(10)))
    (one,) = verdict.verdicts
    assert (verdict.route, one.reason, verdict.drawn, verdict.curtailed) == (
        Route.REVIEW,
        Reason.BUDGET_SPENT,
        2,
        False,
    )
    assert one.why.startswith("the budget does not allow to measure it: the step has used 120 of 100 tokens")
    assert (one.agreeing, one.asked) == (2, 5)


def test_once_the_budget_is_spent_nothing_more_is_asked_for() -> None:
    flow = assess(step(pay(10)), rules(), draw_audit=1.0)
    assert isinstance(next(flow), Draw)
    with pytest.raises(StopIteration) as done:
        flow.send(BudgetSpent("over"))
    assert done.value.value.verdict.verdicts[0].reason is Reason.BUDGET_SPENT


def test_what_is_decided_by_what_is_there_stays_decided() -> None:
    verdict = guard(rules(step=Limits(tokens=100)), drawn=[OTHER] * 5).assess(step(pay(10)))
    assert (verdict.verdicts[0].reason, verdict.drawn) == (Reason.DISAGREED, 2)


def test_a_budget_that_is_not_reached_changes_nothing() -> None:
    rich = guard(rules(step=Limits(tokens=10_000, seconds=60.0))).assess(step(pay(10)))
    free = guard(rules()).assess(step(pay(10)))
    assert rich.verdicts == free.verdicts


def test_the_low_tier_runs_unmeasured_where_its_policy_says_so_and_the_verdict_says_why() -> None:
    settings = {Tier.LOW: TierSettings(samples=3, agreement=2 / 3, unmeasured=Route.EXECUTE)}
    policy = Policy(default=Tier.LOW, tiers=settings, budget=Budget(day=Limits(seconds=10.0)))
    (one,) = guard(policy, spent(Usage(seconds=10.0))).assess(step(pay(10))).verdicts
    assert (one.route, one.reason) == (Route.EXECUTE, Reason.FAIL_OPEN_BY_POLICY)
    assert "seconds" in one.why


@pytest.mark.parametrize(
    ("limits", "entry", "over"),
    [
        ({"thread": Limits(tokens=500)}, Spending(at="2026-02-01T00:00:00+00:00", thread_id="t1", model="", usage=Usage(requests=1, prompt_tokens=499, completion_tokens=1)), "the thread has"),
        ({"thread": Limits(tokens=500)}, Spending(at=NOON.isoformat(), thread_id="t2", model="", usage=Usage(requests=1, prompt_tokens=499, completion_tokens=1)), ""),
        ({"day": Limits(tokens=500)}, Spending(at=NOON.isoformat(), thread_id="t2", model="", usage=Usage(requests=1, prompt_tokens=499, completion_tokens=1)), "today's steps have"),
        ({"day": Limits(tokens=500)}, Spending(at="2026-02-28T23:59:59+00:00", thread_id="t1", model="", usage=Usage(requests=1, prompt_tokens=499, completion_tokens=1)), ""),
    ],
)  # fmt: skip
def test_what_others_have_spent_counts(limits: dict[str, Limits], entry: Spending, over: str) -> None:
    store = MemoryStore()
    store.spend(entry)
    verdict = guard(rules(**limits), store).assess(step(pay(10)))
    (one,) = verdict.verdicts
    assert (one.reason is Reason.BUDGET_SPENT, verdict.drawn) == ((True, 0) if over else (False, 4))
    assert over in one.why


def test_every_answer_is_written_before_the_next_request() -> None:
    class Watched(MemoryStore):
        seen: list[str]

        def spend(self, entry: Spending) -> None:
            self.seen.append(f"spent {entry.usage.prompt_tokens}")
            super().spend(entry)

    store = Watched()
    store.seen = []

    def draw(_step: Any, n: int) -> SampleBatch:
        store.seen.append(f"draw {n}")
        return SampleBatch(samples=(GOOD,) * n, usage=Usage(requests=1, prompt_tokens=n, completion_tokens=1))

    policy = rules(thread=Limits(tokens=1000))
    Guard(policy, ScriptedSampler(draw), store, now=lambda: NOON).assess(step(pay(10)))
    assert store.seen == ["draw 2", "spent 2", "draw 2", "spent 2"]
    assert store.spent(thread_id="t1")[""].requests == 2


def test_a_failed_request_is_written_too_and_what_nobody_counted_could_have_been_anything() -> None:
    store = MemoryStore()
    policy = rules(thread=Limits(tokens=1000))
    Guard(policy, Broken(SamplingError("no")), store, now=lambda: NOON).assess(step(pay(10)))
    spent = store.spent(thread_id="t1")[""]
    assert (spent.requests, spent.prompt_tokens) == (1, None)  # and no second request, for nobody knows what is left
    told = SamplingError("refused")
    told.usage = Usage(requests=2, prompt_tokens=0, completion_tokens=0)  # type: ignore[attr-defined]
    store = MemoryStore()
    verdict = Guard(policy, Broken(told), store, now=lambda: NOON).assess(step(pay(10)))
    assert store.spent(thread_id="t1")[""].prompt_tokens == 0
    assert verdict.verdicts[0].reason is Reason.SAMPLING_FAILED


def test_a_question_is_paid_for_and_not_asked_where_nothing_is_left() -> None:
    settings = {Tier.MEDIUM: TierSettings(samples=5, agreement=0.8, signals=("agreement", "p_true"))}
    asker = Answering("0.9")
    store = MemoryStore()
    policy = Policy(default=Tier.MEDIUM, tiers=settings, budget=Budget(step=Limits(tokens=10_000)))
    guard(policy, store, signals=[Stated()], asker=asker).assess(step(pay(10)))
    assert store.spent()[""].prompt_tokens == 50 + 100 * 2
    poor = Policy(default=Tier.MEDIUM, tiers=settings, budget=Budget(day=Limits(tokens=100)))
    broke = spent(Usage(requests=1, prompt_tokens=90, completion_tokens=10))
    verdict = guard(poor, broke, signals=[Stated()], asker=asker).assess(step(pay(10)))
    assert (len(asker.asked), verdict.questions, verdict.drawn) == (1, 0, 0)
    assert verdict.verdicts[0].reason is Reason.BUDGET_SPENT
    assert "tokens" in (verdict.verdicts[0].signal("p_true").missing or "")  # type: ignore[union-attr]


def test_a_question_without_an_asker_costs_nothing() -> None:
    settings = {Tier.MEDIUM: TierSettings(samples=5, agreement=0.8, signals=("agreement", "p_true"))}
    store = MemoryStore()
    policy = Policy(default=Tier.MEDIUM, tiers=settings, budget=Budget(step=Limits(tokens=10_000)))
    guard(policy, store, signals=[Stated()]).assess(step(pay(10)))
    assert store.spent()[""].requests == 2


def test_money_is_counted_by_the_price_of_the_model() -> None:
    prices = {"*": Price(prompt=1.0, completion=10.0)}
    cheap = guard(rules(step=Limits(money=1.0), prices=prices)).assess(step(pay(10)))
    dear = guard(rules(step=Limits(money=0.0002), prices=prices)).assess(step(pay(10)))
    assert (cheap.verdicts[0].reason, dear.verdicts[0].reason) == (Reason.AGREED, Reason.BUDGET_SPENT)


def test_a_ledger_that_cannot_be_written_lets_nothing_run() -> None:
    class Full(MemoryStore):
        def spend(self, entry: Spending) -> None:
            raise StoreError("full")

    with pytest.raises(StoreError):
        guard(rules(step=Limits(tokens=1000)), Full()).assess(step(pay(10)))


def test_without_a_limit_no_ledger_is_kept() -> None:
    store = MemoryStore()
    guard(rules(), store).assess(step(pay(10)))
    assert store.spent() == {}


async def test_sync_and_async_spend_alike() -> None:
    for limit in (100, 10_000):
        policy = rules(thread=Limits(tokens=limit))
        stores = MemoryStore(), MemoryStore()
        a = guard(policy, stores[0]).assess(step(pay(10)))
        sampler = ScriptedSampler(in_order([GOOD] * 5))
        b = await AsyncGuard(policy, sampler, stores[1], now=lambda: NOON).assess(step(pay(10)))
        assert a.verdicts == b.verdicts
        assert stores[0].spent() == stores[1].spent()
