"""The rule of bidirectional entailment over what an NLI model believes, wherever the model runs. No torch here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from guardrail.clustering import TextPair, narrows
from guardrail.errors import ConfigError, EntailmentError

Direction = tuple[str, str]
"""A premise and a hypothesis."""


@dataclass(frozen=True, kw_only=True)
class Belief:
    """Probabilities, in [0, 1], of what a premise does to a hypothesis."""

    entailment: float
    contradiction: float


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When two texts mean the same: each entails the other, and neither contradicts.

    Kuhn et al. 2023, arXiv:2302.09664, section 4.2, with probabilities instead of the likeliest label, a
    veto, and one exception: a short value and the same value with a common word more ("coconut",
    "coconut milk") differ, because NLI models take either for the other.

    Args:
        threshold: probability of entailment asked for in both directions, in [0.5, 1].
        veto: probability of contradiction, in either direction, that separates, in (0, 1].
        question: whether a description that is a question stands before both texts.

    Raises:
        ConfigError: a number lies outside its range.
    """

    threshold: float
    veto: float
    question: bool = False

    def __post_init__(self) -> None:
        if not (0.5 <= self.threshold <= 1 and 0 < self.veto <= 1):
            raise ConfigError(
                f"threshold must lie in [0.5, 1] and veto in (0, 1], but they are {self.threshold} and {self.veto}"
            )

    def asked(self, pairs: Iterable[TextPair]) -> list[Direction]:
        """The distinct directions that decide the pairs; none for pairs that need no model."""
        return sorted({direction for pair in pairs if self._open(pair) for direction in self._directions(pair)})

    def decide(self, pairs: Sequence[TextPair], beliefs: Mapping[Direction, Belief]) -> list[bool]:
        """Whether each pair means the same; a direction that nothing is believed of separates.

        Raises:
            EntailmentError: a probability is not a number.
        """
        for belief in beliefs.values():
            if not (math.isfinite(belief.entailment) and math.isfinite(belief.contradiction)):
                raise EntailmentError(
                    "the NLI model gave a probability that is not a number; load it in float32 or choose another model"
                )
        return [pair.a == pair.b or (self._open(pair) and self._both(pair, beliefs)) for pair in pairs]

    def _open(self, pair: TextPair) -> bool:
        if pair.a == pair.b or not pair.a.strip() or not pair.b.strip():
            return False
        return not narrows(pair.a, pair.b, said=f"{pair.argument} {self._before(pair)}")

    def _both(self, pair: TextPair, beliefs: Mapping[Direction, Belief]) -> bool:
        found = [beliefs.get(direction) for direction in self._directions(pair)]
        return all(
            belief is not None and belief.entailment >= self.threshold and belief.contradiction < self.veto
            for belief in found
        )

    def _directions(self, pair: TextPair) -> tuple[Direction, Direction]:
        before = self._before(pair)
        a, b = (f"{before} {text}" if before else text for text in (pair.a, pair.b))
        return (a, b), (b, a)

    def _before(self, pair: TextPair) -> str:
        asks = self.question and pair.description.rstrip().endswith("?")
        return pair.description.strip() if asks else ""


def outputs(name: str, labels: Mapping[int, str], renamed: Mapping[str, str] | None = None) -> tuple[int, int]:
    """Which outputs of a model mean entailment and contradiction, told by the names of its labels.

    Raises:
        ConfigError: the names do not tell; ``renamed`` says what they mean.
    """
    words = {index: meaning(label, renamed) for index, label in labels.items()}
    found = {word: [index for index, label in words.items() if label == word] for word in _MEANINGS}
    for word, indices in found.items():
        if len(indices) != 1:
            raise ConfigError(
                f"the NLI model {name!r} has labels {', '.join(map(str, labels.values()))}; exactly one of them must "
                f"be {word!r}. Set id2label in its configuration, give labels={{'LABEL_0': 'contradiction', ...}}, "
                "or choose a model with three-way labels."
            )
    return int(found["entailment"][0]), int(found["contradiction"][0])


_MEANINGS = ("entailment", "contradiction")


def meaning(label: object, renamed: Mapping[str, str] | None) -> str:
    """What a label means, in lower case."""
    label = str(label)
    return (renamed or {}).get(label, label).strip().casefold()
