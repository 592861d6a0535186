"""The NLI benchmark's own arithmetic, with a model of forced answers."""

from __future__ import annotations

import json

import pytest

from tests.benchmarks import nli

ROWS = [
    ("ship it", "pay it", "entailment", "three"),
    ("ship", "pay", "neutral", "three"),
    ("send it", "pay it", "contradiction", "three"),
    ("ship it today", "pay it today", "entailment", "two"),
    ("cancel it", "pay it", "not_entailment", "two"),
]


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "nli.jsonl"
    keys = ("premise", "hypothesis", "label", "source")
    path.write_text("\n".join(json.dumps(dict(zip(keys, row, strict=True))) for row in ROWS) + "\n\n")
    return path


def test_the_figures(bert, rows, capsys):
    always = bert([-1.0, 2.0, -1.0])  # entailment 0.91, contradiction 0.05
    assert nli.main([str(rows), "--backend", f"nli:{always}", "--sizes", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["accuracy"] == {
        "all": {"n": 5, "accuracy": 0.4},
        "three": {"n": 3, "accuracy": pytest.approx(1 / 3)},
        "two": {"n": 2, "accuracy": 0.5},
    }
    assert (found["both_ways"]["n"], found["both_ways"]["same"]) == (5, 2)
    by_threshold = {(one["threshold"], one["veto"]): one for one in found["both_ways"]["rule"]}
    assert (by_threshold[0.9, 0.1]["precision"], by_threshold[0.9, 0.1]["recall"]) == (0.4, 1.0)
    assert (by_threshold[0.95, None]["precision"], by_threshold[0.95, None]["recall"]) == (None, 0.0)
    assert set(found["speed"]) == {"2", "default"}
    assert (found["speed"]["2"]["batches"], found["speed"]["default"]["batches"]) == (5, 1)


def test_a_pair_labelled_both_ways_needs_both():
    labelled = [
        {"premise": a, "hypothesis": b, "label": label, "source": "s"}
        for a, b, label in (("a", "b", "entailment"), ("b", "a", "neutral"), ("c", "d", "entailment"))
    ]
    assert nli.both_ways(labelled) == {("a", "b"): False, ("c", "d"): True}


@pytest.mark.parametrize(
    ("text", "backend", "words"),
    [
        ("{}", "nli:any", "row 1"),
        ("", "nli:any", "no rows"),
        (None, "nli:any", "cannot read"),
        (
            json.dumps({"premise": "a", "hypothesis": "b", "label": "neutral", "source": "s"}),
            "structure",
            "not 'structure'",
        ),
    ],
)
def test_what_cannot_be_run_is_one_message_and_exit_code_2(tmp_path, capsys, text, backend, words):
    path = tmp_path / "rows.jsonl"
    if text is not None:
        path.write_text(text)
    assert nli.main([str(path), "--backend", backend]) == 2
    assert words in capsys.readouterr().err
