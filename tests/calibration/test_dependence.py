"""Samples that are not plain ones: unequal chances, and calls of one task."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.calibration.dependence import effective_number, intraclass, one_per_task, task_correlation
from guardrail.calibration.thinning import kept, thin, uniform
from guardrail.errors import ConfigError

IDS = [f"call {number}" for number in range(4_000)]


class TestThinning:
    def test_each_call_is_as_likely_to_stay_and_be_judged_as_any_other(self):
        chances = np.where(np.arange(4_000) % 2, 0.8, 0.2)
        stays = kept(IDS, chances, seed=1)
        assert stays[::2].all()
        assert stays[1::2].mean() == pytest.approx(0.25, abs=0.03)

    def test_equal_chances_lose_nothing(self):
        assert kept(IDS, [0.3] * 4_000, seed=0).all()
        assert kept([], [], seed=0).shape == (0,)

    def test_neither_order_nor_company_changes_who_stays(self):
        chances = [1.0 if number % 3 else 0.5 for number in range(4_000)]
        by_id = dict(zip(IDS, kept(IDS, chances, seed=5).tolist(), strict=True))
        places = list(range(4_000))
        random.Random(0).shuffle(places)
        mixed = kept([IDS[place] for place in places], [chances[place] for place in places], seed=5)
        assert [by_id[IDS[place]] for place in places] == mixed.tolist()
        assert kept(IDS[:50], chances[:50], seed=5).tolist() == [by_id[one] for one in IDS[:50]]

    def test_another_seed_is_another_draw(self):
        chances = [1.0] * 3_999 + [0.5]
        assert kept(IDS, chances, seed=0).tolist() != kept(IDS, chances, seed=1).tolist()

    def test_places(self):
        chances = [1.0] * 3_999 + [0.5]
        assert thin(IDS, chances, 0).tolist() == np.flatnonzero(kept(IDS, chances, seed=0)).tolist()

    @pytest.mark.parametrize("chance", [0.0, -0.5, 1.1, math.nan])
    def test_a_chance_that_is_none_is_refused_by_the_name_of_its_call(self, chance):
        with pytest.raises(ConfigError, match="'b'"):
            kept(["a", "b"], [0.5, chance], seed=0)

    def test_one_chance_a_call(self):
        with pytest.raises(ConfigError):
            kept(["a", "b"], [0.5], seed=0)

    def test_the_draw_is_uniform(self):
        found = uniform(IDS, "salt")
        assert (found >= 0).all()
        assert (found < 1).all()
        counts = np.histogram(found, bins=20, range=(0, 1))[0]
        assert ((counts - 200) ** 2 / 200).sum() < 44  # chi squared, 19 degrees of freedom, 0.1 %
        assert not np.intersect1d(found, uniform(IDS, "pepper")).size


class TestCorrelation:
    def test_by_hand(self):
        # tasks of 2: (1, 1), (0, 0), (1, 0): between 0.5, within 1/6, so rho = (1/2 - 1/6) / (1/2 + 1/6)
        assert intraclass([True, True, False, False, True, False], [0, 0, 1, 1, 2, 2]) == pytest.approx(0.5)

    def test_tasks_that_are_all_one_kind(self):
        assert intraclass([True, True, False, False], [0, 0, 1, 1]) == pytest.approx(1)
        assert intraclass([False] * 6, [0, 0, 1, 1, 2, 2]) == 0

    def test_tasks_that_differ_by_less_than_chance(self):
        assert intraclass([True, False, True, False], [0, 0, 1, 1]) == pytest.approx(-1)

    @pytest.mark.parametrize("groups", [[0, 0, 0], [0, 1, 2]])
    def test_where_it_cannot_be_told(self, groups):
        assert math.isnan(intraclass([True, False, True], groups))

    @pytest.mark.parametrize("rho", [0.0, 0.2, 0.45])
    def test_it_finds_what_was_put_in(self, rho):
        rng = np.random.default_rng(3)
        task = rng.integers(4_000, size=16_000)
        errors = np.full(4_000, 0.15)
        if rho:
            errors = rng.beta(0.15 * (1 / rho - 1), 0.85 * (1 / rho - 1), size=4_000)
        wrong = rng.random(16_000) < errors[task]
        assert intraclass(wrong, task) == pytest.approx(rho, abs=0.03)
        assert task_correlation([f"task {number}" for number in task], wrong) == pytest.approx(
            intraclass(wrong, task), abs=1e-12
        )

    def test_one_label_a_task_name(self):
        with pytest.raises(ConfigError):
            intraclass([True], [0, 1])

    def test_what_correlated_labels_are_worth(self):
        assert effective_number([0, 0, 1, 1], 0.0) == 4
        assert effective_number([0, 0, 1, 1], 1.0) == 2
        assert effective_number([0, 0, 1, 1], 0.5) == pytest.approx(4 / 1.5)
        assert effective_number([0, 0, 1, 1], math.nan) == 4
        assert effective_number([0, 0, 1, 1], -0.3) == 4


class TestOnePerTask:
    @given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=40), st.integers(0, 5))
    def test_each_task_has_one_whatever_the_order(self, tasks, seed):
        ids = [f"{task} {number}" for number, task in enumerate(tasks)]
        found = one_per_task(tasks, ids, seed).tolist()
        assert sorted(tasks[place] for place in found) == sorted(set(tasks))
        assert found == sorted(found)
        back = one_per_task(tasks[::-1], ids[::-1], seed)
        assert {ids[::-1][place] for place in back} == {ids[place] for place in found}

    def test_each_call_of_a_task_is_as_likely(self):
        tasks = [number // 4 for number in range(4_000)]
        place = one_per_task(tasks, IDS, 0) % 4
        assert np.bincount(place).tolist() == pytest.approx([250] * 4, abs=55)
