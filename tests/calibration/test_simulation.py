"""What a simulation says beforehand, where the truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.calibration import auroc
from guardrail.calibration.simulation import Forecast, Pool, assumed_pool, days_for, forecasts, staff
from guardrail.errors import ConfigError

TEN = Pool(name="ten", risk=[k / 10 for k in range(10)], wrong=[k in (3, 7, 8, 9) for k in range(10)])


@pytest.mark.parametrize(
    ("below", "share", "error"), [(None, 0, None), (0.0, 0, None), (0.3, 0.3, 0), (0.35, 0.4, 0.25), (2.0, 1, 0.4)]
)
def test_a_pool_knows_what_runs_below_a_threshold(below: float | None, share: float, error: float | None) -> None:
    assert TEN.outcome(below) == (share, error)


def test_what_could_run_at_most() -> None:
    assert [TEN.oracle(alpha) for alpha in (0.01, 0.15, 0.25, 0.4)] == [0.3, 0.7, 0.8, 1.0]
    tied = Pool(name="tied", risk=[0.1, 0.1, 0.5, 0.5], wrong=[False, True, False, False])
    assert [tied.oracle(alpha) for alpha in (0.2, 0.25, 0.5)] == [0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "given_",
    [
        {"risk": [], "wrong": []},
        {"risk": [0.1], "wrong": [True, False]},
        {"risk": [1.5], "wrong": [True]},
        {"risk": [float("nan")], "wrong": [True]},
        {"risk": [0.5], "wrong": [1]},
    ],
    ids=str,
)
def test_a_pool_of_anything_else_is_refused(given_: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="p:"):
        Pool(name="p", **given_)


def test_an_assumed_pool_is_as_assumed() -> None:
    pool = assumed_pool(error=0.2, auroc=0.8, samples=None, seed=1)
    assert pool.base == pytest.approx(0.2, abs=0.01)
    assert auroc(1 - pool.risk, ~pool.wrong) == pytest.approx(0.8, abs=0.01)
    few, many = (assumed_pool(error=0.2, auroc=0.8, samples=n, seed=1) for n in (3, 50))
    assert len(np.unique(few.risk)) == 4
    assert auroc(1 - few.risk, ~few.wrong) < auroc(1 - many.risk, ~many.wrong) < 0.81
    # nine of ten samples agree with a right plan
    assert float((1 - many.risk)[~many.wrong].mean()) == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize(
    "given_",
    [{"error": 0.0}, {"error": 1.0}, {"auroc": 0.4}, {"auroc": 1.0}, {"samples": 0}, {"samples": 101}],
    ids=str,
)
def test_assumptions_that_cannot_be_are_refused(given_: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        assumed_pool(**{"error": 0.1, "auroc": 0.8, "samples": 5, **given_})


def _forecasts(**more: Any) -> list[Forecast]:
    pool = assumed_pool(error=0.15, auroc=0.85, samples=None, calls=20_000)
    given_: dict[str, Any] = {"labels": (50, 400), "alphas": (0.2, 0.05), "trials": 120, "seed": 3}
    return list(forecasts([pool], **{**given_, **more}))


def test_a_forecast_keeps_the_promise_and_grows_with_labels() -> None:
    found = _forecasts()
    assert [(one.labels, one.alpha) for one in found] == [(50, 0.2), (50, 0.05), (400, 0.2), (400, 0.05)]
    few, many = found[0], found[2]
    assert 0 < few.certified < many.certified == 1
    assert few.coverage < many.coverage <= many.oracle + 0.05
    assert few.low <= few.coverage <= few.high
    # 59 labels are the fewest that show 5 %
    assert (found[1].certified, found[1].coverage, found[1].error) == (0, 0, None)
    for one in found:
        assert one.broken <= 0.05 + 3 * (0.05 * 0.95 / one.trials) ** 0.5
        assert one.error is None or one.error < one.alpha


def test_the_same_seed_gives_the_same_forecast() -> None:
    assert _forecasts() == _forecasts()
    assert _forecasts(seed=4) != _forecasts()


def test_a_score_that_tells_nothing_lets_nothing_run() -> None:
    pool = assumed_pool(error=0.3, auroc=0.5, samples=5, calls=5_000)
    (one,) = forecasts([pool], labels=(300,), alphas=(0.1,), trials=60)
    assert (one.certified, one.oracle) == (0, 0)


def test_wrong_questions_are_refused() -> None:
    for more in ({"trials": 0}, {"labels": (0,)}, {"alphas": (0.0,)}, {"alphas": (1.5,)}):
        with pytest.raises(ConfigError):
            _forecasts(**more)


def test_reviewers_by_hand() -> None:
    # 100 reviews of 6 minutes are 10 hours; at four fifths of 5 hours that takes three people
    found = staff(calls_a_day=200, coverage=0.5, audit=0.0, minutes=6, hours=5)
    assert (found.reviews, found.hours, found.reviewers) == (100, 10, 3)
    # M/M/3 with a load of 2: a caller waits with probability 4/9, and 6 minutes / (3 - 2) then
    assert found.wait == pytest.approx(4 / 9 * 6)
    # audits are work, and wait for nobody
    audited = staff(calls_a_day=200, coverage=0.5, audit=0.5, minutes=6, hours=5)
    assert (audited.reviews, audited.hours, audited.reviewers) == (150, 15, 4)
    assert audited.wait < found.wait
    assert staff(calls_a_day=0, coverage=0, audit=0, minutes=6, hours=5).reviewers == 0
    with pytest.raises(ConfigError):
        staff(calls_a_day=1, coverage=1.5, audit=0, minutes=6, hours=5)


@given(
    st.floats(0, 1e4),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0.1, 120),
    st.floats(0.5, 24),
)
def test_reviewers_have_time_for_what_comes(
    calls: float, coverage: float, audit: float, minutes: float, hours: float
) -> None:
    found = staff(calls_a_day=calls, coverage=coverage, audit=audit, minutes=minutes, hours=hours)
    assert found.hours <= found.reviewers * hours * 0.8 * (1 + 1e-9)
    assert 0 <= found.wait < float("inf")


def test_days_until_there_are_labels() -> None:
    assert days_for(300, calls_a_day=100, audit=0.1) == (3, 30)
    assert days_for(300, calls_a_day=0, audit=0.1) == (float("inf"), float("inf"))
    assert days_for(300, calls_a_day=100, audit=0)[1] == float("inf")
