"""Fitting: what it recovers, that nobody scores themselves, what is refused, and the same file every time."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from guardrail.calibration import Row, Setting, auroc, cross_fit, fit_prior, fit_risk, fold_of, row_of, worst
from guardrail.calibration.fitting import PENALTIES, USUAL, choose, fit
from guardrail.errors import ConfigError
from guardrail.types import Case, Sample, Signal
from tests.calibration.models import rows


def test_it_recovers_a_logistic_world() -> None:
    world = rows(3000, seed=1)
    model = fit(world, Setting(signals=("logprob_sum", "agreement"), penalty=1.0))
    assert model.intercept == pytest.approx(-3, abs=0.3)
    assert [one.coefficient for one in model.inputs] == pytest.approx([3, 4], abs=0.5)


def test_a_signal_that_points_the_wrong_way_counts_for_nothing() -> None:
    turned = [replace(row, signals={**row.signals, "p_true": 0.1 if row.right else 0.9}) for row in rows(300)]
    model = fit(turned, Setting(signals=("agreement", "p_true"), penalty=0.0))
    coefficient = {one.name: one.coefficient for one in model.inputs}
    assert coefficient["p_true"] == 0.0
    assert str(coefficient["p_true"]) == "0.0", "neither -0.0 nor a rounding error below 0"
    assert coefficient["agreement"] > 0


def test_a_strong_pull_makes_coefficients_equal() -> None:
    loose, tight = (fit(rows(400), Setting(signals=USUAL[0][2:], penalty=p)) for p in (0.0, 1e6))
    spread = [max(c) - min(c) for c in ([one.coefficient for one in model.inputs] for model in (loose, tight))]
    assert spread[0] > 1
    assert spread[1] < 0.01


def test_separable_labels_have_a_fit() -> None:
    world = [Row(id=str(i), right=i % 2 == 0, signals={"agreement": float(i % 2 == 0)}) for i in range(60)]
    assert fit(world, Setting(signals=("agreement",), penalty=1.0)).of({"agreement": 0.0}) == pytest.approx(1, abs=0.05)


def test_the_same_rows_in_any_order_give_the_same_bytes(tmp_path: Path) -> None:
    world = rows(120)
    shuffled = random.Random(3).sample(world, len(world))
    for name, given in (("a", world), ("b", shuffled)):
        fit_risk(given, seed=5, fingerprint={"model": "m", "n": "10"}).model.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    facts = json.loads((tmp_path / "a").read_text())["fitted"]
    assert facts["n"] == 120
    assert facts["errors"] == sum(not row.right for row in world)
    assert facts["groups"] == 60
    assert (facts["folds"], facts["seed"]) == (5, 5)
    assert facts["fingerprint"] == {"model": "m", "n": "10"}
    assert facts["penalty"] in PENALTIES
    assert len(facts["penalties_in_folds"]) == 5


def test_nobody_is_scored_by_a_model_that_saw_its_group() -> None:
    """Labels of one group are turned round: nothing that is said of the group changes."""
    world = rows(120)
    before = {one.id: one for one in cross_fit(world, Setting(signals=("agreement",), penalty=1.0), folds=5, seed=0)}
    fold = {row.id: before[row.id].fold for row in world}
    held = [row for row in world if fold[row.id] == 0]
    rest = [row for row in world if fold[row.id] != 0]
    alone = fit(rest, Setting(signals=("agreement",), penalty=1.0))
    for row in held:
        assert before[row.id].risk == alone.of({"agreement": row.signals["agreement"] or 0.0})


def test_folds_never_split_a_group_and_share_the_errors() -> None:
    world = rows(200, per_group=4)
    fold = fold_of(world, 5, 1)
    for group in {row.group for row in world}:
        assert len({of for row, of in zip(world, fold, strict=True) if row.group == group}) == 1
    errors = [sum(not row.right for row, of in zip(world, fold, strict=True) if of == number) for number in range(5)]
    assert max(errors) - min(errors) <= 4
    assert fold == fold_of(world, 5, 1)
    assert fold != fold_of(world, 5, 2)


def test_a_row_without_a_group_stands_alone() -> None:
    alone, named = Row(id="a", right=True), Row(id="b", right=True, group="a")
    assert alone.kin != named.kin


def test_rows_keep_their_order_in_what_comes_back() -> None:
    world = list(reversed(rows(120)))
    held = fit_risk(world).held
    assert [one.id for one in held] == [row.id for row in world]
    scores = [1 - one.risk for one in held if one.risk is not None]
    assert (auroc(scores, [row.right for row in world]) or 0) > 0.7


def test_the_usual_inputs_are_those_that_are_there() -> None:
    assert fit_risk(rows()).model.signals == ("logprob_sum", "agreement", "p_true")
    without = [replace(row, signals={"agreement": row.signals["agreement"], "semantic_entropy": 0.5}) for row in rows()]
    assert fit_risk(without).model.signals == ("agreement", "semantic_entropy")


def test_missing_signals_that_many_lack_are_learned_and_only_raise_the_risk() -> None:
    world = [
        replace(row, signals={**row.signals, "logprob_sum": None}) if i % 3 == 0 else row
        for i, row in enumerate(rows(300))
    ]
    model = fit_risk(world, signals=("logprob_sum", "agreement")).model
    patterns = {one.missing: one for one in model.patterns}
    assert set(patterns) == {frozenset(), frozenset({"logprob_sum"})}
    assert patterns[frozenset()].raises == 0
    assert patterns[frozenset({"logprob_sum"})].raises >= 0
    assert patterns[frozenset({"logprob_sum"})].n == 100
    assert model.of({"agreement": 1.0}) is not None
    assert model.of({"logprob_sum": -0.1}) is None


def test_missing_signals_that_few_lack_are_left_out_and_have_no_risk() -> None:
    world = [
        replace(row, signals={**row.signals, "logprob_sum": None}) if i < 3 else row for i, row in enumerate(rows())
    ]
    fitted = fit_risk(world, signals=("logprob_sum", "agreement"))
    assert [one.risk for one in fitted.held[:3]] == [None] * 3
    assert all(one.risk is not None for one in fitted.held[3:])
    assert fitted.model.of({"agreement": 1.0}) is None


def test_the_pull_is_the_strongest_that_is_no_worse() -> None:
    alike = [
        replace(row, signals={"agreement": row.signals["agreement"], "majority_share": row.signals["agreement"]})
        for row in rows()
    ]
    assert choose(alike, ("agreement", "majority_share"), 0).penalty == max(PENALTIES)
    useless = [replace(row, signals={**row.signals, "p_true": random.Random(row.id).random()}) for row in rows(2500)]
    assert choose(useless, ("agreement", "p_true"), 0).penalty == min(PENALTIES)
    assert choose(rows(10), ("agreement", "p_true"), 0).penalty == max(PENALTIES), "too few rows to try"


BAD: list[tuple[Callable[[], object], str]] = [
    (lambda: fit_risk(rows(12)), "12 labelled rows are too few"),
    (lambda: fit_risk([replace(row, right=True) for row in rows()]), r"\(0 wrong\).*label more"),
    (lambda: fit_risk([replace(row, right=False) for row in rows()]), r"\(120 wrong\)"),
    (lambda: fit_risk([replace(row, group="one") for row in rows()]), "of 1 groups"),
    (lambda: fit_risk([*rows(), rows()[0]]), "'r0' comes twice"),
    (lambda: fit_risk([replace(rows()[0], signals={"agreement": math.nan}), *rows()[1:]]), "'r0': agreement is nan"),
    (lambda: fit_risk([replace(rows()[0], signals={"agreement": math.inf}), *rows()[1:]]), "agreement is inf"),
    (lambda: fit_risk([replace(rows()[0], right=None), *rows()[1:]]), "labelled None"),  # type: ignore[arg-type]
    (lambda: fit_risk(rows(), signals=["nobody"]), "'nobody' cannot be an input"),
    (lambda: fit_risk(rows(), signals=["risk"]), "'risk' cannot be an input"),
    (lambda: fit_risk(rows(), signals=["kernel_entropy"]), "kernel_entropy is missing in all 120 rows"),
    (lambda: fit_risk(rows(), signals=["p_true"]), "word for itself"),
    (lambda: fit_risk(rows(), signals=[]), "word for itself|at least one"),
    (lambda: fit_risk([replace(row, signals={"p_true": 0.5}) for row in rows()]), "none of the usual signals"),
    (lambda: fit_risk(rows(), folds=1), "do not make 1 folds"),
]


@pytest.mark.parametrize(("attempt", "says"), BAD)
def test_what_cannot_be_learned_from_is_refused(attempt: Callable[[], object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        attempt()


def test_errors_of_one_group_alone_are_no_evidence_for_others() -> None:
    world = [replace(row, right=row.group != "g0") for row in rows(120, per_group=12)]
    with pytest.raises(ConfigError, match="of one group"):
        fit_risk(world)


def test_a_step_is_as_doubtful_as_its_most_doubtful_call() -> None:
    calls = [
        (Signal(name="agreement", value=0.8), Signal(name="semantic_entropy", value=0.1)),
        (Signal(name="agreement", value=0.6), Signal(name="semantic_entropy", value=0.7)),
    ]
    assert worst(calls) == {"agreement": 0.6, "semantic_entropy": 0.7}
    partly = [*calls, (Signal(name="agreement", missing="none valid"), Signal(name="semantic_entropy", value=0.0))]
    assert worst(partly) == {"agreement": None, "semantic_entropy": 0.7}
    case = Case(id="c", planned=Sample(), samples=(), correct=True, group="pay")
    assert row_of(case, calls) == Row(id="c", right=True, group="pay", signals=worst(calls))
    assert row_of(replace(case, correct=None), calls) is None


def test_a_prior_is_what_the_counts_were_drawn_from() -> None:
    rng = random.Random(2)
    shares = [rng.betavariate(0.9, 0.3) for _ in range(4000)]
    a, b = fit_prior((sum(rng.random() < share for _ in range(8)), 8) for share in shares)
    assert (a, b) == (pytest.approx(0.9, abs=0.1), pytest.approx(0.3, abs=0.04))


def test_a_prior_of_calls_that_all_agree_is_finite() -> None:
    a, b = fit_prior([(8, 8)] * 50)
    assert a / (a + b) > 0.97
    assert max(a, b) <= 100
    with pytest.raises(ConfigError, match="3 calls with valid samples are too few"):
        fit_prior([(1, 2)] * 3 + [(0, 0)] * 50)
    with pytest.raises(ConfigError, match="more agreeing samples than valid ones"):
        fit_prior([(3, 2)] * 30)
