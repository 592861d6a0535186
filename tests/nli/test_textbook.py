"""The textbook case: three ways to say Paris are one meaning under the question asked, and Rome is another.

With the packaged sentence embeddings always, and with an NLI model where GUARDRAIL_NLI_MODEL names a folder or an
identifier of the hub.
"""

from __future__ import annotations

import os

import pytest

from guardrail.clustering import compare
from guardrail.types import Sample, ToolCall, ToolSpec
from guardrail_transformers import EmbeddingEntailment, NLIEntailment

QUESTION = "What is the capital of France?"
PARIS = ("Paris", "It's Paris", "The capital is Paris")
ANSWERS = (*PARIS, "Rome")
TOOL = ToolSpec(
    name="answer",
    parameters={"type": "object", "properties": {"reply": {"type": "string", "description": QUESTION}}},
)
NLI = os.environ.get("GUARDRAIL_NLI_MODEL", "")
needs_nli = pytest.mark.skipif(not NLI, reason="GUARDRAIL_NLI_MODEL names no NLI model")


def meanings(entailment) -> set[frozenset[str]]:
    """The clusters that samples of the four answers fall into."""
    calls = [ToolCall(name="answer", arguments={"reply": reply}) for reply in ANSWERS]
    comparison = compare(calls[:1], [Sample(calls=(call,)) for call in calls], [TOOL])
    pairs = list(comparison.pairs)
    found = comparison.resolve(dict(zip(pairs, entailment.equivalent(pairs), strict=True)))
    return {frozenset(ANSWERS[k] for k in cluster.members) for cluster in found.calls[0].clusters}


def test_embeddings_under_the_question(minilm):
    assert meanings(EmbeddingEntailment(minilm, question=True)) == {frozenset(PARIS), frozenset({"Rome"})}


def test_embeddings_without_the_question_merge_nothing_wrong(minilm):
    assert frozenset({"Rome"}) in meanings(EmbeddingEntailment(minilm))


@needs_nli
def test_nli_under_the_question():
    assert meanings(NLIEntailment(NLI, question=True)) == {frozenset(PARIS), frozenset({"Rome"})}


@needs_nli
def test_nli_without_the_question_merges_nothing_wrong():
    assert frozenset({"Rome"}) in meanings(NLIEntailment(NLI))
