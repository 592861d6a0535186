"""``python -m tests.benchmarks.clustering``: the fixed sets, the figures, and the peers where they are installed."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from guardrail.clustering import compare
from tests.benchmarks.clusterers import Ours, clusterers
from tests.benchmarks.clustering import SETS, big_step, main, read_sets, run, worst_case
from tests.benchmarks.predictor import CONTRADICTION, ENTAILMENT, NEUTRAL, Predictor, words_rule


@pytest.fixture(scope="module")
def sets():
    return read_sets(SETS)


def test_the_fixed_file_has_calls_and_texts_of_every_size(sets):
    assert len(sets) >= 40
    sizes = Counter((one.kind, len(one.groups)) for one in sets)
    assert sizes.keys() == {(kind, size) for kind in ("calls", "texts") for size in (5, 10, 20)}
    assert len({one.row.id for one in sets}) == len(sets)


def test_a_perfect_predictor_is_asked_little_and_gets_the_groups_right(sets):
    tallies = run(sets, Ours(), "truth")
    assert tallies["all"].pair_f1 > 0.98
    assert tallies["all"].batches <= 2 * len(sets)
    # one pair a sample is what a leader needs that finds everything equal, and tool calls need far less
    samples = sum(len(one.groups) for one in sets if one.kind == "calls")
    assert tallies["calls"].pairs < samples / 5


@pytest.mark.parametrize("predictor", ["truth", "words"])
def test_no_more_pairs_and_batches_than_the_peers(sets, predictor):
    ready, missing = clusterers()
    if missing:
        pytest.skip(f"{', '.join(missing)} not here in the version that is compared")
    found = {name: run(sets, library, predictor) for name, library in ready.items()}
    ours = found.pop("ours")
    for theirs in found.values():
        assert ours["all"].pairs <= theirs["all"].pairs
        assert ours["all"].batches <= theirs["all"].batches
    assert 5 * ours["calls"].pairs <= found["uqlm"]["calls"].pairs


@pytest.mark.parametrize("size", [5, 10, 20])
def test_the_worst_case_asks_about_every_pair_in_two_calls(size):
    predictor = Predictor(lambda *_: ENTAILMENT)
    assert Ours().groups(worst_case(size).row, predictor) == [list(range(size))]
    assert predictor.pairs == size * (size - 1) // 2


@pytest.mark.parametrize("equal", [True, False])
def test_a_step_of_three_calls_ten_samples_and_four_free_texts_takes_two_rounds(equal):
    plan, drawn, tools = big_step()
    assert (len(plan), len(drawn)) == (3, 10)
    comparison = compare(plan, drawn, tools)
    first = dict.fromkeys(comparison.against_plan, equal)
    assert len(first) == 3 * 10 * 4
    second = dict.fromkeys(comparison.open_pairs(first), equal)
    assert comparison.open_pairs({**first, **second}) == ()
    assert len(first) + len(second) == 3 * (11 * 10 // 2) * 4
    assert [len(call.clusters) for call in comparison.resolve({**first, **second}).calls] == [1 if equal else 11] * 3


@pytest.mark.parametrize(
    ("hypothesis", "premise", "label"),
    [
        ("It was written by Jane Austen", "Jane Austen", NEUTRAL),
        ("It was Jane Austen", "jane austen", ENTAILMENT),
        ("pay 20 euros", "pay 20.0 euros", ENTAILMENT),
        ("pay 20 euros", "pay 30 euros", CONTRADICTION),
        ("Dogs are allowed", "Dogs are not allowed", CONTRADICTION),
    ],
)
def test_the_rule_of_words(hypothesis, premise, label):
    assert words_rule(premise, hypothesis) == label


def test_it_prints_the_figures_and_what_is_missing(sets, tmp_path, capsys, monkeypatch):
    file = tmp_path / "sets.jsonl"
    file.write_text("\n".join(SETS.read_text(encoding="utf-8").splitlines()[-3:]))
    monkeypatch.setattr("tests.benchmarks.clusterers.version", lambda name: "0.0.1")
    monkeypatch.setattr("tests.benchmarks.clusterers.UQLM", Ours)
    monkeypatch.setattr("tests.benchmarks.clusterers.SemanticEntropyGate", Ours)
    assert main([str(file), "--json"]) == 0
    out = capsys.readouterr().out
    assert "uqlm is missing: compared is 0.6.7, installed is 0.0.1." in out
    assert "'uqlm==0.6.7' 'pyarrow<22'" in out
    found = json.loads(out.splitlines()[-1])
    assert found["libraries"]["ours"].keys() >= {"pairs", "batches", "seconds", "pair_f1"}
    assert found["missing"].keys() == {"uqlm", "semantic-entropy-gate"}
    assert found["worst_case"]["ours"]["20"] == {"pairs": 190, "batches": 13, "groups": 1}
    assert {name: one["rounds"] for name, one in found["step"].items()} == {"all equal": 2, "exact": 2}
    assert found["in_flight"]["calls"] <= 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"samples": ["a", "b"]}', "give one true group"),
        ('{"samples": ["a", "b"], "groups": [1]}', "give one true group"),
        ("{}", "'samples' is missing"),
        ("", "has no rows"),
    ],
)
def test_what_is_no_set_is_one_message_and_exit_code_2(tmp_path, capsys, line, said):
    (tmp_path / "sets.jsonl").write_text(line)
    assert main([str(tmp_path / "sets.jsonl")]) == 2
    assert said in capsys.readouterr().err
