"""Tiny models with forced answers, written to folders as transformers reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import torch
import transformers

WORDS = (
    ["cancel", "the", "order", "please", "ship", "parcel", "today", "museum", "opens", "on", "monday", "send", "it", "pay", "nothing", "delete", "everything"]
)  # fmt: skip
ORDER = {0: "contradiction", 1: "entailment", 2: "neutral"}
LONGEST = 24

Rule = Callable[[int, int], str]


def write_bert(folder: Path, logits: Sequence[float], id2label: Mapping[int, str] = ORDER) -> Path:
    """Writes a BERT of a few hundred weights whose logits are the same for every input."""
    words = {word: number for number, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])}
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=LONGEST,
        num_labels=len(logits),
        id2label=dict(id2label),
        label2id={label: index for index, label in id2label.items()},
    )
    model = transformers.BertForSequenceClassification(config)
    with torch.no_grad():
        model.classifier.weight.zero_()
        model.classifier.bias.copy_(torch.tensor(logits))
    model.save_pretrained(folder)
    transformers.BertTokenizer(vocab=words).save_pretrained(folder)
    return folder


class RuleModel(torch.nn.Module):
    """A model that entails by a rule on the two texts' numbers of tokens."""

    def __init__(self, rule: Rule, id2label: Mapping[int, str] = ORDER) -> None:
        super().__init__()
        self.rule = rule
        self.config = SimpleNamespace(id2label=id2label, max_position_embeddings=LONGEST, model_type="bert")
        self.batches: list[int] = []

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


def by_length(premise: int, hypothesis: int) -> str:
    return "entailment" if premise >= hypothesis else "neutral"


def alike(premise: int, hypothesis: int) -> str:
    return "entailment" if abs(premise - hypothesis) <= 1 else "contradiction"
