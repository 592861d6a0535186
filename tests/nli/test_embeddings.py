"""Sentence embeddings with real weights: what the guard separates, what the cosine decides, what it takes."""

from __future__ import annotations

import asyncio
import math
import shutil

import pytest
import torch
import transformers

from guardrail.clustering import TextPair
from guardrail.errors import ConfigError, EntailmentError, MissingExtra
from guardrail_transformers import EmbeddingEntailment
from tests.support.entailment_conformance import EntailmentLaws, pair


@pytest.fixture
def judge(minilm):
    return EmbeddingEntailment(minilm)


class TestLaws(EntailmentLaws):
    same = ("cancel the order", "please cancel the order")

    @pytest.fixture
    def entailment(self, judge):
        return judge


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("fix the broken printer", "repair the broken printer"),
        ("Berlin weather forecast", "weather forecast for Berlin"),
        ("the invoice was paid by the customer", "the customer paid the invoice"),
        ("the customer asked for a discount", "the customer requested a discount"),
        ("order three chairs", "order 3 chairs"),
        ("light gray", "light grey"),
    ],
)
def test_the_same_in_other_words(judge, a, b):
    assert judge.equivalent([pair(a, b)]) == [True]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("the customer wants a refund", "the customer does not want a refund"),
        ("order 3 chairs for the hall", "order 30 chairs for the hall"),
        ("deliver it on Monday", "deliver it on Tuesday"),
        ("a trip of five kilometres", "a trip of five miles"),
        ("from Boston to Denver", "from Denver to Boston"),
        ("grant access to the vault", "revoke access to the vault"),
        ("the parcel is complete", "the parcel is incomplete"),
        ("coconut", "coconut milk"),
        ("email Bob the report", "email Bob the report and delete the archive"),
        ("Emma Clarke", "Emily Clarke"),
        ("red wine", "white wine"),
        ("Slovakia", "Slovenia"),
        ("the museum is closed", "cancel the subscription"),
    ],
)
def test_near_misses_differ(judge, a, b):
    assert judge.equivalent([pair(a, b)]) == [False]


def test_the_cosine_asked_for_is_a_choice(minilm):
    asked = [pair("fix the broken printer", "repair the broken printer"), pair("flu symptoms", "symptoms of the flu")]
    assert EmbeddingEntailment(minilm, threshold=0.99).equivalent(asked) == [False, True]
    assert EmbeddingEntailment(minilm, same_words=1.0).equivalent(asked) == [True, False]


def test_under_the_question_asked_its_words_say_nothing_new(minilm):
    asked = TextPair(
        tool="ask", argument="answer", description="What is the capital of France?", a="Paris", b="The capital is Paris"
    )
    assert EmbeddingEntailment(minilm, question=True).equivalent([asked]) == [True]
    assert EmbeddingEntailment(minilm).equivalent([asked]) == [False]


def test_a_text_too_long_for_the_model_differs_and_spoils_no_other(judge):
    long = "the order is late because the lorry broke down " * 80
    assert judge.equivalent([pair("send it", "send it please"), pair(f"please {long}", long)]) == [True, False]


def test_only_what_the_guard_leaves_open_goes_through_the_model(judge):
    judge.equivalent([pair("order 3 chairs", "order 4 chairs"), pair("ship", "ship"), pair("", "ship")])
    assert judge.stats.batches == 0
    judge.equivalent([pair("coconut", "coconut milk"), pair("flu symptoms", "symptoms of the flu")])
    assert (judge.stats.rounds, judge.stats.pairs, judge.stats.inputs) == (1, 1, 2)
    assert judge.stats.padded_tokens >= judge.stats.tokens > 0


def test_the_embedding_is_the_models_own(minilm, judge):
    """Mean of the token states, scaled to length 1, as the model's card tells it."""
    texts = ["fix the broken printer", "a much longer sentence about an entirely different thing"]
    tokenizer, model = (
        kind.from_pretrained(str(minilm)) for kind in (transformers.AutoTokenizer, transformers.AutoModel)
    )
    with torch.inference_mode():
        states = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0) for text in texts]
    judge.load()
    found, _ = judge._loaded.embed(texts, size=8, tokens=1000)
    for text, state in zip(texts, states, strict=True):
        assert torch.allclose(found[text], state / state.norm(), atol=1e-5)


def test_objects_and_threads_share_one_loaded_model(minilm, monkeypatch):
    loads = []
    load = transformers.AutoModel.from_pretrained
    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", lambda name: loads.append(name) or load(name))
    judges = [EmbeddingEntailment(minilm, dtype="bfloat16") for _ in range(4)]

    async def many():
        return await asyncio.gather(*(one.aequivalent([pair("send it", "send it please")]) for one in judges))

    assert asyncio.run(many()) == [[True]] * 4
    assert len(loads) == 1


def test_a_number_that_is_not_finite_is_a_failed_measurement(minilm, monkeypatch):
    judge = EmbeddingEntailment(minilm)
    judge.load()
    broken = torch.full((2, 4), math.nan)
    monkeypatch.setattr(type(judge._loaded.encoder), "embeddings", lambda self, columns: broken)
    with pytest.raises(EntailmentError, match="not finite"):
        judge.equivalent([pair("send it", "send it please")])


def test_what_the_model_raises_is_a_failed_measurement(minilm, monkeypatch):
    def fail(self, columns):
        raise RuntimeError("out of memory")

    judge = EmbeddingEntailment(minilm)
    judge.load()
    monkeypatch.setattr(type(judge._loaded.encoder), "embeddings", fail)
    with pytest.raises(EntailmentError, match="out of memory"):
        judge.equivalent([pair("send it", "send it please")])


def test_missing_weights_and_packages_say_what_to_run(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match="Run: hf download nobody/nothing"):
        EmbeddingEntailment("nobody/nothing").load()
    with pytest.raises(ConfigError, match="Give a folder"):
        EmbeddingEntailment(shutil.copytree(tmp_path, tmp_path / "empty")).load()
    monkeypatch.setattr("guardrail_transformers.embeddings.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"guardrail-middleware\[transformers\]"):
        EmbeddingEntailment()


@pytest.mark.parametrize(
    "options",
    [
        {"threshold": 0.4},
        {"same_words": 1.1},
        {"threshold": math.nan},
        {"batch_size": 0},
        {"batch_tokens": 0},
        {"dtype": "int8"},
    ],
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ConfigError):
        EmbeddingEntailment("any", **options)
