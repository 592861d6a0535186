"""Agreement, its credible interval, and the majority's share and margin, on cases worked by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.signals import Evidence, Registry
from guardrail.signals.agreement import credible_share
from guardrail.signals.special import beta_quantile, regularised_beta
from guardrail.types import SampleStatus
from tests.signals.meanings import INVALID, LOOKS, TALKS, evidence, measured, paid

COUNTS = st.integers(0, 60)


class TestCredible:
    @pytest.mark.parametrize(
        ("successes", "trials", "interval"),
        [  # quantiles of Beta(k + 1/2, n - k + 1/2), by scipy
            (0, 1, (0.0003855809807559011, 0.8532536836904248)),
            (8, 8, (0.7377827512828142, 0.9999405096971056)),
            (4, 5, (0.3713735993680057, 0.9774872340008449)),
            (5, 10, (0.22352867025270517, 0.7764713297472947)),
            (0, 50, (9.771663301804052e-06, 0.048758459444071374)),
        ],
    )
    def test_known_values(self, successes, trials, interval):
        assert credible_share(successes, trials) == pytest.approx(interval, rel=1e-9)

    def test_arcsine_and_uniform_in_closed_form(self):
        for x in (1e-6, 0.1, 0.5, 0.9, 0.999):
            assert regularised_beta(x, 0.5, 0.5) == pytest.approx(2 / math.pi * math.asin(math.sqrt(x)), rel=1e-12)
            assert regularised_beta(x, 1, 1) == pytest.approx(x, rel=1e-12)
            assert regularised_beta(x, 3, 1) == pytest.approx(x**3, rel=1e-12)

    @settings(deadline=None)
    @given(st.floats(0, 1), st.floats(0.5, 200), st.floats(0.5, 200))
    def test_as_scipy(self, x, a, b):
        special = pytest.importorskip("scipy.special")
        assert regularised_beta(x, a, b) == pytest.approx(special.betainc(a, b, x), abs=1e-11)

    @given(st.floats(1e-4, 1 - 1e-4), st.floats(0.5, 100), st.floats(0.5, 100))
    def test_the_quantile_turns_the_function_round(self, p, a, b):
        assert regularised_beta(beta_quantile(p, a, b), a, b) == pytest.approx(p, abs=1e-9)

    @given(COUNTS, COUNTS)
    def test_mirrored_and_monotone(self, successes, failures):
        low, high = credible_share(successes, successes + failures)
        assert 0 <= low < high <= 1
        mirrored = credible_share(failures, successes + failures)
        assert (1 - high, 1 - low) == (pytest.approx(mirrored[0], abs=1e-12), pytest.approx(mirrored[1], abs=1e-12))
        more = credible_share(successes + 1, successes + failures + 1)
        assert more[0] > low
        assert more[1] > high

    def test_more_samples_narrow_it_around_the_share(self):
        for trials in (10, 100, 1_000, 10_000):
            low, high = credible_share(trials * 3 // 10, trials)
            assert low < 0.3 < high
            assert high - low < 2 / math.sqrt(trials)

    @pytest.mark.parametrize("counts", [(2, 1), (-1, 3)])
    def test_no_share(self, counts):
        with pytest.raises(ValueError, match="is no share"):
            credible_share(*counts)

    @pytest.mark.parametrize(
        ("function", "at"), [(regularised_beta, 1.5), (beta_quantile, -0.1), (beta_quantile, math.nan)]
    )
    def test_outside(self, function, at):
        with pytest.raises(ValueError, match="no"):
            function(at, 1, 1)
        with pytest.raises(ValueError, match="no"):
            function(0.5, 0, 1)

    def test_it_is_of_the_valid_samples(self):
        signal = measured("agreement", [*paid(0, 0, 0, 1), INVALID])
        assert (signal.value, signal.bounds) == (0.6, (0.6, 0.8))
        assert signal.credible == credible_share(3, 4)

    def test_it_holds_where_drawing_stopped_early(self):
        signal = measured("agreement", paid(0, 0), 5)
        assert (signal.value, signal.bounds, signal.credible) == (None, (0.4, 1.0), credible_share(2, 2))
        assert signal.missing == "2 of 5 samples were drawn: between 0.40 and 1.00"


def test_samples_that_nobody_compared_neither_agree_nor_disagree():
    (signal,) = Registry().measure(
        ("agreement",), Evidence(planned=evidence([]).planned, index=0, samples=evidence(paid(0, 0)).samples, asked=2)
    )
    assert (signal.value, signal.missing, signal.bounds) == (None, "the samples could not be compared", None)


@pytest.mark.parametrize(
    ("does", "share", "margin"),
    [
        (paid(0, 0, 0, 0), 1.0, 1.0),
        (paid(1, 1, 1, 1), 1.0, -1.0),
        (paid(0, 0, 1, 2), 0.5, 0.25),
        (paid(0, 1, 1, 1), 0.75, -0.5),
        (paid(0, 0, 1, 1), 0.5, 0.0),
        ([*paid(0), TALKS, TALKS, LOOKS], 0.5, -0.25),
        ([*paid(0, 0), INVALID, INVALID], 0.5, 0.5),
    ],
)
def test_the_majority(does, share, margin):
    assert measured("majority_share", does).value == share
    assert measured("majority_margin", does).value == margin


def test_an_invalid_sample_in_a_meaning_does_not_count():
    does = paid(1, 0, 0)
    given_ = evidence(does)
    samples = (replace(given_.samples[0], status=SampleStatus.NOT_INDEPENDENT), *given_.samples[1:])
    share, margin = Registry().measure(("majority_share", "majority_margin"), replace(given_, samples=samples))
    assert share.value == margin.value == pytest.approx(2 / 3)


def test_the_majority_of_nothing():
    for name in ("majority_share", "majority_margin"):
        assert measured(name, []).missing == "no samples were asked for"
        signal = measured(name, [INVALID, INVALID])
        assert signal.missing == "none of the 2 samples drawn is valid"
        assert signal.bounds == ((0.5, 1.0) if name == "majority_share" else (-1.0, 1.0))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)) | st.sampled_from([TALKS, INVALID]), max_size=8))
def test_how_they_hang_together(does):
    agreement, share, margin = (measured(name, does) for name in ("agreement", "majority_share", "majority_margin"))
    if share.value is not None:
        assert agreement.value <= share.value
        assert -share.value <= margin.value <= agreement.value
        assert (margin.value >= 0) == (agreement.value == share.value)
