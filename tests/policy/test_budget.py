"""What a budget leaves a step, given what its thread and the day have spent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.policy import Allowance, Budget, Limits, Price, cost, midnight
from guardrail.types import Usage

PRICES = {"mini": Price(prompt=0.4, completion=1.6), "*": Price(prompt=1, completion=4)}
SILENT = Usage(requests=1, seconds=1.0)


def used(prompt: int = 0, completion: int = 0, seconds: float = 0.0) -> Usage:
    return Usage(requests=1, prompt_tokens=prompt, completion_tokens=completion, seconds=seconds)


def asked(
    budget: Budget,
    usage: Usage = Usage(),  # noqa: B008
    *,
    model: str = "mini",
    thread: dict[str, Usage] | None = None,
    day: dict[str, Usage] | None = None,
    written: bool = False,
) -> str | None:
    return Allowance(budget=budget, model=model, thread=thread or {}, day=day or {}).exceeded(usage, written=written)


@pytest.mark.parametrize(
    ("usage", "price", "money"),
    [
        (used(1_000_000, 500_000), PRICES["mini"], 1.2),
        (used(3), Price(prompt=0, completion=0), 0.0),
        (Usage(), PRICES["mini"], 0.0),
        (SILENT, PRICES["mini"], None),
        (SILENT, Price(prompt=0, completion=0), 0.0),
        (Usage(requests=1, prompt_tokens=10), PRICES["mini"], None),
        (Usage(requests=1, prompt_tokens=1_000_000), Price(prompt=2, completion=0), 2.0),
        (used(-1_000_000), PRICES["mini"], None),
    ],
)
def test_cost(usage: Usage, price: Price, money: float | None) -> None:
    found = cost(usage, price)
    assert found == (None if money is None else pytest.approx(money))


def test_nothing_is_exceeded_where_nothing_is_limited() -> None:
    assert asked(Budget(), used(10**12, 10**12, 1e9)) is None
    assert asked(Budget(prices=PRICES), SILENT, thread={"x": SILENT}, day={"x": SILENT}) is None


@pytest.mark.parametrize(
    ("budget", "usage", "says"),
    [
        (Budget(step=Limits(tokens=20_000)), used(20_000, 310), "the step has used 20,310 of 20,000 tokens"),
        (Budget(step=Limits(seconds=30)), used(seconds=31.25), "the step has taken 31.25 of 30 seconds"),
        (
            Budget(step=Limits(money=0.5), prices=PRICES),
            used(0, 500_000),
            "the step has cost 0.8 of 0.5",
        ),
        (Budget(step=Limits(money=0.5), prices=PRICES), used(0, 312_500), "the step has cost 0.5 of 0.5"),
        (Budget(thread=Limits(tokens=10)), used(10), "the thread has used 10 of 10 tokens"),
        (Budget(day=Limits(seconds=10)), used(seconds=10), "today's steps have taken 10 of 10 seconds"),
    ],
)
def test_a_limit_that_is_reached_says_so(budget: Budget, usage: Usage, says: str) -> None:
    assert asked(budget, usage) == says
    assert asked(budget, Usage()) is None


def test_what_the_thread_and_the_day_have_spent_counts_over_all_models() -> None:
    spent = {"mini": used(100_000), "other": used(1_300, 100_020)}
    over = "the thread has used 201,340 of 200,000 tokens"
    assert asked(Budget(thread=Limits(tokens=200_000)), used(20), thread=spent) == over
    assert asked(Budget(day=Limits(money=0.45), prices=PRICES), day=spent) is None
    assert asked(Budget(day=Limits(money=0.44), prices=PRICES), day=spent) == "today's steps have cost 0.4414 of 0.44"
    assert asked(Budget(step=Limits(tokens=200_000)), used(20), thread=spent, day=spent) is None


def test_what_the_ledger_already_has_is_not_counted_twice() -> None:
    budget = Budget(thread=Limits(tokens=100), day=Limits(tokens=100))
    spent = {"mini": used(60)}
    assert asked(budget, used(60), thread=spent, day=spent, written=True) is None
    assert asked(budget, used(60), thread=spent, day=spent) == "the thread has used 120 of 100 tokens"
    assert asked(Budget(step=Limits(tokens=60)), used(60), written=True) == "the step has used 60 of 60 tokens"


@pytest.mark.parametrize("where", ["step", "thread", "day"])
@pytest.mark.parametrize("limits", [Limits(tokens=1_000_000), Limits(money=100)], ids=["tokens", "money"])
@pytest.mark.parametrize(
    "usage", [SILENT, Usage(requests=1, prompt_tokens=5), used(-5, 5), used(5, -5), Usage(prompt_tokens=-5)], ids=str
)
def test_tokens_that_nobody_reported_reach_the_limit(where: str, limits: Limits, usage: Usage) -> None:
    told = asked(Budget(prices=PRICES, **{where: limits}), usage)
    assert told is not None
    assert "unknown part of" in told
    assert "'mini' did not report" in told


def test_unknown_tokens_of_the_past_reach_the_limit_too() -> None:
    spent = {"other": SILENT}
    assert "'other'" in str(asked(Budget(thread=Limits(tokens=5)), thread=spent))
    assert "'other'" in str(asked(Budget(day=Limits(money=5), prices=PRICES), day=spent))
    assert asked(Budget(thread=Limits(tokens=5)), day=spent) is None
    assert asked(Budget(thread=Limits(seconds=5)), thread=spent) is None


def test_a_model_without_a_price_is_over_a_money_limit_before_it_is_asked_anything() -> None:
    budget = Budget(day=Limits(money=5), prices={"mini": Price(prompt=1, completion=1)})
    assert asked(budget) is None
    told = asked(budget, model="maxi")
    assert told == (
        "today's steps have a limit of 5 in money, and the policy has no price for 'maxi': "
        "add it under 'prices', or one for '*'"
    )
    assert "no price for 'maxi'" in str(asked(budget, day={"maxi": used(1)}))


def test_a_price_by_name_comes_before_the_price_of_all_others() -> None:
    budget = Budget(prices=PRICES)
    assert budget.price("mini") == PRICES["mini"]
    assert budget.price("other") == PRICES["*"]
    assert Budget().price("mini") is None


def test_seconds_that_are_no_number_reach_the_limit() -> None:
    assert asked(Budget(step=Limits(seconds=5)), used(seconds=float("nan"))) is not None


_USAGE = st.builds(
    Usage,
    requests=st.integers(0, 3),
    prompt_tokens=st.none() | st.integers(0, 50),
    completion_tokens=st.none() | st.integers(0, 50),
    seconds=st.floats(0, 5),
)


@given(_USAGE, _USAGE, st.integers(1, 200), st.floats(0.001, 10))
def test_spending_more_never_leaves_more(first: Usage, second: Usage, tokens: int, seconds: float) -> None:
    for limits in (Limits(tokens=tokens), Limits(seconds=seconds), Limits(money=tokens / 1e6)):
        budget = Budget(step=limits, prices=PRICES)
        if asked(budget, first) is not None:
            assert asked(budget, first + second) is not None


@given(_USAGE, _USAGE, _USAGE)
def test_usage_adds_up_in_any_grouping_and_nothing_is_neutral(a: Usage, b: Usage, c: Usage) -> None:
    counts = [((a + b) + c), (a + (b + c)), (c + b) + a]
    assert len({(one.requests, one.prompt_tokens, one.completion_tokens) for one in counts}) == 1
    assert a + Usage() == a == Usage() + a


@given(_USAGE, _USAGE)
def test_a_sum_is_known_where_every_part_that_asked_is(a: Usage, b: Usage) -> None:
    unknown = any(one.requests and one.prompt_tokens is None for one in (a, b))
    assert unknown <= ((a + b).prompt_tokens is None)


def test_a_day_begins_at_midnight_utc() -> None:
    east = timezone(timedelta(hours=9))
    assert midnight(datetime(2026, 1, 2, 3, 0, tzinfo=east)) == "2026-01-01T00:00:00+00:00"
    assert midnight(datetime(2026, 1, 1, 23, 59, tzinfo=UTC)) == "2026-01-01T00:00:00+00:00"
