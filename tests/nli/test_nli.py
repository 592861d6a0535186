from __future__ import annotations

import asyncio
import gc
import math
import subprocess
import sys
import threading

import pytest
import torch
import transformers

from guardrail.clustering import TextPair
from guardrail.errors import ConfigError, EntailmentError, MissingExtra
from guardrail_transformers import NLIEntailment, Work, cross_encoder
from tests.support.entailment_conformance import EntailmentLaws, pair
from tests.support.tiny_bert import alike, by_length


class TestLaws(EntailmentLaws):
    same = ("cancel the order", "please cancel the order")
    different = ("ship", "the museum opens on monday")

    @pytest.fixture
    def entailment(self, ruled):
        return ruled(alike)[0]


@pytest.mark.parametrize(
    ("id2label", "expected"),
    [
        ({0: "contradiction", 1: "entailment", 2: "neutral"}, False),
        ({0: "entailment", 1: "neutral", 2: "contradiction"}, True),
        ({0: "ENTAILMENT", 1: "NEUTRAL", 2: "CONTRADICTION"}, True),
        ({0: "neutral", 1: "entailment", 2: "contradiction"}, False),
    ],
)
def test_what_an_output_means_is_read_from_the_models_labels(bert, id2label, expected):
    first_output_wins = bert([9.0, 0.0, 0.0], id2label)
    assert NLIEntailment(first_output_wins).equivalent([pair("ship", "pay")]) == [expected]


@pytest.mark.parametrize(
    "id2label",
    [
        {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"},
        {0: "entailment", 1: "not_entailment"},
        {0: "positive", 1: "neutral", 2: "negative"},
    ],
)
def test_labels_that_do_not_tell_are_refused_by_name(bert, id2label):
    folder = bert([0.0] * len(id2label), id2label)
    with pytest.raises(ConfigError, match=next(iter(reversed(id2label.values())))):
        NLIEntailment(folder).equivalent([pair("ship", "pay")])


def test_labels_that_do_not_tell_can_be_named(bert):
    folder = bert([-9.0, 9.0, -9.0], {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"})
    named = {"LABEL_0": "contradiction", "LABEL_1": "entailment", "LABEL_2": "neutral"}
    assert NLIEntailment(folder, labels=named).equivalent([pair("ship", "pay")]) == [True]
    swapped = {"LABEL_1": "contradiction", "LABEL_0": "entailment"}
    assert NLIEntailment(folder, labels=swapped).equivalent([pair("ship", "pay")]) == [False]


def test_entailment_in_one_direction_only_never_merges(ruled):
    judge, model = ruled(by_length)
    assert judge.equivalent([pair("cancel the order please", "cancel the order")]) == [False]
    assert judge.equivalent([pair("cancel the order", "ship the parcel")]) == [True]
    assert sum(model.batches) == 4


@pytest.mark.parametrize(("logits", "expected"), [([1.5, 9.0, 0.0], True), ([3.0, 5.0, 0.0], False)])
def test_a_contradiction_vetoes_beside_entailment(bert, logits, expected):
    judge = NLIEntailment(bert(logits), threshold=0.5, veto=0.1)
    assert judge.equivalent([pair("ship", "pay")]) == [expected]


def test_the_threshold_is_asked_for(bert):
    folder = bert([-9.0, 2.0, 0.0])  # entailment 0.88
    assert NLIEntailment(folder, threshold=0.85).equivalent([pair("ship", "pay")]) == [True]
    assert NLIEntailment(folder, threshold=0.95).equivalent([pair("ship", "pay")]) == [False]


def test_a_probability_that_is_not_a_number_is_a_failed_measurement(bert):
    with pytest.raises(EntailmentError, match="not a number"):
        NLIEntailment(bert([math.nan, 9.0, 0.0])).equivalent([pair("ship", "pay")])


def test_what_the_model_raises_is_a_failed_measurement(ruled):
    def fail(premise, hypothesis):
        raise RuntimeError("out of memory")

    with pytest.raises(EntailmentError, match="out of memory"):
        ruled(fail)[0].equivalent([pair("ship", "pay")])


def test_a_text_too_long_for_the_model_differs_and_is_never_cut(bert):
    judge = NLIEntailment(bert([-9.0, 9.0, -9.0]))
    fits, too_long = "order " * 17, "order " * 30
    assert judge.equivalent([pair("ship", fits), pair("ship", too_long), pair("ship", "pay")]) == [True, False, True]
    assert NLIEntailment(bert([-9.0, 9.0, -9.0]), max_length=10).equivalent([pair("ship", fits)]) == [False]


def test_equal_and_blank_texts_need_no_model():
    judge = NLIEntailment("no/such-model")
    assert judge.equivalent([pair("ship", "ship"), pair("", "ship"), pair(" ", "")]) == [True, False, False]


def test_every_direction_is_judged_once_in_batches(ruled):
    judge, model = ruled(alike, batch_size=4)
    pairs = [pair("ship", "pay"), pair("pay", "ship"), pair("ship", "send it"), pair("pay", "send it")]
    assert judge.equivalent(pairs) == [True] * 4
    assert model.batches == [4, 2]


def test_one_batch_a_round_where_the_tokens_allow(ruled):
    pairs = [pair("ship " * k, "pay " * k) for k in range(1, 6)]
    judge, model = ruled(alike)
    assert judge.equivalent(pairs) == [True] * 5
    assert model.batches == [10]
    # special tokens included, the pairs take 5, 7, 9, 11 and 13 tokens: 4 of at most 7 fit into 30, then 3 of 9
    judge, model = ruled(alike, batch_tokens=30)
    assert judge.equivalent(pairs) == [True] * 5
    assert model.batches == [4, 2, 2, 2]


def test_the_work_is_counted(ruled):
    judge, _ = ruled(alike)
    assert judge.stats == Work()
    judge.equivalent([pair("ship", "pay"), pair("ship it", "pay it"), pair("ship", "ship"), pair("", "ship")])
    assert judge.stats == Work(rounds=1, pairs=2, inputs=4, batches=1, tokens=2 * 5 + 2 * 7, padded_tokens=4 * 7)
    judge.equivalent([pair("ship", "pay")])
    assert (judge.stats.rounds, judge.stats.pairs, judge.stats.batches) == (2, 3, 2)


def test_padding_changes_no_answer(bert):
    """Random weights, so that every token counts: alone and among longer pairs the beliefs are the same."""
    torch.manual_seed(1)
    folder = bert([0.0, 0.0, 0.0])
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    with torch.no_grad():
        for weights in model.parameters():
            weights.normal_(0, 0.5)
    model.save_pretrained(folder)
    encoder = cross_encoder.load(str(folder), device="cpu", dtype="float32", runtime="torch")
    asked = [
        ("ship", "pay"),
        ("ship it today", "cancel the order please"),
        ("pay nothing", "send the parcel on monday"),
    ]

    def believed(directions):
        return encoder.beliefs(directions, labels=(1, 0), limit=24, size=8, tokens=1000)[0]

    together = believed(asked)
    assert len({round(belief.entailment, 3) for belief in together.values()}) == 3
    for direction in asked:
        alone = believed([direction])[direction]
        assert math.isclose(alone.entailment, together[direction].entailment, abs_tol=1e-5)
        assert math.isclose(alone.contradiction, together[direction].contradiction, abs_tol=1e-5)


def test_a_common_word_more_is_not_put_to_the_model(ruled):
    judge, model = ruled(lambda *_: "entailment")
    assert judge.equivalent([pair("order", "museum order"), pair("order", "Museum order")]) == [False, True]
    asked = TextPair(tool="t", argument="museum_order", a="museum order", b="order")
    assert judge.equivalent([asked]) == [True]
    assert model.batches == [2, 2]


def test_a_question_stands_before_both_texts_if_asked_for(ruled):
    lengths = []
    asked = TextPair(tool="ask", argument="answer", description="ship it today?", a="pay", b="send")
    plain = TextPair(tool="ask", argument="answer", description="ship it today", a="pay", b="send")

    def note(premise, hypothesis):
        lengths.append((premise, hypothesis))
        return "entailment"

    for question, given in ((True, asked), (True, plain), (False, asked)):
        assert ruled(note, question=question)[0].equivalent([given]) == [True]
    assert lengths == [(5, 5)] * 2 + [(1, 1)] * 4


@pytest.mark.parametrize("broken", ["nothing there", "no weights"])
def test_a_model_that_cannot_be_loaded_says_what_to_do(bert, tmp_path, broken, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "model"
    if broken == "no weights":
        folder = bert([0.0, 0.0, 0.0])
        for weights in folder.glob("*.safetensors"):
            weights.unlink()
    with pytest.raises(ConfigError, match="Give a folder"):
        NLIEntailment(folder).equivalent([pair("ship", "pay")])


@pytest.mark.parametrize(
    "options",
    [
        {"threshold": 0.4},
        {"threshold": 1.1},
        {"veto": 0.0},
        {"batch_size": 0},
        {"max_length": 0},
        {"threshold": math.nan},
        {"batch_tokens": 0},
        {"dtype": "int8"},
        {"runtime": "tensorflow"},
    ],
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ConfigError):
        NLIEntailment("any", **options)


def test_weights_that_are_missing_name_the_command(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match="Run: hf download nobody/nothing"):
        NLIEntailment("nobody/nothing").load()


def test_an_unknown_device_is_refused(bert):
    with pytest.raises(ConfigError, match="nowhere"):
        NLIEntailment(bert([0.0, 0.0, 0.0]), device="nowhere").load()


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr("guardrail_transformers.nli.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"guardrail-middleware\[transformers\]"):
        NLIEntailment()


def test_threads_and_tasks_load_the_model_once(bert, monkeypatch):
    folder, loads = bert([-9.0, 9.0, -9.0]), []
    load = transformers.AutoModelForSequenceClassification.from_pretrained
    monkeypatch.setattr(
        transformers.AutoModelForSequenceClassification,
        "from_pretrained",
        lambda name: loads.append(threading.get_ident()) or load(name),
    )
    judge = NLIEntailment(folder)

    async def many():
        return await asyncio.gather(*(judge.aequivalent([pair("ship", "pay")]) for _ in range(6)))

    assert asyncio.run(many()) == [[True]] * 6
    assert len(loads) == 1
    assert loads[0] != threading.get_ident()


def test_objects_share_one_loaded_model_and_drop_it_together(bert, monkeypatch):
    folder, loads = bert([-9.0, 9.0, -9.0]), []
    load = transformers.AutoModelForSequenceClassification.from_pretrained
    monkeypatch.setattr(
        transformers.AutoModelForSequenceClassification,
        "from_pretrained",
        lambda name: loads.append(name) or load(name),
    )
    judges = [NLIEntailment(folder, threshold=threshold) for threshold in (0.6, 0.9)]
    assert [judge.equivalent([pair("ship", "pay")]) for judge in judges] == [[True]] * 2
    assert len(loads) == 1
    NLIEntailment(folder, dtype="bfloat16").load()
    assert len(loads) == 2
    del judges
    gc.collect()
    NLIEntailment(folder).load()
    assert len(loads) == 3


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_gives_the_same_answer(bert, dtype):
    assert NLIEntailment(bert([-9.0, 9.0, -9.0]), dtype=dtype).equivalent([pair("ship", "pay")]) == [True]


def test_the_best_device_is_found(bert):
    judge = NLIEntailment(bert([-9.0, 9.0, -9.0]), device="auto")
    assert judge.equivalent([pair("ship", "pay")]) == [True]


def test_the_package_loads_neither_torch_nor_transformers():
    code = "import sys, guardrail_transformers.nli as n; n.NLIEntailment(); print([m for m in ('torch', 'transformers') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_judges_only_the_two_texts(ruled):
    judge, model = ruled(alike)
    long_description = "the " * 50
    asked = TextPair(tool="t", argument="memo", a="pay", b="ship", description=long_description)
    assert judge.equivalent([asked]) == [True]
    assert sum(model.batches) == 2
