from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
import torch
import transformers

from guardrail.clustering import TextPair
from guardrail.errors import ConfigError, EntailmentError, MissingExtra
from guardrail_transformers import NLIEntailment
from tests.support.entailment_conformance import EntailmentLaws, pair

WORDS = [
    "cancel",
    "the",
    "order",
    "please",
    "ship",
    "parcel",
    "today",
    "museum",
    "opens",
    "on",
    "monday",
    "send",
    "it",
    "pay",
    "nothing",
    "delete",
    "everything",
]
ORDER = {0: "contradiction", 1: "entailment", 2: "neutral"}


@pytest.fixture(scope="session")
def bert(tmp_path_factory):
    """Writes a BERT of a few hundred weights whose logits are the same for every input."""

    def write(logits, id2label=ORDER):
        folder = tmp_path_factory.mktemp("bert")
        vocabulary = folder / "words.txt"
        vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
        words = {word: number for number, word in enumerate(vocabulary.read_text().splitlines())}
        config = transformers.BertConfig(
            vocab_size=len(words),
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            max_position_embeddings=24,
            num_labels=len(logits),
            id2label=id2label,
            label2id={label: index for index, label in id2label.items()},
        )
        model = transformers.BertForSequenceClassification(config)
        with torch.no_grad():
            model.classifier.weight.zero_()
            model.classifier.bias.copy_(torch.tensor(logits))
        model.save_pretrained(folder)
        transformers.BertTokenizer(vocab=words).save_pretrained(folder)
        return folder

    return write


class Rules(torch.nn.Module):
    """A model that entails by a rule on the two texts' numbers of tokens."""

    def __init__(self, rule, id2label=ORDER):
        super().__init__()
        self.rule = rule
        self.config = SimpleNamespace(id2label=id2label, max_position_embeddings=24, model_type="bert")
        self.batches = []

    def forward(self, input_ids, token_type_ids, attention_mask):
        self.batches.append(len(input_ids))
        second = (token_type_ids * attention_mask).sum(dim=1) - 1
        first = attention_mask.sum(dim=1) - second - 3
        labels = [self.rule(int(premise), int(hypothesis)) for premise, hypothesis in zip(first, second, strict=True)]
        index = {label: number for number, label in self.config.id2label.items()}
        logits = torch.full((len(labels), len(index)), -9.0)
        for row, label in enumerate(labels):
            logits[row, index[label]] = 9.0
        return SimpleNamespace(logits=logits)


@pytest.fixture
def ruled(bert, monkeypatch):
    """An ``NLIEntailment`` over the rule, and the model behind it."""

    def make(rule, **options):
        model = Rules(rule)
        monkeypatch.setattr(transformers.AutoModelForSequenceClassification, "from_pretrained", lambda name: model)
        return NLIEntailment(bert([0.0, 0.0, 0.0]), **options), model

    return make


def by_length(premise, hypothesis):
    return "entailment" if premise >= hypothesis else "neutral"


def alike(premise, hypothesis):
    return "entailment" if abs(premise - hypothesis) <= 1 else "contradiction"


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
    ],
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ConfigError):
        NLIEntailment("any", **options)


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
