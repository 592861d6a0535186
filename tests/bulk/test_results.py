"""The file of results: what is in it survives, and is never mixed with something else."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrail.bulk import Results
from guardrail.bulk.job import SOURCE
from guardrail.errors import ConfigError
from guardrail.types import Case, Sample, Token
from tests.support.bulk import case

RUN = {"planner": "steady", "samples": "5"}


def result(number: int, *, failure: str = "", run: dict[str, str] = RUN) -> Case:
    return case(number, run={**run, SOURCE: f"s{number}", "started": "2026-02-03T00:00:00+00:00"}, failure=failure)


def written(path: Path, *numbers: int) -> bytes:
    results = Results(path, RUN)
    for number in numbers:
        results.add(result(number))
    results.close()
    return path.read_bytes()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def test_what_was_added_is_found_again(out: Path) -> None:
    written(out, 3, 1)
    results = Results(out, RUN)
    assert {identity: one.source for identity, one in results.finished.items()} == {
        "case 0003": "s3",
        "case 0001": "s1",
    }
    assert results.started == "2026-02-03T00:00:00+00:00"
    assert list(results.cases()) == [result(1), result(3)]
    results.close()


def test_only_its_owner_may_read_it(out: Path) -> None:
    written(out, 1, 0)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    results = Results(out, RUN)
    results.complete()
    results.close()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600


def test_at_the_end_the_lines_are_in_order_and_each_case_is_there_once(out: Path) -> None:
    results = Results(out, RUN)
    results.add(result(2, failure="full"))
    results.add(result(1))
    results.add(result(2))
    assert not results.finished["case 0002"].failed
    results.complete()
    results.close()
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == ["case 0001", "case 0002"]
    assert out.read_bytes() == written(out.with_name("other"), 1, 2)
    assert {path.name for path in out.parent.iterdir()} == {"other", out.name}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(cut=st.integers(min_value=0))
def test_wherever_a_write_was_cut_off_the_rest_is_kept(out: Path, cut: int) -> None:
    out.unlink(missing_ok=True)
    whole = written(out, 1, 2, 3)
    kept = whole[: cut % len(whole)]
    out.write_bytes(kept)
    results = Results(out, RUN)
    complete = kept[: kept.rfind(b"\n") + 1]
    assert len(results.finished) == complete.count(b"\n")
    assert results.repaired == len(kept) - len(complete)
    for number in (1, 2, 3):
        if f"case {number:04}" not in results.finished:
            results.add(result(number))
    results.close()
    assert out.read_bytes() == whole


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("notes of mine", "line 1: no JSON"),
        ('{"a": 1}\n', "line 1: this is no result of `guardrail replay`"),
        ("[]\n", "line 1: this is no result"),
        ("{broken\n{}\n", "line 1: no JSON"),
    ],
)
def test_a_file_of_something_else_is_left_alone(out: Path, text: str, said: str) -> None:
    out.write_text(text)
    with pytest.raises(ConfigError, match=said):
        Results(out, RUN)
    assert out.read_text() == text


def test_results_of_another_run_are_refused_and_what_differs_is_named(out: Path) -> None:
    before = written(out, 1, 2)
    with pytest.raises(ConfigError, match=r"line 1: made with samples 5 \(now 8\), judge none \(now nli\); results"):
        Results(out, {**RUN, "samples": "8", "judge": "nli"})
    assert out.read_bytes() == before


def test_two_processes_do_not_write_one_file(out: Path) -> None:
    pytest.importorskip("fcntl")
    results = Results(out, RUN)
    with pytest.raises(ConfigError, match="being written by another process"):
        Results(out, RUN)
    results.close()
    Results(out, RUN).close()


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot write results to .*nowhere"):
        Results(tmp_path / "nowhere" / "out.jsonl", RUN)


def test_numbers_that_json_does_not_have_are_left_out(out: Path) -> None:
    tokens = (Token(text="a", logprob=float("-inf")),)
    results = Results(out, RUN)
    results.add(case(1, planned=Sample(tokens=tokens), run={**RUN, SOURCE: "s"}))
    (found,) = results.cases()
    assert found.planned.tokens is None
    results.close()
    json.loads(out.read_text(), parse_constant=pytest.fail)
