"""Tools of one tier: which may run, decided on other labels than those that test the threshold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from guardrail.calibration import Calibration, calibrate
from guardrail.calibration.options import Options
from guardrail.calibration.preparing import prepare
from guardrail.calibration.tier_sample import TierSample, sample_of
from guardrail.types import CalibratedTier, LabelledCall, RefusalCode, Tier
from tests.calibration.labelled import calls, world

MEDIUM = {"medium": 0.1}
ASKED: dict[str, Any] = {"target_error": MEDIUM, "combiner": "recorded", "attempts": "all"}


def tier(records: list[LabelledCall], **more: Any) -> CalibratedTier:
    return calibrate(records, **{**ASKED, **more}).policy.tiers[0]


def sample(records: list[LabelledCall], seed: int = 0) -> TierSample:
    options = Options.told(calibrate(records, **ASKED, seed=seed).policy.settings)
    prepared = prepare(records, options, unanswered=(), ran_unjudged=None, traffic={}, tell=lambda *_: None)
    return sample_of(prepared.tiers[Tier.MEDIUM], prepared.asked[Tier.MEDIUM])


def hiding(n: int = 800, *, seed: int = 0) -> list[LabelledCall]:
    """A tier that keeps to 5 %, one of whose tools is wrong at every third call, whatever its risk."""
    chance = np.random.default_rng(seed)
    tools = chance.choice(["good", "bad"], n, p=[0.9, 0.1])
    wrong = chance.random(n) < np.where(tools == "bad", 1 / 3, 0.01)
    risks = chance.random(n)
    return [
        replace(one, tool=str(tool), correct=not bad, risk=float(risk))
        for one, tool, bad, risk in zip(calls(n), tools, wrong, risks, strict=True)
    ]


def test_a_bad_tool_that_a_good_tier_hides_goes_to_review() -> None:
    found = tier(hiding())
    assert found.thresholds[0].execute_below is not None
    assert "wrong where the tier keeps to 0.1" in found.vetoed("bad")
    assert found.vetoed("good") == ""
    # its calls are not among those of the threshold, but what it would have done is told
    bad = next(one for one in found.tools if one.tool == "bad")
    good = next(one for one in found.tools if one.tool == "good")
    assert (good.executed, good.executed_errors) == (found.thresholds[0].executed, found.thresholds[0].executed_errors)
    assert bad.executed > 0
    assert bad.lower > 0.1
    assert good.upper < 0.1


def test_without_vetoes_it_is_told() -> None:
    found = tier(hiding(), vetoes=False)
    assert found.vetoed("bad") == ""
    assert found.thresholds[0].n == 800
    assert any("calls of bad below the threshold were wrong" in warning for warning in found.warnings)


def test_a_tool_of_which_little_is_known_goes_to_review() -> None:
    records = [replace(one, tool="rare" if k % 200 == 7 else "usual") for k, one in enumerate(calls(600, wrong=100))]
    found = tier(records)
    assert "too few of its calls are labelled" in found.vetoed("rare")
    assert found.vetoed("usual") == ""


def test_one_tool_alone_takes_no_labels_away() -> None:
    found = tier(calls(300, wrong=60))
    assert found.thresholds[0].n == 300
    assert [one.veto for one in found.tools] == [""]


def test_every_tool_unknown_is_too_few_labels() -> None:
    found = tier([replace(one, tool=f"tool {k}") for k, one in enumerate(calls(300, wrong=60))])
    refusal = found.thresholds[0].refusal
    assert refusal is not None
    assert refusal.code is RefusalCode.TOO_FEW_LABELS
    assert "whose calls go to review" in refusal.message
    assert all(one.veto for one in found.tools)


@pytest.mark.parametrize("seed", range(3))
def test_whole_tasks_are_set_aside_whatever_their_labels_tools_and_risks(seed: int) -> None:
    records = world(600, tools=("pay", "send"))
    found = sample(records, seed)
    aside = set(found.calls.ids.tolist()) - set(found.tested.ids.tolist())
    assert 0.15 < len(aside) / len(records) < 0.35
    tasks = {one.task for one in records if one.id in aside}
    assert aside == {one.id for one in records if one.task in tasks}
    turned = [
        replace(one, correct=not one.correct, risk=1 - (one.risk or 0), tool="pay" if one.tool == "send" else "send")
        for one in records
    ]
    assert set(sample(turned, seed).tested.ids.tolist()) == set(found.tested.ids.tolist())
    assert set(sample(records, seed + 7).tested.ids.tolist()) != set(found.tested.ids.tolist())


def test_vetoes_look_only_at_what_was_set_aside() -> None:
    """The tested calls' labels have no part in which tools are tested."""
    records = hiding()
    before = sample(records)
    tested = set(before.tested.ids.tolist())
    turned = [replace(one, correct=True) if one.id in tested else one for one in records]
    assert sample(turned).vetoed == before.vetoed


def world_of_tools(seed: int) -> tuple[list[LabelledCall], dict[str, float]]:
    """Twelve tools a little above the target: whoever picks those that look good picks by chance."""
    chance = np.random.default_rng(seed)
    n, rates = 400, {f"tool {k}": 0.105 for k in range(12)}
    tools = chance.choice(list(rates), n)
    wrong = chance.random(n) < np.array([rates[str(tool)] for tool in tools])
    risks = chance.random(n)
    return [
        replace(one, tool=str(tool), correct=not bad, risk=float(risk))
        for one, tool, bad, risk in zip(calls(n), tools, wrong, risks, strict=True)
    ], rates


def true_error(found: Calibration, rates: dict[str, float]) -> float:
    """Of what would run: the tools that may, all alike often."""
    (one,) = found.policy.tiers
    if one.thresholds[0].execute_below is None:
        return 0.0
    return float(np.mean([rates[tool.tool] for tool in one.tools if not tool.veto]))


def careless(records: list[LabelledCall], rates: dict[str, float]) -> float:
    """Vetoes by the tested labels themselves: the half of the tools that looks best."""
    looks = {tool: np.mean([not one.correct for one in records if one.tool == tool]) for tool in rates}
    best = sorted(looks, key=lambda tool: looks[tool])[:6]
    kept = [one for one in records if one.tool in best]
    found = calibrate(kept, **ASKED, vetoes=False).policy.tiers[0].thresholds[0]
    return float(np.mean([rates[tool] for tool in best])) if found.execute_below is not None else 0.0


@pytest.mark.slow
def test_the_promise_holds_over_vetoes_and_breaks_where_the_tested_labels_decide_them() -> None:
    broken = naive = 0
    trials = 300
    for seed in range(trials):
        records, rates = world_of_tools(seed)
        broken += true_error(calibrate(records, **ASKED), rates) > 0.1
        naive += careless(records, rates) > 0.1
    most = 0.05 + 3 * (0.05 * 0.95 / trials) ** 0.5
    assert broken / trials <= most < naive / trials
