"""The table's values, and that no improvement is claimed which an interval does not support."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import pytest

from guardrail.calibration import Difference, Interval, Row, evaluate
from guardrail.errors import ConfigError
from guardrail.types import Safer, SignalInfo
from tests.calibration.models import rows


def test_every_signal_and_the_combined_risk_are_measured() -> None:
    found = evaluate(rows(200), rounds=100, repeats=2)
    assert (found.n, found.groups) == (200, 100)
    assert {one.name for one in found.signals} == {"logprob_sum", "agreement", "p_true"}
    assert found.combined is not None
    assert found.model is not None
    for one in (*found.signals, found.combined):
        area = one.intervals["auroc"]
        assert area is not None
        assert area.low <= area.value <= area.high
        assert one.after is not None
    combined, single = found.combined.value("auroc"), found.signals[1].value("auroc")
    assert combined is not None
    assert single is not None
    assert combined > single
    assert [repeat["seed"] for repeat in found.repeats] == [0.0, 1.0]
    assert {one.measure for one in found.differences} == {"auroc", "aurc", "excess_aurc", "brier", "log_loss", "ece"}


def test_an_entropy_is_scored_the_other_way_round() -> None:
    turned = [replace(row, signals={"semantic_entropy": 1 - (row.signals["agreement"] or 0)}) for row in rows(200)]
    (area,) = [one.value("auroc") for one in evaluate(turned, rounds=20, repeats=0).signals]
    assert area is not None
    assert area > 0.6


def test_a_signal_as_it_is_is_judged_before_and_after_calibration() -> None:
    shifted = [replace(row, signals={**row.signals, "agreement": 1.0}) for row in rows(200)]
    found = evaluate(shifted, names=["agreement"], rounds=20, repeats=0).signal("agreement")
    assert found is not None
    assert found.before is not None
    assert found.before.ece == pytest.approx(sum(not row.right for row in shifted) / 200)
    assert found.before.ece_null == 0.0
    assert found.after is not None
    assert found.after.ece < 0.05


def test_a_signal_that_nobody_has_stands_in_the_table_as_missing() -> None:
    found = evaluate(rows(100), names=["agreement", "top_margin"], rounds=20, repeats=0).signal("top_margin")
    assert found is not None
    assert (found.n, found.missing, found.value("auroc"), found.before) == (0, 100, None, None)


def test_missing_rows_are_left_out_of_a_measure_and_of_its_differences() -> None:
    world = rows(120)
    holes = [
        replace(row, signals={**row.signals, "p_true": None}) if i % 4 == 0 else row for i, row in enumerate(world)
    ]
    found = evaluate(holes, inputs=["logprob_sum", "agreement"], rounds=20, repeats=0, pairs=[("agreement", "p_true")])
    p_true = found.signal("p_true")
    assert p_true is not None
    assert (p_true.n, p_true.missing) == (90, 30)
    assert {one.n for one in found.differences if one.other == "p_true"} == {90}


def test_the_same_signal_twice_is_no_improvement_and_noise_is_worse() -> None:
    twin = SignalInfo(name="twin", unit="share", safer=Safer.HIGH, needs=frozenset(), title="", low=0.0, high=1.0)
    world = [replace(row, signals={**row.signals, "twin": row.signals["agreement"]}) for row in rows(400)]
    found = evaluate(
        world,
        others=[twin],
        inputs=["agreement"],
        rounds=200,
        repeats=0,
        pairs=[("twin", "agreement"), ("p_true", "agreement")],
    )
    areas = {(one.one, one.other): one for one in found.differences if one.measure == "auroc"}
    same, noise, better = areas["twin", "agreement"], areas["p_true", "agreement"], areas["risk", "p_true"]
    assert (same.decided, same.improves) == (False, False)
    assert "the interval does not decide, no improvement is claimed" in same.sentence
    assert (noise.decided, noise.improves) == (True, False)
    assert noise.sentence.endswith("worse")
    assert better.improves
    assert better.sentence.endswith("better")


@pytest.mark.parametrize(
    ("measure", "low", "high", "improves"),
    [
        ("auroc", 0.01, 0.05, True),
        ("auroc", -0.05, -0.01, False),
        ("auroc", 0.0, 0.05, False),
        ("aurc", -0.05, -0.01, True),
        ("log_loss", 0.01, 0.05, False),
        ("ece", -0.05, 0.0, False),
    ],
)
def test_an_improvement_is_claimed_only_where_the_whole_interval_is_better(
    measure: str, low: float, high: float, improves: bool
) -> None:
    interval = Interval(value=(low + high) / 2, low=low, high=high)
    assert Difference(one="a", other="b", measure=measure, n=9, interval=interval).improves is improves


def test_too_few_rows_are_measured_without_a_risk_and_the_reason_is_said() -> None:
    few = evaluate(rows(15), rounds=20, repeats=2)
    assert few.combined is None
    assert "too few to fit a risk" in few.no_model
    assert (few.repeats, few.differences) == ((), ())
    agreement = few.signal("agreement")
    assert agreement is not None
    assert agreement.value("auroc") is not None


def test_useless_signals_have_no_risk_to_rank_by() -> None:
    flat = [replace(row, signals={"agreement": 0.5}) for row in rows(100)]
    found = evaluate(flat, rounds=20, repeats=1)
    assert found.combined is None or found.combined.value("auroc") == pytest.approx(0.5, abs=0.2)


@pytest.mark.parametrize(
    ("world", "names", "says"),
    [
        ([], None, "no labelled rows"),
        (rows(30), ["nobody"], "'nobody' is no signal"),
        ([Row(id="a", right=True, signals={"agreement": math.nan})], None, "agreement is nan"),
        ([Row(id="a", right=True), Row(id="a", right=False)], None, "comes twice"),
    ],
)
def test_what_cannot_be_measured_is_refused(world: list[Row], names: list[str] | None, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        evaluate(world, names=names)


def test_a_saved_model_takes_the_standard_library_and_measuring_says_what_to_install() -> None:
    program = """
import sys
for name in ("numpy", "scipy", "sklearn", "pydantic", "threadpoolctl"):
    sys.modules[name] = None
from guardrail.calibration import RiskModel, auroc, fit_risk
from guardrail.types import Signal
path = sys.argv[1]
risk = RiskModel.load(path).risk([Signal(name="agreement", value=0.5)])
assert risk.value is not None
try:
    auroc([1.0], [True])
except Exception as error:
    print(type(error).__name__, error)
"""
    import tempfile
    from pathlib import Path

    from guardrail.calibration import RiskModel
    from tests.calibration.models import a_pattern, an_input

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "risk.json"
        RiskModel(inputs=(an_input("agreement"),), intercept=0.0, patterns=(a_pattern(),)).save(path)
        done = subprocess.run(
            [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True, timeout=60
        )
    assert done.stdout.startswith("MissingExtra")
    assert "pip install 'guardrail-middleware[calibration]'" in done.stdout
