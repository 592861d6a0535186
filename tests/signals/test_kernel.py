"""Kernel language entropy: its limits, its laws, and the eigenvalues behind it."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.signals import Registry
from guardrail.signals.spectrum import eigenvalues
from tests.signals.meanings import INVALID, LOOKS, TALKS, evidence, measured, paid

NAME = "kernel_entropy"
deeds = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 2)) | st.sampled_from([TALKS, LOOKS, INVALID]), min_size=2, max_size=10
)


def value(does):
    return measured(NAME, does).value


def entropy(*shares):
    return -math.fsum(share * math.log(share) for share in shares if share > 0)


@pytest.mark.parametrize("n", [2, 8, 20])
def test_the_ends(n):
    assert value(paid(*[0] * n)) == 0
    assert value([TALKS] * n) == 0
    assert value([(k, k) for k in range(n)]) == pytest.approx(math.log(n))


def test_two_meanings_that_share_half():
    """Eigenvalues (1 + w) / 2 and (1 - w) / 2 of two samples whose kernel is w."""
    assert value(paid(0, 1)) == pytest.approx(entropy(0.75, 0.25))
    assert value([(0, 0), (1, 1)]) == pytest.approx(math.log(2))
    assert value([(0, 0), LOOKS]) == pytest.approx(math.log(2))


@pytest.mark.parametrize("n", [3, 10])
def test_all_different_and_all_alike_by_half(n):
    """The kernel (1 - w) I + w J: one eigenvalue (1 + (n - 1) w) / n, the others (1 - w) / n."""
    assert value(paid(*range(n))) == pytest.approx(entropy((n + 1) / 2 / n, *[1 / 2 / n] * (n - 1)))


@given(st.integers(2, 8), st.integers(1, 5))
def test_the_more_is_shared_the_lower(n, arguments):
    """All samples differ in some arguments and agree in the others: monotone between ln n and 0."""
    found = []
    for shared in range(arguments + 1):
        groups = {
            f"a{k}": (tuple(range(n)),) if k < shared else tuple((i,) for i in range(n)) for k in range(arguments)
        }
        given_ = replace(evidence([(k, k) for k in range(n)]), arguments=groups)
        found.append(Registry().measure((NAME,), given_)[0].value)
    assert found[0] == pytest.approx(math.log(n))
    assert found[-1] == pytest.approx(0, abs=1e-9)
    assert all(more > less for more, less in pairwise(found))


@given(deeds)
def test_never_above_the_semantic_entropy(does):
    meant, found = measured("semantic_entropy", does), measured(NAME, does)
    assert found.missing == meant.missing
    if found.value is not None:
        assert -1e-12 <= found.value <= meant.value + 1e-9


@given(st.lists(st.integers(0, 4), min_size=2, max_size=10))
def test_semantic_entropy_where_different_meanings_share_nothing(amounts):
    does = [(amount, amount) for amount in amounts]
    assert value(does) == pytest.approx(measured("semantic_entropy", does).value, abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=2, max_size=8))
def test_never_below_the_mean_of_the_arguments_entropies(does):
    """The von Neumann entropy is concave, and the kernel the mean of those of the arguments."""
    parts = measured("argument_entropy", does).parts
    assert value(does) >= math.fsum(parts.values()) / len(parts) - 1e-9


@given(deeds, st.randoms())
def test_order_does_not_matter(does, random):
    shuffled = list(does)
    random.shuffle(shuffled)
    one, other = value(does), value(shuffled)
    assert (one is None) == (other is None)
    assert one is None or one == pytest.approx(other, abs=1e-9)


@settings(deadline=None)
@given(deeds)
def test_as_the_kernel_over_all_samples(does):
    """The matrix over meanings has the eigenvalues of that over samples."""
    numpy = pytest.importorskip("numpy")
    kept = [one for one in does if one != INVALID]
    if len(kept) < 2:
        return

    def likeness(a, b):
        if a == b:
            return 1.0
        both = isinstance(a, tuple) and isinstance(b, tuple)
        return sum(x == y for x, y in zip(a, b, strict=True)) / 2 if both else 0.0

    spectrum = numpy.linalg.eigvalsh([[likeness(a, b) / len(kept) for b in kept] for a in kept])
    assert spectrum[0] > -1e-12
    assert value(does) == pytest.approx(entropy(*spectrum), abs=1e-9)


def test_one_sample_with_many_arguments_makes_the_others_no_more_alike():
    three = evidence(paid(0, 1, 2))
    with_fourth = evidence([*paid(0, 1, 2), (3, 7)])
    wide = replace(with_fourth, arguments={**with_fourth.arguments, **{f"more{place}": ((3,),) for place in range(50)}})
    (alone,), (beside,) = (Registry().measure((NAME,), one) for one in (three, wide))
    apart = entropy(0.25, 0.75) + 0.75 * alone.value
    assert beside.value == pytest.approx(apart)


def test_calls_that_give_more_and_fewer_arguments():
    """Alike in one of the one and three that they give: 2 / 4."""
    uneven = replace(evidence(paid(0, 1)), arguments={"to": ((0, 1),), "memo": ((1,),), "amount": ((1,),)})
    assert Registry().measure((NAME,), uneven)[0].value == pytest.approx(entropy(0.75, 0.25))


def test_samples_of_one_meaning_are_one_whatever_their_arguments():
    """A judge may hold two calls equal and two of their arguments not."""
    odd = replace(evidence(paid(0, 0)), arguments={"amount": ((0,), (1,))})
    assert Registry().measure((NAME,), odd)[0].value == 0


def matrices(n):
    return st.lists(st.lists(st.floats(-10, 10), min_size=n, max_size=n), min_size=n, max_size=n)


@settings(deadline=None)
@given(st.integers(0, 7).flatmap(matrices))
def test_eigenvalues_as_numpy(rows):
    numpy = pytest.importorskip("numpy")
    symmetric = [[(rows[i][j] + rows[j][i]) / 2 for j in range(len(rows))] for i in range(len(rows))]
    expected = numpy.linalg.eigvalsh(symmetric).tolist() if rows else []
    assert eigenvalues(symmetric) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ([], []),
        ([[3.0]], [3]),
        ([[0.0, 0.0], [0.0, 0.0]], [0, 0]),
        ([[2.0, 1.0], [1.0, 2.0]], [1, 3]),
        ([[1.0] * 4] * 4, [0, 0, 0, 4]),
        ([[2.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 5.0]], [-1, 2, 5]),
        ([[2.0, -1.0, 0.0], [-1.0, 2.0, -1.0], [0.0, -1.0, 2.0]], [2 - math.sqrt(2), 2, 2 + math.sqrt(2)]),
    ],
)
def test_known_eigenvalues(matrix, expected):
    assert eigenvalues(matrix) == pytest.approx(expected, abs=1e-13)


def test_a_hundred_meanings():
    n = 100
    found = eigenvalues([[(1.0 if i == j else 0.5) / n for j in range(n)] for i in range(n)])
    assert found[:-1] == pytest.approx([0.5 / n] * (n - 1))
    assert found[-1] == pytest.approx((n + 1) / 2 / n)
