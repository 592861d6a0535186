"""Semantic entropy corrected for what was not seen: its laws, known values and limits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.signals import discrete_entropy
from guardrail.signals.bayesian import posterior_entropy
from guardrail.signals.chao_shen import chao_shen_entropy
from guardrail.signals.special import digamma, trigamma
from tests.signals.meanings import INVALID, measured, paid

SIZES = st.lists(st.integers(1, 20), min_size=1, max_size=8)
EULER = 0.5772156649015329


@settings(deadline=None)
@given(st.floats(1e-3, 1e4))
def test_digamma_and_trigamma(x):
    assert digamma(x + 1) == pytest.approx(digamma(x) + 1 / x, rel=1e-10, abs=1e-10)
    assert trigamma(x + 1) == pytest.approx(trigamma(x) - 1 / (x * x), rel=1e-9, abs=1e-9)
    special = pytest.importorskip("scipy.special")
    assert digamma(x) == pytest.approx(special.digamma(x), rel=1e-11, abs=1e-11)
    assert trigamma(x) == pytest.approx(special.polygamma(1, x), rel=1e-11)


def test_digamma_and_trigamma_by_their_constants():
    assert digamma(1) == pytest.approx(-EULER, abs=1e-13)
    assert digamma(0.5) == pytest.approx(-EULER - 2 * math.log(2), abs=1e-13)
    assert trigamma(1) == pytest.approx(math.pi**2 / 6, abs=1e-13)
    assert trigamma(0.5) == pytest.approx(math.pi**2 / 2, abs=1e-12)


class TestPosterior:
    def test_by_hand(self):
        assert posterior_entropy([])[0] == pytest.approx(1)  # digamma(2) - digamma(1)
        # one meaning of two samples: digamma(4) - (2 digamma(3) + digamma(1)) / 3, with digamma(n+1) = H_n - EULER
        assert posterior_entropy([2])[0] == pytest.approx((1 + 1 / 2 + 1 / 3) - 2 / 3 * 1.5)
        assert posterior_entropy([1, 1])[0] == pytest.approx((1 + 1 / 2 + 1 / 3) - 2 / 3)

    @pytest.mark.parametrize("counts", [[], [1], [5], [4, 1], [3, 2, 2, 1], [1] * 6])
    def test_the_limit_of_finite_dirichlet_priors(self, counts):
        """Wolpert and Wolf 1995 for ever more meanings that weigh one sample together."""
        gaps = []
        for meanings in (100, 1_000, 10_000):
            weights = [count + 1 / meanings for count in [*counts, *[0] * (meanings - len(counts))]]
            mean, variance = finite(weights)
            found, deviation = posterior_entropy(counts)
            gaps.append((abs(mean - found), abs(math.sqrt(variance) - deviation)))
        assert gaps[0] > gaps[1] > gaps[2]
        assert max(gaps[2]) < 2e-3

    @given(SIZES, st.randoms())
    def test_order_does_not_matter(self, sizes, random):
        shuffled = list(sizes)
        random.shuffle(shuffled)
        assert posterior_entropy(shuffled) == pytest.approx(posterior_entropy(sizes))

    @given(SIZES)
    def test_never_negative_and_never_sure(self, sizes):
        mean, deviation = posterior_entropy(sizes)
        assert mean > 0
        assert deviation > 0

    @given(SIZES)
    def test_merging_two_meanings_lowers_it(self, sizes):
        if len(sizes) > 1:
            assert posterior_entropy([sum(sizes[:2]), *sizes[2:]])[0] < posterior_entropy(sizes)[0]

    @pytest.mark.parametrize("shares", [[1], [1, 1], [5, 3, 2], [97, 1, 1, 1]])
    def test_consistent_as_samples_grow(self, shares):
        errors = []
        for factor in (1, 10, 100, 1_000, 10_000):
            counts = [share * factor for share in shares]
            mean, deviation = posterior_entropy(counts)
            errors.append(abs(mean - discrete_entropy(counts)))
        assert errors == sorted(errors, reverse=True)
        assert errors[-1] < 1e-2
        assert deviation < 1e-2

    def test_agreement_counts_for_more_the_more_there_is_of_it(self):
        found = [posterior_entropy([n])[0] for n in (1, 2, 3, 5, 8, 20)]
        assert found == sorted(found, reverse=True)

    def test_the_posterior_lies_in_the_interval(self):
        """By stick-breaking: at least 95 % of the posterior, less Monte Carlo error, whatever the counts."""
        numpy = pytest.importorskip("numpy")
        random = numpy.random.default_rng(0)
        for counts in ([2], [8], [50], [4, 1], [7, 1], [5, 3], [1] * 5, [3, 2, 2, 1]):
            entropies = drawn(counts, 8_000, random)
            mean, deviation = posterior_entropy(counts)
            assert entropies.mean() == pytest.approx(mean, abs=4 * deviation / math.sqrt(8_000))
            assert entropies.std() == pytest.approx(deviation, rel=0.03)
            low, high = measured("semantic_entropy_bayesian", paid(*(k for k, n in enumerate(counts) for _ in range(n)))).credible  # fmt: skip
            assert 0.94 <= ((entropies >= low) & (entropies <= high)).mean() <= 0.985

    def test_the_interval_ends_at_nought(self):
        assert measured("semantic_entropy_bayesian", paid(*[0] * 8)).credible[0] == 0

    @pytest.mark.parametrize(("counts", "concentration"), [([-1], 1.0), ([1], 0.0), ([1], math.nan)])
    def test_no_posterior(self, counts, concentration):
        with pytest.raises(ValueError, match="no posterior"):
            posterior_entropy(counts, concentration)


def finite(weights):
    """Mean and variance of the entropy under a Dirichlet with these weights (Wolpert and Wolf 1995, theorem 7)."""
    numpy = pytest.importorskip("numpy")
    special = pytest.importorskip("scipy.special")
    a = numpy.array(weights)
    total = a.sum()
    mean = special.digamma(total + 1) - (a * special.digamma(a + 1)).sum() / total
    apart = special.digamma(a + 1) - special.digamma(total + 2)
    spread = special.polygamma(1, total + 2)
    pairs = numpy.outer(a, a)
    products = numpy.outer(apart, apart) - spread if len(a) <= 100 else None
    if products is None:  # as sums, since the matrix would not fit
        different = (a * apart).sum() ** 2 - spread * total**2 - (a**2 * (apart**2 - spread)).sum()
    else:
        different = (pairs * products).sum() - numpy.trace(pairs * products)
    squares = (a * (a + 1) * ((special.digamma(a + 2) - special.digamma(total + 2)) ** 2 + special.polygamma(1, a + 2) - spread)).sum()  # fmt: skip
    return mean, (different + squares) / (total * (total + 1)) - mean**2


def drawn(counts, size, random):
    """Entropies of distributions drawn from the posterior; the unseen meanings' shares by stick-breaking."""
    numpy = pytest.importorskip("numpy")
    seen = random.dirichlet([*counts, 1.0], size=size)
    left, parts = seen[:, -1].copy(), [seen[:, :-1]]
    for _ in range(80):
        broken = left * random.beta(1, 1, size=size)
        left = left - broken
        parts.append(broken[:, None])
    shares = numpy.concatenate(parts, axis=1)
    return -(shares * numpy.log(numpy.maximum(shares, 1e-300))).sum(axis=1)


class TestChaoShen:
    @pytest.mark.parametrize(
        ("counts", "nats"),
        [
            ([2, 2], 2 * 0.5 * math.log(2) / (1 - 0.5**4)),
            ([4], 0.0),
            # one meaning seen once: C = 3/4, shares 9/16 and 3/16
            ([3, 1], -(9 / 16 * math.log(9 / 16) / (1 - (7 / 16) ** 4) + 3 / 16 * math.log(3 / 16) / (1 - (13 / 16) ** 4))),
            # all seen once: C is 1/n and not 0
            ([1, 1], -2 * 0.25 * math.log(0.25) / (1 - 0.75**2)),
            ([2, 0, 2], 2 * 0.5 * math.log(2) / (1 - 0.5**4)),
        ],
    )  # fmt: skip
    def test_by_hand(self, counts, nats):
        assert chao_shen_entropy(counts) == pytest.approx(nats, abs=1e-12)

    @given(SIZES, st.randoms())
    def test_laws(self, sizes, random):
        shuffled = list(sizes)
        random.shuffle(shuffled)
        found = chao_shen_entropy(sizes)
        assert found == pytest.approx(chao_shen_entropy(shuffled))
        assert found >= discrete_entropy(sizes) - 1e-12 if 1 not in sizes else found >= 0

    @pytest.mark.parametrize("shares", [[1], [1, 1], [5, 3, 2]])
    def test_consistent_as_samples_grow(self, shares):
        counts = [share * 1_000 for share in shares]
        assert chao_shen_entropy(counts) == pytest.approx(discrete_entropy(counts), abs=1e-6)

    def test_nearer_to_the_truth_than_the_plug_in(self):
        """Ten samples of fifty equally likely meanings: the mean of each estimate over 2,000 drawings."""
        numpy = pytest.importorskip("numpy")
        random = numpy.random.default_rng(0)
        plug_in, corrected = [], []
        for _ in range(2_000):
            counts = numpy.bincount(random.integers(0, 50, size=10)).tolist()
            plug_in.append(discrete_entropy(counts))
            corrected.append(chao_shen_entropy(counts))
        truth = math.log(50)
        assert abs(numpy.mean(corrected) - truth) < abs(numpy.mean(plug_in) - truth) / 2

    @pytest.mark.parametrize("counts", [[], [0], [-1, 3]])
    def test_no_samples_is_no_entropy(self, counts):
        with pytest.raises(ValueError, match="needs samples"):
            chao_shen_entropy(counts)


@pytest.mark.parametrize("name", ["semantic_entropy_bayesian", "semantic_entropy_chao_shen"])
def test_as_signals(name):
    estimate = {"semantic_entropy_bayesian": lambda counts: posterior_entropy(counts)[0], "semantic_entropy_chao_shen": chao_shen_entropy}[name]  # fmt: skip
    assert measured(name, [*paid(0, 0, 1), INVALID]).value == pytest.approx(estimate([2, 1]))
    assert measured(name, paid(0, 0, 1), 5).missing.startswith("3 of 5 samples were drawn")
    assert measured(name, [*paid(0), INVALID]).missing == "1 of the 2 samples drawn is valid"
