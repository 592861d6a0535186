"""``guardrail cluster`` and ``guardrail explain-schema``, through the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from guardrail import codec
from guardrail.cli.main import main
from tests.support.records import record

PAY = {
    "name": "pay",
    "parameters": {
        "type": "object",
        "properties": {
            "to": {"type": "string", "description": "Account to pay into."},
            "amount": {"type": "number"},
            "memo": {"type": "string"},
            "urgent": {"type": "boolean", "default": False},
        },
    },
}


def pay(**arguments: Any) -> dict[str, Any]:
    return {"name": "pay", "arguments": {"to": "A1", **arguments}}


def run(tmp_path: Path, *rows: Any, options: tuple[str, ...] = (), command: str = "cluster") -> Result:
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return CliRunner().invoke(main, [command, str(file), *options])


def data(tmp_path: Path, *rows: Any, options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    result = run(tmp_path, *rows, options=("--json", *options))
    assert (result.exit_code, result.stderr) == (0, "")
    return [json.loads(line) for line in result.stdout.splitlines()]


def members(row: dict[str, Any]) -> list[list[int]]:
    return [group["members"] for group in row["groups"]]


CALLS = {
    "id": "x",
    "tools": [PAY],
    "plan": [pay(amount=10, memo="lunch with Ann")],
    "samples": [
        [pay(amount="10.0", memo="Lunch with Ann!", urgent=False)],
        {"calls": [pay(amount=20, memo="taxi home")]},
        {"calls": None, "text": "{"},
        [],
        [pay(amount=10, memo="meal together with Ann")],
    ],
}


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A backend of another package: it holds texts equal that end in the same word."""
    (tmp_path / "extra_judge.py").write_text(
        "from guardrail.errors import EntailmentError\n"
        "class Judge:\n"
        "    def __init__(self, model='default'):\n"
        "        self.name = f'last:{model}'\n"
        "    def equivalent(self, pairs):\n"
        "        if self.name == 'last:broken':\n"
        "            raise EntailmentError('out of memory')\n"
        "        return [pair.a.split()[-1] == pair.b.split()[-1] for pair in pairs]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = [
        EntryPoint("last", "extra_judge:Judge", "guardrail.entailments"),
        EntryPoint("gone", "extra_gone:Judge", "guardrail.entailments"),
    ]
    monkeypatch.setattr(
        "guardrail.cli.plugins.entry_points", lambda group: found if group == "guardrail.entailments" else []
    )
    yield
    sys.modules.pop("extra_judge", None)


def test_calls_are_grouped_against_their_plan(tmp_path: Path) -> None:
    (row,) = data(tmp_path, CALLS)
    assert (row["line"], row["id"], row["samples"], row["invalid"]) == (1, "x", 5, [2])
    assert (row["backend"], row["agreeing"]) == ("exact", 1)
    assert row["groups"][0]["planned"]
    assert sorted(members(row)) == [[0], [1], [3], [4]]
    assert {tuple(group["differs"]) for group in row["groups"]} == {(), ("amount", "memo"), ("memo",), ("pay",)}


def test_each_pair_says_why_and_who_said_so(tmp_path: Path, judge: None) -> None:
    (row,) = data(tmp_path, CALLS, options=("--backend", "last:words"))
    assert (row["backend"], row["agreeing"], row["pairs"], row["rounds"]) == ("last:words", 2, 1, 1)
    (pair,) = [one for one in row["compared"] if {one["a"], one["b"]} == {0, 4}]
    assert pair["equal"] is True
    assert pair["reasons"] == [
        {
            "tool": "pay",
            "argument": "memo",
            "equal": True,
            "comparator": "text",
            "because": "judged",
            "texts": ["lunch with Ann", "meal together with Ann"],
            "by": "last:words",
        }
    ]
    (pair,) = [one for one in row["compared"] if {one["a"], one["b"]} == {0, 1}]
    assert [(one["argument"], one["equal"], one["by"]) for one in pair["reasons"]] == [
        ("amount", False, "structure"),
        ("memo", False, "structure"),
    ]


def test_the_page_says_it_in_words(tmp_path: Path, judge: None) -> None:
    result = run(tmp_path, CALLS, options=("--backend", "last"))
    assert result.exit_code == 0
    for part in (
        "line 1  x  5 samples, 3 meanings, 2 as planned; last:default: 1 pair of texts in 1 round",
        'as planned  pay(to="A1", amount=10, memo="lunch with Ann")  #0, #4',
        "memo: equal by text, judged by last:default",
        "other amount, memo  pay(",
        "amount: different by number",
        "no call",
        "not grouped: unparsable #2",
    ):
        assert part in result.stdout


def test_texts_are_compared_as_one_argument(tmp_path: Path, judge: None) -> None:
    texts = ["It is Paris", "paris.", {"text": "The capital is Paris"}, "Rome"]
    (row,) = data(tmp_path, {"samples": texts}, options=("--backend", "last"))
    assert members(row) == [[0, 2], [3], [1]] or sorted(members(row)) == [[0, 2], [1], [3]]
    page = run(tmp_path, {"samples": texts}).stdout
    assert "It is Paris  #0" in page
    assert "answer(" not in page


def test_rows_share_two_rounds(tmp_path: Path, judge: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import extra_judge

    asked: list[int] = []
    answer = extra_judge.Judge.equivalent
    monkeypatch.setattr(
        extra_judge.Judge, "equivalent", lambda self, pairs: asked.append(len(pairs)) or answer(self, pairs)
    )
    rows = [{"samples": [f"go to {place}", f"off to {place}", f"ride to {place}"]} for place in ("Rome", "Oslo")]
    found = data(tmp_path, *rows, rows[0], options=("--backend", "last"))
    assert [members(row) for row in found] == [[[0, 1, 2]]] * 3
    assert asked == [4, 2]


def test_records_are_read_as_they_are_printed(tmp_path: Path) -> None:
    one = codec.to_json(record("rec-000001"))
    printed = json.dumps({"record": one, "reviews": []}, indent=2)
    listed = json.dumps([one, one], indent=2)
    assert [row["id"] for row in data(tmp_path, printed)] == ["rec-000001"]
    assert [row["id"] for row in data(tmp_path, listed)] == ["rec-000001"] * 2
    (row,) = data(tmp_path, one)
    assert row["agreeing"] is not None


@pytest.mark.parametrize(
    "tools",
    [
        [PAY],
        {"tools": [PAY]},
        [{"type": "function", "function": PAY}],
        [{"name": "pay", "inputSchema": PAY["parameters"]}],
        [{"name": "pay", "input_schema": PAY["parameters"]}],
        {"id": "x", "tools": [PAY]},
    ],
)
def test_tools_may_come_from_a_file(tmp_path: Path, tools: Any) -> None:
    (tmp_path / "tools.json").write_text(json.dumps(tools))
    row = {"id": "x", "samples": [[pay(amount=10)], [pay(amount=10, urgent=False)]]}
    (without,) = data(tmp_path, row)
    assert (len(without["groups"]), without["without_schema"]) == (2, ["pay"])
    (having,) = data(tmp_path, row, options=("--tools", str(tmp_path / "tools.json")))
    assert (members(having), having["without_schema"]) == ([[0, 1]], [])


def test_other_ways_to_write_calls_and_samples(tmp_path: Path) -> None:
    openai = {"type": "function", "function": {"name": "pay", "arguments": json.dumps({"to": "A1"})}}
    langchain = {"name": "pay", "args": {"to": "A1"}, "id": "7"}
    row = {
        "tools": [PAY],
        "plan": {"text": "", "calls": [pay()]},
        "samples": [[openai], {"calls": [langchain], "finish": "stop"}, {"calls": [pay()], "finish": "length"}],
    }
    (found,) = data(tmp_path, row)
    assert (members(found), found["invalid"]) == ([[0, 1]], [2])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", "no JSON"),
        ("7", "no samples"),
        ("{}", "'samples' is missing"),
        ({"samples": 7}, "no samples"),
        ({"samples": [7]}, "no samples"),
        ({"samples": [{"calls": {}}]}, "calls must be a list"),
        ({"samples": [[{"name": "pay"}]]}, "'args' is missing"),
        ({"samples": [[{"name": 7, "arguments": {}}]]}, "needs a name"),
        ({"samples": [[{"name": "pay", "arguments": "[]"}]]}, "needs a name"),
        ({"samples": [[{"name": "pay", "arguments": "{"}]]}, "no samples"),
        ({"samples": [{"calls": [], "status": "fine"}]}, "'fine' is not a valid"),
        ({"samples": [], "tools": [{}]}, "'name' is missing"),
        ({"planned": 1, "verdict": 1, "samples": []}, "this is not a Record"),
    ],
)
def test_a_bad_row_is_named_with_its_line(tmp_path: Path, row: Any, said: str) -> None:
    result = run(tmp_path, {"samples": []}, "", row)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "line 3" in result.stderr
    assert said in result.stderr
    assert result.stderr.count("Error:") == 1


def test_a_file_that_is_missing_empty_or_no_text(tmp_path: Path) -> None:
    assert "has no rows" in run(tmp_path, "").stderr
    (tmp_path / "bad").write_bytes(b"\xff\xfe\x00")
    for name in ("bad", "nowhere"):
        result = CliRunner().invoke(main, ["cluster", str(tmp_path / name)])
        assert (result.exit_code, "cannot read" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("magic", "there is no backend 'magic'; use one of structure, exact, gone[:MODEL], last[:MODEL]"),
        ("gone", "the backend 'gone' cannot be loaded"),
        ("last:broken", "out of memory"),
    ],
)
def test_a_backend_that_cannot_judge_is_an_error(tmp_path: Path, judge: None, backend: str, said: str) -> None:
    result = run(tmp_path, {"samples": ["go to Rome", "ride to Rome"]}, options=("--backend", backend))
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_hostile_texts_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    hostile = "pay \x1b[2J\u202eevil [red]markup[/red] \ud800"
    rows = [
        {"id": hostile, "samples": [hostile, "else"]},
        {"samples": [[{"name": hostile, "arguments": {hostile: hostile}}], [{"name": "b", "arguments": {}}]]},
    ]
    page = run(tmp_path, *rows)
    assert page.exit_code == 0
    assert "\x1b" not in page.stdout
    assert "\u202e" not in page.stdout
    assert "\\x1b" in page.stdout
    assert "[red]markup[/red]" in page.stdout
    assert all(ord(character) < 128 for character in run(tmp_path, *rows, options=("--json",)).stdout)


def explain(tmp_path: Path, tools: Any, *options: str) -> Result:
    return run(tmp_path, tools, options=options, command="explain-schema")


def test_a_schema_is_explained(tmp_path: Path) -> None:
    result = explain(tmp_path, [PAY])
    assert result.exit_code == 0
    for part in ("pay", "amount", "number", "urgent", "false (declared)"):
        assert part in result.stdout
    (found,) = json.loads(explain(tmp_path, [PAY], "--json").stdout)
    assert found["tool"] == "pay"
    assert {one["path"] for one in found["arguments"]} == {"to", "amount", "memo", "urgent"}
    assert {one["path"]: one["default_source"] for one in found["arguments"]}["urgent"] == "declared"
    assert all(one["because"] for one in found["arguments"])


def test_a_policy_overrides_what_the_schema_suggests(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("tools:\n  - match: pay\n    tier: high\n    arguments: {memo: ignore}\n")
    (found,) = json.loads(explain(tmp_path, [PAY], "--json", "--policy", str(policy)).stdout)
    (memo,) = [one for one in found["arguments"] if one["path"] == "memo"]
    assert memo["comparator"] == "ignore"
    assert "policy" in memo["because"]


@pytest.mark.parametrize(("tools", "said"), [("[]", "has no tools"), ("[7]", "no tool"), ('[{"name": 7}]', "no tool")])
def test_what_is_no_tool_is_an_error(tmp_path: Path, tools: str, said: str) -> None:
    result = explain(tmp_path, tools)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_a_hostile_schema_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    hostile = {"name": "a\x1b[2J", "parameters": {"properties": {"b\u202e": {"default": "\x1b", "type": ["\x1b"]}}}}
    result = explain(tmp_path, [hostile])
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
