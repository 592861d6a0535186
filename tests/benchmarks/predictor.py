"""One deterministic predictor of entailment, the same for every library, that counts what it is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from guardrail.clustering import TextPair
from guardrail.types import Sample

BATCH = 32
"""Premise-hypothesis pairs in one forward pass; uqlm's default, and taken for all."""

ENTAILMENT, NEUTRAL, CONTRADICTION = "entailment", "neutral", "contradiction"
Rule = Callable[[str, str], str]

_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_FILLERS = frozenset(
    {"a", "an", "the", "is", "it", "its", "was", "were", "be", "by", "of", "in", "on", "at", "to", "and", "or", "for"}
    | {"with", "that", "this", "there", "you", "your", "i", "we", "they", "yes", "no", "please", "should", "will"}
    | {"may", "can", "about", "roughly", "s"}
)
_NEGATIONS = frozenset({"not", "no", "never", "none", "nothing"})


class Predictor:
    """Answers by a rule, in batches, and counts: ``inputs`` are directed, two of them make a pair."""

    name = "predictor"

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.inputs = 0
        self.batches = 0

    @property
    def pairs(self) -> int:
        return self.inputs // 2

    def labels(self, directed: Sequence[tuple[str, str]]) -> list[str]:
        """What each premise does to its hypothesis; one call is as many batches as its inputs fill."""
        self.inputs += len(directed)
        self.batches += -(-len(directed) // BATCH)
        return [self.rule(premise, hypothesis) for premise, hypothesis in directed]

    def equivalent(self, pairs: Sequence[TextPair]) -> list[bool]:
        """As an ``Entailment``: both directions of all pairs in one call."""
        found = self.labels([direction for pair in pairs for direction in ((pair.a, pair.b), (pair.b, pair.a))])
        return [found[place : place + 2] == [ENTAILMENT] * 2 for place in range(0, len(found), 2)]

    async def aequivalent(self, pairs: Sequence[TextPair]) -> list[bool]:
        return self.equivalent(pairs)


def words_rule(premise: str, hypothesis: str) -> str:
    """Entailment where the premise has all the words and numbers of the hypothesis; no word of it means anything."""
    numbers = [{_value(found) for found in _NUMBER.findall(text)} for text in (premise, hypothesis)]
    words = [set(_WORD.findall(text.casefold())) for text in (premise, hypothesis)]
    negations = [bool(_NEGATIONS & found) for found in words]
    if numbers[0] != numbers[1] or negations[0] != negations[1]:
        return CONTRADICTION
    return ENTAILMENT if words[1] - _FILLERS <= words[0] else NEUTRAL


def truth_rule(samples: Sequence[Sample], groups: Sequence[int], texts: Sequence[str]) -> Rule:
    """Entailment where a set's labels say so, whatever is compared: whole samples, or values of one argument.

    Two values mean the same where samples of one group gave them for the same argument.
    """
    classes = _Classes()
    for group in sorted(set(groups)):
        members = [number for number, label in enumerate(groups) if label == group]
        for number in members[1:]:
            classes.join(texts[members[0]], texts[number])
        values = [_values(samples[number]) for number in members]
        for place in set().union(*values):
            given = [found[place] for found in values if place in found]
            for value in given[1:]:
                classes.join(given[0], value)
    return lambda premise, hypothesis: ENTAILMENT if classes.same(premise, hypothesis) else NEUTRAL


def as_text(sample: Sample, *, text: bool) -> str:
    """A sample as the libraries that know no calls get it: what was said, or the calls in JSON."""
    if text or not sample.calls:
        return sample.text or next((str(value) for call in sample.calls for value in call.arguments.values()), "")
    return json.dumps([{"name": call.name, "arguments": call.arguments} for call in sample.calls], ensure_ascii=False)


class _Classes:
    """Texts that mean the same, whatever their spaces."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def join(self, a: str, b: str) -> None:
        self._of[self._root(b)] = self._root(a)

    def same(self, a: str, b: str) -> bool:
        return self._root(a) == self._root(b)

    def _root(self, text: str) -> str:
        text = " ".join(text.split())
        while self._of.get(text, text) != text:
            text = self._of[text]
        return text


def _values(sample: Sample) -> dict[tuple[str, ...], str]:
    """The texts given for each argument of the tools that are called once."""
    names = [call.name for call in sample.calls]
    return {
        (call.name, *path): value
        for call in sample.calls
        if names.count(call.name) == 1
        for path, value in _leaves(call.arguments, ())
    }


def _leaves(value: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _leaves(inner, (*path, name))
        elif isinstance(inner, str):
            yield (*path, name), inner


def _value(number: str) -> float | str:
    try:
        return float(number.replace(",", ""))
    except ValueError:
        return number
