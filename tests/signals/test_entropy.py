"""Entropy: its laws, and cases worked by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.signals import discrete_entropy, entropy_bounds, lexical_entropy, weighted_entropy
from guardrail.types import Sample, SampleStatus, ToolCall

SIZES = st.lists(st.integers(1, 20), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("counts", "nats"),
    [
        ([5, 5], math.log(2)),
        ([10], 0.0),
        ([1] * 8, math.log(8)),
        ([7, 3], 0.6108643020548935),
        ([4, 1], 0.5004024235381879),
        ([2, 0, 2], math.log(2)),
    ],
)
def test_cases_worked_by_hand(counts: list[int], nats: float) -> None:
    assert discrete_entropy(counts) == pytest.approx(nats, abs=1e-12)


@given(SIZES, st.randoms())
def test_order_does_not_matter(sizes: list[int], random: object) -> None:
    shuffled = list(sizes)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert discrete_entropy(shuffled) == discrete_entropy(sizes)


@given(SIZES)
def test_zero_exactly_for_one_meaning_and_at_most_ln_n(sizes: list[int]) -> None:
    found = discrete_entropy(sizes)
    assert (found == 0) == (len(sizes) == 1)
    assert math.copysign(1, found) == 1
    assert found <= math.log(sum(sizes)) + 1e-12
    assert found <= math.log(len(sizes)) + 1e-12


@given(SIZES, st.integers(2, 5))
def test_only_shares_matter(sizes: list[int], factor: int) -> None:
    assert discrete_entropy([size * factor for size in sizes]) == pytest.approx(discrete_entropy(sizes))


@given(SIZES, SIZES)
def test_grouping(a: list[int], b: list[int]) -> None:
    """The entropy of a split is that of the halves plus what is inside them (Shannon's third axiom)."""
    total = sum(a) + sum(b)
    inside = sum(a) / total * discrete_entropy(a) + sum(b) / total * discrete_entropy(b)
    assert discrete_entropy(a + b) == pytest.approx(discrete_entropy([sum(a), sum(b)]) + inside)


@given(SIZES)
def test_merging_two_meanings_never_raises_it(sizes: list[int]) -> None:
    merged = [sum(sizes[:2]), *sizes[2:]]
    assert discrete_entropy(merged) <= discrete_entropy(sizes) + 1e-12


@pytest.mark.parametrize("counts", [[], [0], [0, 0], [3, -1]])
def test_no_samples_is_no_entropy(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="needs samples"):
        discrete_entropy(counts)


@given(SIZES, st.lists(st.integers(0, 9), max_size=6))
def test_bounds_hold_whatever_is_drawn_next(sizes: list[int], rest: list[int]) -> None:
    least, most = entropy_bounds(sizes, len(rest))
    after = [*sizes, *[0] * 10]
    for joined in rest:
        after[joined] += 1
    assert least - 1e-12 <= discrete_entropy(after) <= most + 1e-12


LOGPROBS = st.floats(-50, 0)
CLUSTERS = st.lists(st.lists(LOGPROBS, min_size=1, max_size=4), min_size=1, max_size=5)


def members(clusters: list[list[float]]) -> list[list[tuple[object, float]]]:
    return [[((k, i), logprob) for i, logprob in enumerate(cluster)] for k, cluster in enumerate(clusters)]


@given(SIZES, LOGPROBS)
def test_weighted_equals_discrete_where_all_are_equally_likely(sizes: list[int], logprob: float) -> None:
    clusters = members([[logprob] * size for size in sizes])
    assert weighted_entropy(clusters) == pytest.approx(discrete_entropy(sizes), abs=1e-9)


@given(CLUSTERS, st.floats(-500, 500))
def test_only_differences_of_log_probability_matter(clusters: list[list[float]], shift: float) -> None:
    moved = [[value + shift for value in cluster] for cluster in clusters]
    assert weighted_entropy(members(moved)) == pytest.approx(weighted_entropy(members(clusters)), abs=1e-6)


@given(CLUSTERS)
def test_weighted_laws(clusters: list[list[float]]) -> None:
    found = weighted_entropy(members(clusters))
    assert weighted_entropy(list(reversed(members(clusters)))) == pytest.approx(found, abs=1e-12)
    assert 0 <= found <= math.log(len(clusters)) + 1e-9


@given(CLUSTERS)
def test_a_generation_drawn_twice_counts_once(clusters: list[list[float]]) -> None:
    once = members(clusters)
    twice = [[*cluster, cluster[0], cluster[0]] for cluster in once]
    assert weighted_entropy(twice) == pytest.approx(weighted_entropy(once))


def test_weighted_by_hand() -> None:
    clusters = [[("a", math.log(0.5)), ("b", math.log(0.25))], [("c", math.log(0.25))]]
    assert weighted_entropy(clusters) == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))


def test_unlikely_generations_do_not_underflow() -> None:
    assert weighted_entropy([[("a", -5000.0)], [("b", -5000.0)]]) == pytest.approx(math.log(2))


@pytest.mark.parametrize("clusters", [[], [[]], [[("a", math.nan)]], [[("a", -math.inf)]]])
def test_weighted_without_evidence(clusters: list[list[tuple[object, float]]]) -> None:
    with pytest.raises(ValueError, match=r"needs samples|no evidence"):
        weighted_entropy(clusters)


def sample(text: str = "", status: SampleStatus = SampleStatus.OK, **arguments: object) -> Sample:
    calls = () if text else (ToolCall(name="pay", arguments=arguments, id=repr(arguments)),)
    return Sample(calls=calls, text=text, status=status)


def test_lexical_entropy_is_over_exact_calls() -> None:
    assert lexical_entropy([sample(a=1, b=2), sample(b=2, a=1)]) == 0
    assert lexical_entropy([sample(a=1), sample(a=1.0)]) == pytest.approx(math.log(2))
    assert lexical_entropy([sample(a=1), sample(a=True)]) == pytest.approx(math.log(2))
    assert lexical_entropy([sample(a={"x": [1, {"y": 2, "z": 3}]}), sample(a={"x": [1, {"z": 3, "y": 2}]})]) == 0
    assert lexical_entropy([sample(a="it's"), sample(a='it"s')]) == pytest.approx(math.log(2))
    assert lexical_entropy([sample(a=math.nan), sample(a=math.nan)]) == 0
    assert lexical_entropy([sample("Which one?"), sample(a=1)]) == pytest.approx(math.log(2))


def test_lexical_entropy_passes_over_invalid_samples() -> None:
    assert lexical_entropy([sample(a=1), sample(a=2, status=SampleStatus.TRUNCATED)]) == 0
    with pytest.raises(ValueError, match="needs samples"):
        lexical_entropy([sample(status=SampleStatus.EMPTY)])
