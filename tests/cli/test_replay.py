"""``guardrail replay`` at the command line: what it costs is told and asked, and errors say what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from guardrail import Guard, Policy, open_store
from guardrail.calibration import read_calls
from guardrail.cli.bench.cases import read_cases
from guardrail.cli.main import main
from guardrail.cli.rows import Tools
from guardrail.codec import from_json, to_json
from guardrail.types import Case, Label, LabelledCall, LabelSource, Route
from guardrail_openai import OpenAISampler, planning_step
from tests.support.bulk import PAY, case, noted
from tests.support.openai_server import OpenAIServer, call

STEADY = "tests.support.bulk:steady"
RIGHT = "tests.support.bulk:right"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write(tmp_path / "cases.jsonl", [case(number) for number in range(1, 13)])


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def write(path: Path, cases: list[Case]) -> Path:
    path.write_text("".join(json.dumps(to_json(one)) + "\n" for one in cases))
    return path


def run(*arguments: object, planner: str = STEADY, **more: Any) -> Result:
    return CliRunner().invoke(main, ["replay", "--planner", planner, *map(str, arguments)], **more)


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    return " ".join(result.stderr.split())


def results(out: Path) -> list[Case]:
    return [from_json(Case, json.loads(line)) for line in out.read_text().splitlines()]


def test_results_are_cases_that_bench_and_calibrate_read(files: Path, out: Path, tmp_path: Path) -> None:
    labelled = tmp_path / "labelled.jsonl"
    done = run(files, "--out", out, "--samples", 5, "--checker", RIGHT, "--labelled", labelled, "--yes")
    assert done.exit_code == 0, done.output
    found = results(out)
    assert [one.id for one in found] == [f"case {number:04}" for number in range(1, 13)]
    assert list(read_cases(out, Tools())) == found
    assert [one.correct for one in found] == [number % 3 != 0 for number in range(1, 13)]
    bench = CliRunner().invoke(main, ["bench", str(out), "--json"])
    assert bench.exit_code == 0, bench.output
    rows = [from_json(LabelledCall, json.loads(line)) for line in labelled.read_text().splitlines()]
    assert {row.probability for row in rows} == {1.0}
    assert len(read_calls([labelled])) == 12
    assert "12 judged calls are in" in done.output


def test_both_sides_stand_beside_each_other(files: Path, out: Path) -> None:
    done = run(files, "--out", out, "--samples", 5, "--checker", RIGHT, "--yes")
    rows = {
        name: [cell.strip() for cell in cells if cell.strip()]
        for name, *cells in (line.split("  ") for line in done.stdout.splitlines())
    }
    assert rows["model"] == ["old", "new"]
    assert rows["executed under this policy"] == ["12 of 12 (100%)", "9 of 12 (75%)"]
    assert rows["wrong among the executed"] == ["3 of 12 judged", "3 of 9 judged"]
    assert rows["samples' tokens"] == ["720 + 420", "600 + 420"]
    assert rows["plans' tokens"] == ["not recorded", "600 + 84"]
    assert rows["plans the same as recorded"] == ["8 of 12 (67%)"]


def test_the_same_as_json(files: Path, out: Path) -> None:
    done = run(files, "--out", out, "--samples", 5, "--checker", RIGHT, "--yes", "--json")
    found = json.loads(done.stdout)
    assert (found["recorded"]["executed"], found["replayed"]["executed"], found["same"]) == (12, 9, 8)
    assert (found["replayed"]["judged"], found["replayed"]["wrong"]) == (9, 3)
    assert (found["finished"], found["cases"], found["stopped"], found["failed"]) == (12, 12, "", {})


def test_money_is_that_of_the_policys_prices(files: Path, out: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("prices:\n  new: {prompt: 1000, completion: 2000}\n  old: {prompt: 2000, completion: 4000}\n")
    done = run(files, "--out", out, "--samples", 5, "--policy", policy, "--yes")
    assert "money: 2.4" in done.stderr
    assert "samples' money" in done.stdout
    assert "3.12" in done.stdout
    assert "1.44" in done.stdout


def test_the_cost_is_told_and_asked_for(
    files: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid = tmp_path / "paid"
    paid.mkdir()
    monkeypatch.setenv("GUARDRAIL_TEST_PLANNED", str(paid))
    for answer in ("n\n", ""):
        asked = run(files, "--out", out, "--samples", 5, input=answer)
        assert "about 24 requests" in asked.stderr
        assert "1,440 prompt + 504 completion tokens" in asked.stderr
        assert "nothing was sent; say --yes" in refused(asked)
    assert noted(paid) == []
    assert run(files, "--out", out, "--samples", 5, input="y\n").exit_code == 0
    assert len(noted(paid)) == 12


def test_a_dry_run_sends_and_writes_nothing(
    files: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid = tmp_path / "paid"
    paid.mkdir()
    monkeypatch.setenv("GUARDRAIL_TEST_PLANNED", str(paid))
    told = run(files, "--dry-run", "--samples", 5, "--json", "--out", out)
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["requests"] == 24
    assert (noted(paid), out.exists()) == ([], False)
    run(files, "--out", out, "--samples", 5, "--limit", 4, "--yes")
    found = json.loads(run(files, "--dry-run", "--samples", 5, "--json", "--out", out).stdout)
    assert (found["cases"], found["finished"], found["requests"]) == (8, 4, 16)


def test_what_is_finished_is_not_done_again(
    files: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid = tmp_path / "paid"
    paid.mkdir()
    monkeypatch.setenv("GUARDRAIL_TEST_PLANNED", str(paid))
    assert run(files, "--out", out, "--limit", 5, "--yes").exit_code == 0
    before = out.read_bytes()
    done = run(files, "--out", out, "--yes")
    assert "7 recorded steps for new (5 more are finished already)" in done.stderr
    assert out.read_bytes().startswith(before)
    assert sorted(noted(paid)) == [f"case {number:04}" for number in range(1, 13)]
    again = run(files, "--out", out)
    assert "all 12 recorded steps are finished already" in again.stderr
    assert again.stdout == done.stdout


def test_what_failed_is_told_and_done_again_when_that_is_asked(files: Path, out: Path) -> None:
    done = run(files, "--out", out, "--set", "failing=[3, 4]", "--yes")
    assert done.exit_code == 1
    assert "2 steps failed" in done.stdout
    assert "2 x the server is full" in done.stdout
    assert [one.failure for one in results(out) if one.failure] == ["the server is full"] * 2
    assert "all 12 recorded steps are finished already" in run(files, "--out", out, "--set", "failing=[3, 4]").stderr
    told = run(files, "--out", out, "--set", "failing=[3, 4]", "--retry-failed", "--yes")
    assert "2 recorded steps for new (10 more" in told.stderr
    assert len(results(out)) == 12


def test_it_stops_where_a_limit_is_reached_and_goes_on_with_a_higher_one(files: Path, out: Path) -> None:
    # each costs 100 + 42 tokens, and is expected to cost 120 + 42
    stopped = run(files, "--out", out, "--samples", 5, "--max-tokens", 600, "--concurrency", 1, "--yes")
    assert stopped.exit_code == 1
    assert "the limit of 600 tokens is reached; stopped: 4 of 12 are in" in " ".join(stopped.stdout.split())
    assert len(results(out)) == 4
    assert run(files, "--out", out, "--samples", 5, "--max-tokens", 6_000, "--yes").exit_code == 0
    assert len(results(out)) == 12


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say with --out where the results go"),
        (("--out", "OUT", "--temperature", "0"), "--temperature is '0': give a number above 0"),
        (("--out", "OUT", "--temperature", "nan"), "--temperature is 'nan'"),
        (("--out", "OUT", "--set", "a"), "--set a: what follows '=' is no JSON"),
        (("--out", "OUT", "--set", 'model="x"'), "write KEY=JSON of a setting"),
        (("--out", "OUT", "--signal", "nonsense"), "unknown signal 'nonsense'"),
        (("--out", "OUT", "--backend", "nonsense"), "there is no backend 'nonsense'"),
        (("--out", "OUT", "--checker", "nowhere:check"), "--checker nowhere:check: No module named 'nowhere'"),
        (("--out", "OUT", "--checker", "json:nothing"), "has no attribute 'nothing'"),
        (("--out", "OUT", "--checker", "sys:path"), "--checker sys:path is no function but list"),
        (("--out", "OUT", "--max-money", "1"), "--max-money needs a price for 'new'"),
        (("--out", "FILES"), "is read from or written to already"),
        (("--out", "OUT", "--labelled", "OUT"), "is read from or written to already"),
    ],
)
def test_options_that_cannot_be_used_are_refused(files: Path, out: Path, arguments: tuple[str, ...], said: str) -> None:
    given = [{"OUT": out, "FILES": files}.get(one, one) for one in arguments]
    assert said in refused(run(files, *given, "--yes"))
    assert not out.exists()


@pytest.mark.parametrize(
    ("planner", "said"),
    [
        ("nonsense", "there is no planner 'nonsense'; use an installed one (openai:...)"),
        ("nowhere:make", "--planner nowhere:make: No module named 'nowhere'"),
        ("openai", "the planner openai needs a model"),
        ("builtins:repr", "made a str, which has no name, model, step, plan, asample"),
    ],
)
def test_a_planner_that_is_none_is_refused(files: Path, out: Path, planner: str, said: str) -> None:
    assert said in refused(run(files, "--out", out, "--yes", planner=planner))


def test_what_cannot_be_replayed_is_named_with_its_place_before_anything_is_sent(out: Path, tmp_path: Path) -> None:
    files = write(tmp_path / "cases.jsonl", [case(1), case(2, conversation=()), case(3, tools=())])
    said = refused(run(files, "--out", out, "--yes"))
    assert "2 of 3 recorded steps cannot be replayed; nothing was sent:" in said
    assert "cases.jsonl, line 2: it has neither request nor conversation" in said
    assert "cases.jsonl, line 3: it has no tools" in said
    assert not out.exists()
    done = run(files, "--out", out, "--yes", "--skip")
    assert done.exit_code == 1
    assert [bool(one.failure) for one in results(out)] == [False, True, True]


def test_a_result_file_of_other_settings_or_of_other_cases_is_refused(files: Path, out: Path) -> None:
    run(files, "--out", out, "--samples", 5, "--yes")
    before = out.read_bytes()
    assert "made with samples 5 (now 6)" in refused(run(files, "--out", out, "--samples", 6, "--yes"))
    write(files, [case(number, model="older") for number in range(1, 13)])
    said = refused(run(files, "--out", out, "--samples", 5, "--yes"))
    assert "line 1: 'case 0001' is not what it was when" in said
    assert out.read_bytes() == before


def test_one_id_in_two_files_and_an_empty_file_are_refused(files: Path, out: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other.jsonl", [case(1)])
    assert "other.jsonl, line 1: the id 'case 0001' is in" in refused(run(files, other, "--out", out))
    empty = write(tmp_path / "empty.jsonl", [])
    assert "there is no recorded step in" in refused(run(empty, "--out", out))


def test_hostile_text_is_not_shown_as_it_is(out: Path, tmp_path: Path) -> None:
    files = write(tmp_path / "cases.jsonl", [case(1, model="m\x1b[2Jodel", id="\x1b[31mred", conversation=())])
    for done in (run(files, "--out", out), run(files, "--out", out, "--skip", "--yes")):
        assert "\x1b" not in done.output


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(lambda body, index: call("pay", amount=4)) as running:
        yield running


def test_the_records_of_a_guard_are_replayed_from_its_store(server: OpenAIServer, out: Path, tmp_path: Path) -> None:
    from openai import OpenAI

    url = f"sqlite:///{tmp_path / 'guardrail.db'}"
    look = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    pay = {
        "type": "function",
        "function": {"name": "pay", "description": PAY.description, "parameters": PAY.parameters},
    }
    request: dict[str, Any] = {
        "model": "old",
        "messages": [{"role": "system", "content": "Be exact."}, {"role": "user", "content": "pay 4"}],
        "tools": [pay, look],
    }
    store = open_store(url)
    policy = Policy.parse({"tiers": {"high": {"audit": 1.0}}})
    with OpenAI(api_key="x", base_url=server.url) as client:
        guard = Guard(policy, OpenAISampler(client), store)
        step = planning_step(request, client.chat.completions.create(**request), thread_id="t")
        verdict = guard.assess(step)
        assert verdict.route is Route.EXECUTE
    call_id = step.planned.calls[0].id
    label = Label(call_id=call_id, correct=True, source=LabelSource.AUDIT, by="ana", at="2026-01-05T00:00:00+00:00")
    store.add_label(verdict.record_id, label)
    store.close()
    server.clear()

    planner = f"openai:new@{server.url}"
    given = ("--store", url, "--out", out, "--yes")
    said = refused(run(*given, planner=planner))
    assert "record " in said
    assert "give all that the model was offered with --tools" in said
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps([pay, look]))
    labelled = tmp_path / "labelled.jsonl"
    done = run(*given, "--tools", tools, "--keep-plan", "--labelled", labelled, planner=planner)
    assert done.exit_code == 0, done.output
    assert "1 requests are put together from the conversation" in done.stderr
    (sent,) = server.requests
    assert {key: sent[key] for key in ("model", "messages", "n")} == {
        "model": "new",
        "messages": request["messages"],
        "n": 8,
    }
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["pay", "look"]
    (row,) = [from_json(LabelledCall, json.loads(line)) for line in labelled.read_text().splitlines()]
    assert (row.correct, row.probability, row.source) == (True, 1.0, LabelSource.AUDIT)
    tools.write_text(json.dumps([pay]))
    assert "not those that the model was offered then" in refused(run(*given, "--tools", tools, planner=planner))


def test_every_option_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "replay.md").read_text("utf-8")
    options = [option for one in main.commands["replay"].params for option in one.opts if option.startswith("--")]
    assert len(options) > 20
    assert [option for option in options if option not in text and option not in ("--store", "--help")] == []


def test_ray_is_an_extra(files: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    said = refused(run(files, "--out", out, "--engine", "ray", "--yes"))
    assert "pip install 'guardrail-middleware[ray]'" in said
    assert not out.exists()


def test_listing_commands_loads_neither_engine_nor_planner() -> None:
    import subprocess
    import sys

    code = "import guardrail.cli.main, sys; print([m for m in ('guardrail.bulk', 'openai', 'ray') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
