"""``calibration`` and ``uncalibrated`` in a policy: what they need, and that they are part of its version."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from guardrail.errors import PolicyError
from guardrail.policy import Policy, Rule
from guardrail.types import Tier, ToolCall

BOTH = "risk_model: risk.json\ncalibration: calibration.json\n"


def load(folder: Path, text: str) -> Policy:
    (folder / "policy.yaml").write_text(text, encoding="utf-8")
    return Policy.load(folder / "policy.yaml")


def test_the_files_are_beside_the_policy_and_review_is_the_default(tmp_path: Path) -> None:
    policy = load(tmp_path, BOTH)
    assert policy.calibration == str(tmp_path / "calibration.json")
    assert policy.uncalibrated == "review"
    assert load(tmp_path, BOTH + "uncalibrated: defaults\n").uncalibrated == "defaults"
    assert Policy().calibration is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("calibration: c.json\n", [":1: calibration: its thresholds are about the risk", "add 'risk_model: FILE'"]),
        (
            "default: {tier: low}\nuncalibrated: defaults\n",
            [":2: uncalibrated:", "there is none: add 'calibration: FILE'"],
        ),
        (BOTH + "uncalibrated: execute\n", [":3: uncalibrated: must be 'review' or 'defaults', not 'execute'"]),
        (BOTH + "uncalibrated:\n", ["'uncalibrated' has no value"]),
        ("risk_model: risk.json\ncalibration:\n", ["'calibration' has no value"]),
        ("risk_model: risk.json\ncalibration: ''\n", [":2: calibration:"]),
        ("risk_model: risk.json\ncalibraton: c.json\n", ["calibraton: unknown key; did you mean 'calibration'?"]),
    ],
)
def test_what_cannot_be_says_where_and_what_to_do(complaint: Callable[[str], str], text: str, parts: list[str]) -> None:
    message = complaint(text)
    for part in parts:
        assert part in message


@pytest.mark.parametrize("more", [{"calibration": ""}, {"calibration": 3}, {"uncalibrated": "run"}])
def test_the_same_is_refused_in_python(more: dict[str, object]) -> None:
    with pytest.raises(PolicyError):
        Policy(**{"risk_model": "risk.json", "calibration": "c.json", **more})  # type: ignore[arg-type]


def test_the_content_of_the_calibration_is_part_of_the_version(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    file.write_text("{}")
    first = load(tmp_path, BOTH).version
    assert load(tmp_path, BOTH).version == first
    file.write_text('{"a": 1}')
    changed = load(tmp_path, BOTH).version
    file.unlink()
    gone = load(tmp_path, BOTH).version
    defaults = load(tmp_path, BOTH + "uncalibrated: defaults\n").version
    assert len({first, changed, gone, defaults}) == 4


def test_what_changes_how_calls_compare_is_told_apart_from_the_rest() -> None:
    memo = Rule(match="pay", tier=Tier.HIGH, arguments={"memo": "ignore"})
    assert Policy().comparing == Policy(rules=(Rule(match="pay", tier=Tier.LOW),)).comparing == ""
    assert Policy(rules=(memo,)).comparing == Policy(rules=(memo,), default=Tier.LOW).comparing
    stricter = Rule(match="pay", tier=Tier.MEDIUM, arguments={"memo": "ignore"})
    assert Policy(rules=(stricter,)).comparing == Policy(rules=(memo,)).comparing
    exact = Rule(match="pay", tier=Tier.HIGH, arguments={"memo": "exact"})
    found = {
        "",
        Policy(rules=(memo,)).comparing,
        Policy(rules=(exact,)).comparing,
        Policy(stated_defaults=False).comparing,
    }
    assert len(found) == 4


def test_the_stages_of_a_tier_are_those_of_its_calls() -> None:
    policy = Policy()
    for tier in Tier:
        one = Policy(default=tier)
        assert policy.stages(tier) == one.resolve(ToolCall(name="x", arguments={}), None).stages
