"""What a replay will cost, told before anything is sent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from guardrail.bulk import Estimator, Job, local
from guardrail.bulk.replaying import spent
from guardrail.bulk.spending import Purse
from guardrail.policy import Price
from guardrail.types import Case, Usage
from tests.support import bulk
from tests.support.bulk import case


def estimator(**more: Any) -> Estimator:
    return Estimator(Job(planner=bulk.steady, **more))


def known(**more: Any) -> Case:
    """Five samples in one request: 60 prompt tokens, 7 a sample, 1.5 seconds."""
    return case(1, **more)


def test_it_rests_on_what_the_recorded_samples_cost() -> None:
    assert estimator(samples=5).of(known()) == Usage(requests=2, prompt_tokens=120, completion_tokens=42, seconds=3.0)
    kept = estimator(samples=5, keep_plan=True).of(known())
    assert kept == Usage(requests=1, prompt_tokens=60, completion_tokens=35, seconds=1.5)
    more = estimator(samples=10, keep_plan=True).of(known())
    assert (more.requests, more.completion_tokens) == (1, 70)


def test_an_endpoint_that_took_a_request_for_each_sample_is_expected_to_again() -> None:
    one_each = known(usage=Usage(requests=5, prompt_tokens=300, completion_tokens=35, seconds=1.5))
    assert estimator(samples=10).of(one_each) == Usage(
        requests=11, prompt_tokens=660, completion_tokens=77, seconds=3.0
    )


def test_n_is_that_of_the_tiers_of_the_recorded_calls() -> None:
    # the default tier draws eight
    assert estimator(keep_plan=True).of(known()).completion_tokens == 56


def test_questions_are_counted() -> None:
    plain, asking = (estimator(samples=5, signals=names).of(known()) for names in ((), ("p_true",)))
    assert asking.requests == plain.requests + 1


def test_without_usage_it_is_guessed_from_the_length_and_said_so() -> None:
    cases = [known(), known(usage=None, request={"messages": [{"role": "user", "content": "x" * 4_000}]})]
    found = estimator(samples=5).all(cases, price=Price(prompt=1.0, completion=2.0))
    assert (found.cases, found.guessed, found.seconds) == (2, 1, None)
    guessed = estimator(samples=5).of(cases[1])
    assert guessed.requests == 6
    assert 1_000 <= (guessed.prompt_tokens or 0) / 6 <= 1_100
    assert found.money == pytest.approx(
        ((found.usage.prompt_tokens or 0) + 2 * (found.usage.completion_tokens or 0)) / 1e6
    )


def test_time_is_shared_by_those_that_run_at_once() -> None:
    one, eight = (estimator(samples=5, concurrency=n).all([known()] * 16, price=None) for n in (1, 8))
    assert (one.seconds, eight.seconds, one.money) == (48.0, 6.0, None)
    assert estimator(samples=5).all([], price=None).usage.requests == 0


@pytest.mark.parametrize("keep_plan", [True, False])
def test_it_is_what_the_run_then_costs(keep_plan: bool) -> None:
    """For a model that costs what the recorded one did."""
    job = Job(planner=bulk.steady, samples=5, keep_plan=keep_plan)
    usage = Usage(requests=1, prompt_tokens=50, completion_tokens=35, seconds=1.0)
    cases = [case(number, usage=usage) for number in range(1, 9)]
    paid = Usage()
    done: list[Case] = []
    asyncio.run(local.run(cases, job, done.append))
    for one in done:
        paid += spent(one)
    found = Estimator(job).all(cases, price=None).usage
    assert (found.requests, found.prompt_tokens, found.completion_tokens) == (
        paid.requests,
        paid.prompt_tokens,
        paid.completion_tokens,
    )


COST = Usage(requests=1, prompt_tokens=60, completion_tokens=40)


def test_nothing_is_begun_that_would_go_beyond_the_limit() -> None:
    purse = Purse(tokens=250)
    assert purse.exceeded(COST) == ""
    purse.promise(COST)
    purse.promise(COST)
    assert purse.exceeded() == ""
    assert purse.exceeded(COST) == "the limit of 250 tokens is reached"
    purse.pay(Usage(requests=1, prompt_tokens=10, completion_tokens=5), COST)
    assert purse.exceeded(COST) == ""


def test_money_is_counted_by_the_price() -> None:
    purse = Purse(money=1.0, price=Price(prompt=5_000.0, completion=10_000.0))
    assert purse.exceeded(COST) == ""
    purse.pay(COST)
    assert purse.exceeded(COST) == "the limit of 1 in money is reached"
    assert Purse(money=1.0).exceeded(COST) == "the limit of 1 in money is reached"


def test_what_cannot_be_counted_reaches_any_limit_and_none_where_there_is_no_limit() -> None:
    unknown = Usage(requests=1)
    limited, free = Purse(tokens=10**9), Purse()
    limited.pay(unknown)
    free.pay(unknown)
    assert "does not report its tokens" in limited.exceeded(COST)
    assert free.exceeded(COST) == ""
