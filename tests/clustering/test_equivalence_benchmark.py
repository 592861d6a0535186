"""The benchmark's own arithmetic, on rows written here."""

from __future__ import annotations

import json

import pytest

from tests.benchmarks import equivalence

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "pay",
            "description": "Pays.",
            "parameters": {
                "type": "object",
                "properties": {"amount": {"type": "number"}, "memo": {"type": "string"}},
            },
        },
    }
]


def row(a, b, same, kind, source="rule"):
    calls = [[{"name": "pay", "arguments": arguments} for arguments in side] for side in (a, b)]
    return {
        "a": calls[0],
        "b": calls[1],
        "tools": TOOLS,
        "same_meaning": same,
        "kind": kind,
        "label_source": source,
        "diff": None,
    }


ROWS = [
    row([{"amount": 5}], [{"amount": 5.0}], True, "number"),
    row([{"amount": 5}], [{"amount": 6}], False, "number"),
    row([{"amount": 5}, {"amount": 6}], [{"amount": 6}, {"amount": 5}], True, "order"),
    row([{"amount": 5}, {"amount": 6}], [{"amount": 5}], False, "order"),
    row([{"amount": 5}], [{"amount": 5}, {"amount": 6}], False, "order"),
    row([{"memo": "for lunch"}], [{"memo": "lunch money"}], True, "text", "adjudicated"),
    row([{"memo": "for lunch"}], [{"memo": "for the train"}], False, "text", "adjudicated"),
    row([], [], True, "nothing"),
]


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(one) for one in ROWS) + "\n\n")
    return path


def test_the_figures(pairs, capsys):
    assert equivalence.main([str(pairs), "--json", "--errors", "5"]) == 0
    out = capsys.readouterr().out
    found = json.loads(out.splitlines()[-1])
    assert set(found) == {
        "precision", "recall", "merged", "adjudicated", "by_kind", "entailment_pairs", "rounds", "seconds", "backend", "work",
    }  # fmt: skip
    assert (found["merged"], found["backend"], found["work"]) == (0.0, "exact", {})
    assert found["precision"] == 1.0
    assert found["recall"] == 0.75
    assert found["adjudicated"] == {"precision": None, "recall": 0.0}
    assert found["by_kind"]["order"] == {"n": 3, "accuracy": 1.0}
    assert found["by_kind"]["text"] == {"n": 2, "accuracy": 0.5}
    assert (found["entailment_pairs"], found["rounds"]) == (2, 0)
    assert "memo: text" in out
    assert "1 wrong decisions" in out


def test_a_judge_is_asked_about_every_open_pair_in_one_round(pairs):
    batches = []

    class Judge:
        name = "lunch"

        def equivalent(self, pairs):
            batches.append(len(pairs))
            return ["train" not in pair.a + pair.b for pair in pairs]

    rows = equivalence.read_rows(pairs)
    found = equivalence.score(rows, equivalence.judge_rows(rows, Judge()))
    assert (found["precision"], found["recall"]) == (1.0, 1.0)
    assert (found["rounds"], found["entailment_pairs"], batches) == (1, 2, [2])


def test_the_peers(pairs):
    rows = equivalence.read_rows(pairs)
    assert [equivalence.exact_peer(one) for one in rows[:3]] == [False, False, True]
    assert [equivalence.simple_peer(one) for one in rows[:3]] == [True, False, True]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{pairs}", "--backend", "nli"], "no backend 'nli'"),
        (["{pairs}", "--backend", "magic"], "no backend 'magic'"),
        (["nowhere.jsonl"], "cannot read nowhere.jsonl"),
        (["{broken}"], "line 1"),
        (["{empty}"], "no rows"),
    ],
)
def test_what_cannot_be_run_is_one_message_and_exit_code_2(pairs, tmp_path, capsys, arguments, words):
    (tmp_path / "broken.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "empty.jsonl").write_text("")
    paths = {"pairs": pairs, "broken": tmp_path / "broken.jsonl", "empty": tmp_path / "empty.jsonl"}
    assert equivalence.main([one.format(**paths) for one in arguments]) == 2
    assert words in capsys.readouterr().err
