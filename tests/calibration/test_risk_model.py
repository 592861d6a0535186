"""The laws of the risk model: monotone in every input, sound bounds, never guessed, and the same file always."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrail import catalogue
from guardrail.calibration import RiskModel
from guardrail.errors import ConfigError
from guardrail.types import Safer, Signal
from tests.calibration.models import NAMES, VALUES, a_pattern, an_input, models, signal


@given(models(), st.data())
def test_risk_never_falls_when_a_signal_gets_worse(model: RiskModel, data: st.DataObject) -> None:
    values = {name: data.draw(VALUES[name]) for name in NAMES}
    name = data.draw(st.sampled_from(NAMES))
    info = catalogue.info(name)
    assert info is not None
    ends = sorted((values[name], data.draw(VALUES[name])), reverse=info.safer is Safer.HIGH)
    safer, worse = (model.of({**values, name: end}) for end in ends)
    assert safer is not None
    assert worse is not None
    assert 0 <= safer <= worse <= 1


@given(models(), st.data())
@settings(max_examples=200)
def test_bounds_hold_the_risk_of_every_completion(model: RiskModel, data: st.DataObject) -> None:
    """Open: samples decide between bounds, or at all, or never come out; asked and free signals are what they are."""
    given_signals: list[Signal] = []
    completed: dict[str, float] = {}
    for name in NAMES:
        info = catalogue.info(name)
        assert info is not None
        kind = data.draw(st.sampled_from(["value", "spanned", "open", "gone"] if info.sampled else ["value", "gone"]))
        if kind == "gone":
            continue
        value = data.draw(VALUES[name])
        completed[name] = value
        if kind == "value":
            given_signals.append(signal(name, value))
        elif kind == "spanned":
            ends = sorted((value, data.draw(VALUES[name])))
            completed[name] = data.draw(st.floats(ends[0], ends[1]))
            known = data.draw(st.sampled_from([None, *ends]))
            given_signals.append(signal(name, known, (ends[0], ends[1])))
        else:
            given_signals.append(signal(name))
    risk = model.risk(given_signals)
    if risk.bounds is None:
        return
    sampled = [one for one in given_signals if one.bounds is None and name_is_sampled(one.name)]
    for one in sampled:
        completed[one.name] = data.draw(VALUES[one.name])
        if data.draw(st.booleans()):
            del completed[one.name]
    found = model.of(completed)
    assert found is not None, "bounds were given although a completion has no risk"
    assert risk.bounds[0] - 1e-12 <= found <= risk.bounds[1] + 1e-12
    assert risk.value is None or risk.bounds[0] <= risk.value <= risk.bounds[1]


def name_is_sampled(name: str) -> bool:
    info = catalogue.info(name)
    return info is not None and info.sampled


def two(**more: Any) -> RiskModel:
    fields: dict[str, Any] = {
        "inputs": (an_input("logprob_sum", 2.0, 0.25), an_input("agreement", 4.0, 0.5)),
        "intercept": -3.0,
        "patterns": (a_pattern(), a_pattern("logprob_sum", raises=0.5)),
    }
    return RiskModel(**{**fields, **more})


def test_the_risk_by_hand() -> None:
    risk = two().risk([signal("logprob_sum", math.log(0.5)), signal("agreement", 0.75), signal("p_true", 0.1)])
    assert risk.value == pytest.approx(1 / (1 + math.exp(3 - 2 * 0.5 - 4 * 0.25)))
    assert (risk.name, risk.unit, risk.bounds) == ("risk", "probability", None)
    assert two().index({"logprob_sum": math.log(0.5), "agreement": 0.75}) == pytest.approx((2 * 0.5 + 4 * 0.25) / 6)


def test_a_missing_signal_counts_as_the_mean_and_what_its_absence_adds() -> None:
    risk = two().risk([signal("logprob_sum"), signal("agreement", 0.75)])
    assert risk.value == pytest.approx(1 / (1 + math.exp(3 - 2 * 0.25 - 4 * 0.25 - 0.5)))
    assert two().risk([signal("agreement", 0.75)]) == risk


def test_what_was_never_learned_has_no_risk() -> None:
    risk = two().risk([signal("logprob_sum", -0.1), signal("agreement")])
    assert risk.value is None
    assert risk.bounds is None
    assert "lack agreement were never learned from" in (risk.missing or "")
    assert two().risk([]).value is None


def test_an_open_signal_leaves_bounds_and_no_value() -> None:
    risk = two().risk([signal("logprob_sum", 0.0), signal("agreement", None, (0.5, 1.0))])
    assert risk.value is None
    assert "agreement is not known yet" in (risk.missing or "")
    assert risk.bounds == pytest.approx((1 / (1 + math.exp(3)), 1 / (1 + math.exp(1))))
    whole = two().risk([signal("logprob_sum", 0.0), signal("agreement", 0.75, (0.5, 1.0))])
    assert whole.value == pytest.approx(1 / (1 + math.exp(2)))
    assert whole.bounds == risk.bounds


def test_a_sampled_signal_without_bounds_is_open_while_others_are() -> None:
    model = RiskModel(
        inputs=(an_input("agreement", 1.0), an_input("semantic_entropy_weighted", 3.0)),
        intercept=0.0,
        patterns=(a_pattern(), a_pattern("semantic_entropy_weighted", raises=1.0)),
    )
    drawing = model.risk([signal("agreement", None, (1.0, 1.0)), signal("semantic_entropy_weighted", 0.0)])
    assert drawing.bounds == pytest.approx((0.5, 1 / (1 + math.exp(-4))))
    never = RiskModel(inputs=model.inputs, intercept=0.0, patterns=(a_pattern(),))
    assert never.risk([signal("agreement", None, (1.0, 1.0)), signal("semantic_entropy_weighted", 0.0)]).bounds is None


def test_a_signal_given_twice_differently_is_no_evidence() -> None:
    twice = two().risk([signal("logprob_sum", 0.0), signal("agreement", 1.0), signal("agreement", 0.0)])
    assert "given twice" in (twice.missing or "")
    same = [signal("logprob_sum", 0.0), signal("agreement", 1.0), signal("agreement", 1.0)]
    assert two().risk(same).value is not None


@given(models())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
def test_the_file_gives_the_model_back_and_the_same_bytes(tmp_path: Path, model: RiskModel) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    model.save(first)
    again = RiskModel.load(first)
    again.save(second)
    assert (again, again.digest) == (model, model.digest)
    assert first.read_bytes() == second.read_bytes()


def test_the_digest_tells_models_apart() -> None:
    assert two().digest != two(intercept=-3.5).digest
    assert two().digest != two(facts={"n": 3}).digest


@pytest.mark.parametrize(
    "wrong",
    [
        {"intercept": math.nan},
        {"inputs": ()},
        {"inputs": (an_input("agreement"), an_input("agreement"))},
        {"inputs": (an_input("agreement", -1e-9), an_input("logprob_sum"))},
        {"inputs": (an_input("agreement", math.inf), an_input("logprob_sum"))},
        {"inputs": (an_input("agreement", 1.0, 1.1), an_input("logprob_sum"))},
        {"patterns": ()},
        {"patterns": (a_pattern(), a_pattern())},
        {"patterns": (a_pattern("p_true"),)},
        {"patterns": (a_pattern("agreement", "logprob_sum"),)},
        {"patterns": (a_pattern(raises=-0.1),)},
        {"patterns": (a_pattern(raises=math.nan),)},
    ],
)
def test_a_model_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"risk|intercept|coefficient|doubt|pattern|add"):
        two(**wrong)


def edited(path: Path, change: Any) -> Path:
    two().save(path)
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data.update(version=2), "version is 2"),
        (lambda data: data.update(more=1), "must be an object with"),
        (lambda data: data.pop("intercept"), "must be an object with"),
        (lambda data: data.update(intercept=math.inf), "Infinity is no number"),
        (lambda data: data.update(intercept="1"), "no finite number"),
        (lambda data: data.update(intercept=True), "no finite number"),
        (lambda data: data.update(fitted=[]), "'fitted' must be an object"),
        (lambda data: data["signals"][0].update(name="nobody"), "no signal 'nobody' here"),
        (lambda data: data["signals"][0].update(safer="low"), "is safer where it is high"),
        (lambda data: data["signals"][0].update(coefficient=math.nan), "NaN is no number"),
        (lambda data: data["signals"][0].update(coefficient=-1), "at least 0"),
        (lambda data: data["signals"][0].pop("unit"), "'unit' is missing"),
        (lambda data: data["signals"].append(data["signals"][0]), "each once"),
        (lambda data: data.update(signals=3), "no risk model"),
    ],
)
def test_a_file_that_was_changed_is_refused_with_the_reason(tmp_path: Path, change: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        RiskModel.load(edited(tmp_path / "risk.json", change))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 1, "version": 1}', "[" * 100_000])
def test_a_file_of_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "risk.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="is no risk model"):
        RiskModel.load(path)
    with pytest.raises(ConfigError, match="cannot read the risk model"):
        RiskModel.load(tmp_path / "absent.json")
