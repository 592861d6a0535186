"""``guardrail bench``: recorded cases scored with every signal."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from guardrail import catalogue
from guardrail.calibration import RiskModel
from guardrail.cli.bench.cases import case_of, read_cases
from guardrail.cli.main import main
from guardrail.cli.rows import Tools
from guardrail.codec import to_json
from guardrail.store import open_store
from guardrail.types import Case, Label, LabelSource, Sample, Token, ToolCall
from tests.support.records import record

TOOL = {"name": "pay", "parameters": {"type": "object", "properties": {"amount": {"type": "integer"}}}}


def row(number: int, *, right: bool, agreeing: int, n: int = 6) -> dict[str, Any]:
    """A plan that ``agreeing`` of n samples repeat; its tokens are the likelier, the more do."""
    arguments = f'{{"amount": {number}}}'
    others = [{"calls": [{"name": "pay", "arguments": {"amount": number + 1 + k}}]} for k in range(n - agreeing)]
    return {
        "id": f"case {number}",
        "group": f"task {number // 2}",
        "tools": [TOOL],
        "plan": {
            "calls": [{"name": "pay", "arguments": {"amount": number}}],
            "text": arguments,
            "tokens": [arguments],
            "logprobs": [-0.1 * (n - agreeing) - 0.01],
        },
        "samples": [[{"name": "pay", "arguments": {"amount": number}}]] * agreeing + others,
        "correct": right,
        "signals": {"verbalized_confidence": 1.0 if number % 4 else 0.9},
    }


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    chance = random.Random(3)
    found = []
    for number in range(80):
        right = chance.random() < 0.7
        agreeing = chance.choice([4, 5, 6, 6, 6] if right else [0, 1, 3, 4, 6])
        found.append(row(number, right=right, agreeing=agreeing))
    return found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> Path:
    return write(tmp_path_factory.mktemp("bench") / "cases.jsonl", rows)


@pytest.fixture(scope="module")
def table(file: Path) -> str:
    """What the terminal shows."""
    done = run(file)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def figures(file: Path) -> Any:
    return json.loads(run(file, "--json").output)


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["bench", *map(str, arguments)], env={"COLUMNS": "160"})


def test_every_signal_stands_in_the_table_with_its_price(table: str) -> None:
    first, _, _ = table.partition("expected calibration error")
    lines = {line.split("│")[1].strip(): line for line in first.splitlines() if line.startswith("│")}
    assert set(catalogue.BUILT_IN) <= lines.keys()
    assert [cell.strip() for cell in lines["p_true"].split("│")[2:4]] == ["2", "-"]
    assert lines["agreement"].split("│")[2].strip() == "6"
    assert lines["logprob_sum"].split("│")[2].strip() == "0"
    assert "80 plans" in table


def test_the_figures_are_those_of_the_cases(figures: Any) -> None:
    found = figures
    assert (found["n"], found["groups"], found["samples"], found["folds"]) == (80, 40, 6, 5)
    agreement = found["signals"]["agreement"]
    assert agreement["auroc"] > 0.75
    assert agreement["ci"][0] < agreement["auroc"] < agreement["ci"][1]
    assert agreement["missing"] == 0
    assert found["signals"]["p_true"] == {**found["signals"]["p_true"], "auroc": None, "missing": 80}
    assert found["combined"]["auroc"] > 0.7
    assert set(found["fewer_samples"]["agreement"]) == {"2", "3", "5", "6"}
    assert found["fewer_samples"]["agreement"]["6"] == pytest.approx(agreement["auroc"])
    assert found["stated"]["verbalized_confidence"] == {"1": 60, "0.9": 20}


def test_an_improvement_is_claimed_only_where_the_interval_supports_it(figures: Any, table: str) -> None:
    combined = [one for one in figures["differences"] if one["one"] == "risk" and one["measure"] == "auroc"]
    assert {one["other"] for one in combined} >= {"agreement", "logprob_sum"}
    for one in combined:
        assert one["improves"] == (one["ci"][0] > 0)
    assert "the interval does not decide, no improvement is claimed" in table


def test_the_same_cases_and_seed_give_the_same_figures_and_the_same_pictures(file: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    few = ("--json", "--signal", "agreement", "--signal", "verbalized_confidence")
    assert run(file, *few, "--pictures", first).output == run(file, *few, "--pictures", second).output
    names = sorted(path.name for path in first.iterdir())
    assert names == ["cost.svg", "reliability.svg", "risk-coverage.svg", "roc.svg", "verbalized_confidence.svg"]
    for name in names:
        text = (first / name).read_text()
        assert "<svg" in text
        assert text == (second / name).read_text()


def test_pictures_may_be_bitmaps(file: Path, tmp_path: Path) -> None:
    assert run(file, "--signal", "agreement", "--pictures", tmp_path / "out", "--format", "png").exit_code == 0
    assert (tmp_path / "out" / "roc.png").read_bytes().startswith(b"\x89PNG")


def test_the_combined_risk_is_saved_as_a_model_that_the_guard_loads(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "risk.json"
    assert f"wrote {path}" in run(file, "--signal", "agreement", "--signal", "logprob_sum", "--save-risk", path).output
    model = RiskModel.load(path)
    assert set(model.signals) <= set(catalogue.BUILT_IN)
    assert "verbalized_confidence" not in model.signals


def test_chosen_signals_alone_are_measured(file: Path) -> None:
    found = json.loads(run(file, "--json", "--signal", "agreement", "--signal", "logprob_min").output)
    assert list(found["signals"]) == ["agreement", "logprob_min"]


def test_records_of_the_store_are_cases_with_their_labels(
    tmp_path: Path, rows: list[dict[str, Any]], figures: Any
) -> None:
    url = f"sqlite:///{tmp_path / 'guardrail.db'}"
    store = open_store(url)
    for number, case in enumerate(read_cases(write(tmp_path / "rows.jsonl", rows), Tools())):
        call = replace(case.planned.calls[0], id=f"call {number}")
        kept = record(f"{number:064x}")
        store.add_record(
            replace(
                kept,
                planned=replace(case.planned, calls=(call,)),
                samples=case.samples,
                tools=case.tools,
                thread_id=case.group,
                labels=(
                    Label(call_id=call.id, correct=bool(case.correct), source=LabelSource.IMPORT, by="x", at="2026"),
                ),
            )
        )
    store.close()
    found = json.loads(run("--store", url, "--json", "--signal", "agreement").output)
    assert (found["n"], found["groups"]) == (80, 40)
    assert found["signals"]["agreement"]["auroc"] == pytest.approx(figures["signals"]["agreement"]["auroc"])


def label(call_id: str, correct: bool) -> Label:
    return Label(call_id=call_id, correct=correct, source=LabelSource.REVIEW, by="ann", at="2026")


@pytest.mark.parametrize(
    ("labels", "correct"),
    [
        ((), None),
        ((label("a", True),), None),
        ((label("a", True), label("b", True)), True),
        ((label("b", False),), False),
        ((label("a", True), label("b", True), label("b", False)), None),
    ],
    ids=["nobody judged", "one of two is unknown", "all are right", "one is wrong", "people contradict each other"],
)
def test_a_record_is_right_where_all_its_calls_are(labels: tuple[Label, ...], correct: bool | None) -> None:
    calls = (ToolCall(name="pay", arguments={}, id="a"), ToolCall(name="pay", arguments={}, id="b"))
    kept = replace(record("1" * 64), planned=Sample(calls=calls))
    assert case_of(replace(kept, labels=labels)).correct is correct


def test_a_case_is_read_as_it_was_written(tmp_path: Path) -> None:
    call = ToolCall(name="pay", arguments={"amount": 1}, id="c")
    case = Case(
        id="1", planned=Sample(calls=(call,), tokens=(Token(text="é", logprob=-1.0, top=(("é", -1.0),)),)), samples=()
    )
    assert list(read_cases(write(tmp_path / "c.jsonl", [to_json(case)]), Tools())) == [case]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"plan": [], "correct": True}, "line 2: no case ('samples' is missing)"),
        ({"plan": [], "samples": [], "correct": "yes"}, "line 2: no case ('correct' must be true, false or null, not 'yes')"),
        ({"id": "case 0", "plan": [], "samples": []}, "line 2: the id 'case 0' was in line 1 already"),
        ({"plan": [], "samples": [], "signals": {"p_true": "high"}}, "the signal 'p_true' is 'high', which is no number"),
        ({"plan": {"calls": [], "tokens": ["a", "b"], "logprobs": [0]}, "samples": []}, "2 tokens have 1 log-probabilities"),
        ({"planned": {}, "samples": [], "id": "x", "extra": 1}, "line 2: this is not a Case"),
        (7, "line 2: no case"),
    ],
)  # fmt: skip
def test_what_is_no_case_is_named_with_its_line(tmp_path: Path, bad: Any, said: str) -> None:
    done = run(write(tmp_path / "cases.jsonl", [row(0, right=True, agreeing=6), bad]))
    assert done.exit_code == 2
    assert said in done.stderr


def test_cases_without_labels_say_what_to_do(tmp_path: Path) -> None:
    done = run(write(tmp_path / "cases.jsonl", [{**row(0, right=True, agreeing=6), "correct": None}]))
    assert done.exit_code == 2
    assert "none of the 1 cases has both a planned call and a label" in done.stderr


def test_an_unknown_signal_is_refused(file: Path) -> None:
    done = run(file, "--signal", "entropy")
    assert done.exit_code == 2
    assert "unknown signal 'entropy'" in done.stderr


def test_plans_without_a_call_and_cases_without_a_label_are_counted_and_left_out(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    silent = {**rows[0], "id": "silent", "plan": []}
    unlabelled = {**rows[0], "id": "unlabelled", "correct": None}
    found = json.loads(
        run(write(tmp_path / "cases.jsonl", [*rows, silent, unlabelled]), "--json", "--signal", "agreement").output
    )
    assert (found["n"], found["left_out"]) == (80, {"unlabelled": 1, "without_a_call": 1})
