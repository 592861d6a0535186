"""``guardrail simulate``: from assumptions, labelled calls and recorded cases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from guardrail.cli.main import main

QUICK = ("--trials", "20", "--labels", "60,300", "--samples", "5")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["simulate", *map(str, arguments)])


def test_assumptions_answer_all_four_questions() -> None:
    result = run(*QUICK, "--alpha", "0.2,0.01")
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    for part in ("N = 5", "a score without ties", "labels", "reviewers", "coverage"):
        assert part in text
    assert "At most 0.2 wrong: 300 labels" in text or "At most 0.2 wrong: 60 labels" in text
    assert "At most 0.01 wrong: no threshold is likely with up to 300 labels" in text


def test_json_says_the_same() -> None:
    result = run(*QUICK, "--alpha", "0.2", "--json", "--calls-per-day", "50")
    data = json.loads(result.output)
    assert [pool["name"] for pool in data["pools"]] == ["N = 5", "a score without ties"]
    assert [(one["labels"], one["samples"]) for one in data["forecasts"]] == [
        (60, 5),
        (300, 5),
        (60, None),
        (300, None),
    ]
    for one in data["forecasts"]:
        assert 0 <= one["coverage"] <= 1
        assert one["staff"]["reviews"] == pytest.approx(50 * (1 - one["coverage"]) + 5 * one["coverage"])


def test_pictures_are_written(tmp_path: Path) -> None:
    result = run(*QUICK, "--alpha", "0.2", "--pictures", tmp_path / "new")
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"coverage.svg", "reviews.svg"}
    assert (
        "What labels buy" in (tmp_path / "new" / "coverage.svg").read_text()
        or "<svg" in (tmp_path / "new" / "coverage.svg").read_text()
    )


def _labelled(path: Path, rows: int = 200, **more: object) -> Path:
    lines = [
        {
            "id": f"c{k}",
            "tier": "medium",
            "tool": "pay",
            "correct": k % 5 > 0,
            "risk": (k % 5 == 0) * 0.5 + k % 7 / 20,
            **more,
        }
        for k in range(rows)
    ]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def test_labelled_calls_are_simulated_by_tier(tmp_path: Path) -> None:
    file = _labelled(tmp_path / "calls.jsonl")
    result = run(*QUICK, "--alpha", "0.1", "--json", file)
    assert [pool["name"] for pool in json.loads(result.output)["pools"]] == ["medium, recorded"]
    assert run(file, "--tier", "high").exit_code == 2
    refused = run(_labelled(tmp_path / "none.jsonl", risk=None))
    assert refused.exit_code == 2
    assert "has a risk" in refused.output


def test_recorded_cases_are_scored_for_each_n_that_they_have(tmp_path: Path) -> None:
    pay = {"name": "pay", "arguments": {"amount": 1}}
    other = {"name": "pay", "arguments": {"amount": 2}}
    lines = []
    for k in range(80):
        right = k % 4 > 0
        agreeing = 4 - (k % 3 == 0) if right else 1 + k % 2
        lines.append(
            {"id": f"c{k}", "plan": [pay], "samples": [[pay]] * agreeing + [[other]] * (4 - agreeing), "correct": right}
        )
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    result = run("--cases", path, "--samples", "2,4,8", "--trials", 10, "--labels", 60, "--alpha", 0.2, "--json")
    assert result.exit_code == 0, result.output
    assert [pool["name"] for pool in json.loads(result.output)["pools"]] == ["N = 2, recorded", "N = 4, recorded"]
    refused = run("--cases", path, "--samples", "8")
    assert "fewest samples of one are 4" in " ".join(refused.output.split())


@pytest.mark.parametrize(
    "options",
    [
        ("--labels", "many"),
        ("--labels", "0"),
        ("--alpha", "1.5"),
        ("--error", "2"),
        ("--auroc", "0.2"),
        ("--samples", "0"),
        ("--hours", "0"),
        ("--confidence", "1"),
        ("missing.jsonl", "--cases", "other.jsonl"),
        ("missing.jsonl",),
    ],
    ids=str,
)
def test_what_cannot_be_simulated_is_refused_in_one_message(options: tuple[str, ...]) -> None:
    result = run("--trials", "2", *options)
    assert result.exit_code == 2
    assert "Error" in result.output
    assert "Traceback" not in result.output
