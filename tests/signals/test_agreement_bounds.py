"""Bounds are what the samples that are not there leave possible: no completion lies outside, and some reach them."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.signals.meanings import INVALID, LOOKS, TALKS, completions, measured, paid

EXACT = (
    "agreement",
    "majority_share",
    "majority_margin",
    "semantic_entropy",
    "semantic_entropy_normalized",
    "semantic_entropy_bayesian",
    "argument_entropy",
)
UNBOUNDED = ("semantic_entropy_weighted", "semantic_entropy_chao_shen")

deeds = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 1)) | st.sampled_from([TALKS, LOOKS, INVALID]), min_size=1, max_size=5
)
more = st.integers(0, 2)


def values(name, does, asked):
    found = (measured(name, whole).value for whole in completions(does, asked))
    return [value for value in found if value is not None]


def few_open(does, asked):
    return asked - sum(one != INVALID for one in does) <= 2


@pytest.mark.parametrize("name", EXACT)
@settings(max_examples=60, deadline=None)
@given(deeds, more)
@example([(0, 0), (0, 0), (1, 0)], 2)
@example([(0, 0), (1, 1), INVALID], 1)
@example([INVALID], 1)
def test_every_completion_lies_inside_and_some_reach_both_ends(name, does, rest):
    asked = len(does) + rest
    if not few_open(does, asked):
        return
    signal = measured(name, does, asked)
    if all(one != INVALID for one in does) and not rest:
        assert signal.bounds is None
        return
    if signal.bounds is None:  # nothing calls the tool, or a single sample has no spread
        assert signal.value is None
        return
    found = values(name, does, asked)
    assert signal.bounds == (pytest.approx(min(found), abs=1e-9), pytest.approx(max(found), abs=1e-9))


@settings(max_examples=30, deadline=None)
@given(deeds, more)
def test_the_kernel_s_upper_bound_is_reached_and_its_lower_one_holds(does, rest):
    asked = len(does) + rest
    signal = measured("kernel_entropy", does, asked)
    if signal.bounds is None or not few_open(does, asked):
        return
    found = values("kernel_entropy", does, asked)
    assert signal.bounds[1] == pytest.approx(max(found), abs=1e-9)
    assert signal.bounds[0] <= min(found) + 1e-9


def test_the_kernel_s_lower_bound_is_reached_where_all_mean_the_same():
    assert measured("kernel_entropy", paid(0, 0), 4).bounds == (0.0, pytest.approx(3 * math.log(4) / 4 - math.log(2) / 2 + math.log(4) / 4))  # fmt: skip


@pytest.mark.parametrize("name", [*EXACT, "lexical_entropy", "kernel_entropy"])
@given(deeds, more)
def test_a_number_only_with_all_samples_and_bounds_only_without(name, does, rest):
    signal = measured(name, does, len(does) + rest)
    if rest:
        assert signal.value is None
    if INVALID not in does and not rest:
        assert signal.bounds is None


@given(deeds, more)
def test_lexical_bounds_are_those_of_its_counts(does, rest):
    does = [one for one in does if one not in (TALKS, LOOKS)]
    meant = measured("semantic_entropy", does, len(does) + rest)
    written = measured("lexical_entropy", does, len(does) + rest)
    assert written.bounds == (None if meant.bounds is None else pytest.approx(meant.bounds))


@pytest.mark.parametrize("name", UNBOUNDED)
def test_what_is_not_known_has_no_bounds(name):
    assert measured(name, paid(0, 0, 1), 5).bounds is None
    assert measured(name, [*paid(0, 0, 1), INVALID]).bounds is None


@pytest.mark.parametrize("name", EXACT[:-1])
def test_bounds_are_there_before_anything_is_drawn(name):
    signal = measured(name, [], 4)
    assert signal.value is None
    found = values(name, [], 2)
    assert measured(name, [], 2).bounds == (pytest.approx(min(found)), pytest.approx(max(found)))


@pytest.mark.parametrize("name", EXACT)
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=3, max_size=8))
def test_bounds_only_narrow_as_samples_come(name, does):
    last = None
    for drawn in range(2, len(does) + 1):
        signal = measured(name, does[:drawn], len(does))
        least, most = signal.bounds or (signal.value, signal.value)
        if last is not None:
            assert last[0] - 1e-9 <= least
            assert most <= last[1] + 1e-9
        last = least, most
