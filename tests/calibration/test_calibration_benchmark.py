"""The benchmark's command on small files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from guardrail.calibration import Row
from guardrail.types import Safer
from tests.benchmarks.calibration import ALPHAS, RISK, SPLIT, Resplit, _ranks, halves, main, resplits


def rows(n=240, *, informative=True):
    rng = np.random.default_rng(0)
    wrong = rng.random(n) < 0.2
    shares = np.round(np.clip(rng.normal(0.9 - 0.5 * wrong * informative, 0.1), 0, 1), 1)
    return [
        Row(
            id=str(place),
            right=not bad,
            group=f"function {place // 2}",
            signals={"agreement": float(share), "semantic_entropy": float(1 - share), "p_true": None, "unknown": 1.0},
        )
        for place, (bad, share) in enumerate(zip(wrong, shares, strict=True))
    ]


def test_halves_keep_functions_whole():
    given = rows()
    mine, other = halves(given, np.random.default_rng(1))
    assert sorted(mine + other) == list(range(len(given)))
    assert abs(len(mine) - len(other)) <= 2
    assert not {given[place].kin for place in mine} & {given[place].kin for place in other}
    assert halves(given, np.random.default_rng(2))[0] != mine


def test_ranks_go_from_the_safest():
    assert _ranks([0.9, 0.1, None, 0.9], Safer.HIGH)[[0, 1, 3]].tolist() == [0, 0.5, 0]
    assert _ranks([0.9, 0.1, None, 0.5], Safer.LOW)[[0, 1, 3]].tolist() == [2 / 3, 0, 1 / 3]
    assert np.isnan(_ranks([None, 0.1], Safer.LOW)[0])


def test_what_is_mostly_missing_or_unknown_is_left_out():
    assert set(Resplit(rows()).scores) == {"agreement", "semantic_entropy"}


def test_on_signals_that_tell_much_runs_and_little_of_it_is_wrong():
    found = resplits(rows(), splits=10, seed=0)
    assert [one["signal"] for one in found[:6]] == [RISK] * 3 + [SPLIT] * 3
    assert [one["alpha"] for one in found[:3]] == list(ALPHAS)
    lax = next(one for one in found if one["signal"] == "agreement" and one["alpha"] == 0.2)
    assert lax["coverage"] > 0.6
    assert lax["ran"] == 1
    assert lax["error_ci"][0] <= lax["error_mean"] <= lax["error_ci"][1]
    assert lax["error_mean"] < 0.2


def test_on_signals_that_tell_nothing_nothing_runs():
    found = resplits(rows(informative=False), splits=5, seed=0)
    strict = [one for one in found if one["alpha"] == 0.05]
    assert all((one["coverage"], one["error_mean"], one["error_ci"]) == (0, None, None) for one in strict)


def case(number, right):
    amounts = [5, 5.0, "5", 5, 5] if right else [5, 6, 7, 8, 9]
    calls = [[{"name": f"pay{number // 2}", "arguments": {"amount": amount}}] for amount in amounts]
    return {
        "id": f"c{number}",
        "category": "simple_python",
        "samples": [{"calls": one, "correct": right and number % 7 != 0, "correct_sem": right} for one in calls],
    }


@pytest.fixture
def a_file(tmp_path):
    found = [case(number, number % 5 != 0) for number in range(120)]
    parameters = {"type": "object", "properties": {"amount": {"type": "number"}}}
    tools = [
        {"type": "function", "function": {"name": f"pay{number}", "parameters": parameters}} for number in range(60)
    ]
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in found))
    (tmp_path / "bfcl.jsonl").write_text("".join(json.dumps({"id": row["id"], "tools": tools}) + "\n" for row in found))
    return tmp_path / "cases.jsonl"


def last_line(capsys):
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_cases(a_file, capsys):
    assert main([str(a_file), "--trials", "0", "--resplits", "2", "--json"]) == 0
    found = last_line(capsys)
    assert found["worlds"] == []
    assert (found["n"], found["label"], found["error_rate"]) == (120, "correct_sem", 0.2)
    assert set(found["beside"]) == {"correct"}
    first = found["cases"][0]
    assert set(first) == {"signal", "alpha", "error_mean", "error_ci", "ran", "above", "coverage"}
    agreement = next(one for one in found["cases"] if one["signal"] == "agreement" and one["alpha"] == 0.2)
    assert agreement["coverage"] > 0.7


def test_worlds(capsys):
    assert main(["--trials", "2", "--json"]) == 0
    found = last_line(capsys)["worlds"]
    assert {"name", "n", "alpha", "violation", "share", "oracle"} < set(found[0])
    assert sum(one["group"] == "grid" for one in found) > 200
    assert any(one["naive"] for one in found)


@pytest.mark.parametrize("options", [["--trials", "-1"], ["--resplits", "0"], ["no such file.jsonl"]])
def test_what_cannot_be_done_is_said(options, capsys):
    assert main(options) == 2
    assert capsys.readouterr().err
