from __future__ import annotations

import math
import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.sampling.stopping import beta_binomial, forecast, posterior_mean


@given(n=st.integers(0, 40), a=st.floats(0.05, 30), b=st.floats(0.05, 30))
def test_a_beta_binomial_is_a_distribution_with_its_mean(n: int, a: float, b: float) -> None:
    shares = beta_binomial(n, a, b)
    assert math.fsum(shares) == pytest.approx(1)
    assert math.fsum(k * share for k, share in enumerate(shares)) == pytest.approx(n * a / (a + b))


def test_a_uniform_prior_makes_every_count_equally_likely() -> None:
    assert beta_binomial(8, 1, 1) == pytest.approx([1 / 9] * 9)


@given(
    agreeing=st.integers(0, 5),
    disagreeing=st.integers(0, 5),
    remaining=st.integers(0, 6),
    invalid=st.integers(0, 2),
    share=st.floats(0.1, 1),
)
def test_a_forecast_agrees_with_polyas_urn(
    agreeing: int, disagreeing: int, remaining: int, invalid: int, share: float
) -> None:
    asked = max(1, agreeing + disagreeing + remaining + invalid)
    needed = max(1, math.ceil(share * asked - 1e-9))
    a, b = 0.7, 1.3
    reached = missed = 0.0
    for rest in product((True, False), repeat=remaining):
        p, yes, no = 1.0, agreeing, disagreeing
        for one in rest:
            p *= (a + yes if one else b + no) / (a + b + yes + no)
            yes, no = yes + one, no + (not one)
        reached += p * (yes >= needed)
        missed += p * (no > asked - needed)
    found = forecast(
        agreeing=agreeing, disagreeing=disagreeing, remaining=remaining, needed=needed, asked=asked, prior=(a, b)
    )
    assert (found.reached, found.missed) == pytest.approx((reached, missed))
    assert found.left == pytest.approx(1 - reached - missed, abs=1e-9)


def test_what_is_certain_has_probability_one() -> None:
    sure = forecast(agreeing=4, disagreeing=0, remaining=1, needed=4, asked=5)
    lost = forecast(agreeing=0, disagreeing=2, remaining=3, needed=4, asked=5)
    stuck = forecast(agreeing=7, disagreeing=0, remaining=0, needed=8, asked=8)
    assert (sure.reached, lost.missed, stuck.left) == pytest.approx((1, 1, 1))


@pytest.mark.parametrize("error", [0.02, 0.1, 0.3])
def test_stopped_calls_would_rarely_have_gone_another_way(error: float) -> None:
    """Over the prior, at most a share ``error`` of the calls that stop early; 4 standard errors are allowed."""
    rng = random.Random(0)
    stopped = wrong = 0
    for _ in range(4000):
        p = rng.betavariate(0.9, 0.2)
        answers = [rng.random() < p for _ in range(8)]
        for m in range(1, 8):
            yes = sum(answers[:m])
            found = forecast(agreeing=yes, disagreeing=m - yes, remaining=8 - m, needed=7, asked=8, prior=(0.9, 0.2))
            if max(found.reached, found.missed) >= 1 - error:
                stopped += 1
                wrong += (found.reached > found.missed) != (sum(answers) >= 7)
                break
    assert stopped > 1000
    assert wrong / stopped <= error + 4 * math.sqrt(error * (1 - error) / stopped)


def test_the_posterior_mean() -> None:
    assert posterior_mean(3, 1) == pytest.approx(4 / 6)


@pytest.mark.parametrize(
    "counts",
    [{"agreeing": -1}, {"disagreeing": 9}, {"remaining": 9}, {"prior": (0.0, 1.0)}, {"prior": (1.0, math.nan)}],
)
def test_impossible_counts_are_refused(counts: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"not some of|is none"):
        forecast(**{"agreeing": 0, "disagreeing": 0, "remaining": 8, "needed": 8, "asked": 8, **counts})
