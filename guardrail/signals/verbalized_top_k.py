"""Verbalized confidence among k guesses (Tian et al. 2023, "Verb. 1S top-k"): others in view, a model states less.

The planned call is always guess 1, as it is quoted: the model adds up to k - 1 other calls and states a probability
for each. So nothing has to be recognised: the number stated for guess 1 is the planned call's.
"""

from __future__ import annotations

import math
import re
from typing import Final

from guardrail.catalogue import BUILT_IN
from guardrail.errors import ConfigError
from guardrail.signals.asking import (
    CONVERSATION_CHARACTERS,
    DATA,
    checked_limit,
    checked_prompt,
    described,
    missing,
    quoted,
    replies_to,
)
from guardrail.signals.evidence import Evidence
from guardrail.signals.verbalized import labelled, last_line, probability
from guardrail.types import PlanningStep, Question, Reply, Signal

PROMPT: Final = f"""\
You judge which tool call is right: what the conversation asks for now, with the right tool and the right value of \
every argument.

{DATA}

Guess 1 is the call under "call". Write up to $others other calls that could be right in its place (another tool, \
another value, an argument more or less, or none and a question instead), each on a line with its number, from 2 on.
Then end with one line for each guess, from guess 1 on: how likely it is right in every part, N being a number from 0 \
to 100, together at most 100:
P1: N%
P2: N%"""

_LABEL: Final = re.compile(r"p[0-9]+")
_TOKENS_A_GUESS: Final = 120


class VerbalizedTopK:
    """The probability stated for the planned call beside at most k - 1 others, in one question.

    Probabilities that together exceed 1 are scaled down to 1, so that this never raises the call's.

    Args:
        k: guesses, the planned call among them.
        prompt: the system message; ``$others`` stands for k - 1, and it has to ask for the last lines
            ``P1: <number>%``, ``P2: <number>%`` and so on.
        limit: the most characters of the conversation that are shown.

    Raises:
        ConfigError: an argument cannot be used.
    """

    def __init__(self, *, k: int = 4, prompt: str = PROMPT, limit: int = CONVERSATION_CHARACTERS) -> None:
        if not 2 <= k <= 10:
            raise ConfigError(f"k is {k}: give 2 to 10 guesses, the planned call among them")
        self._k = k
        self._prompt = checked_prompt(prompt, ("$others",))
        self._limit = checked_limit(limit)
        self.info = described(BUILT_IN["verbalized_top_k"], (prompt, limit, k), (PROMPT, CONVERSATION_CHARACTERS, 4))

    def questions(self, step: PlanningStep, index: int) -> tuple[Question, ...]:
        """The one question; none where the conversation is not known."""
        user = quoted(step, index, self._limit)
        if user is None:
            return ()
        return (
            Question(
                signal=self.info.name,
                about=index,
                system=self._prompt.replace("$others", str(self._k - 1)),
                user=user,
                max_tokens=_TOKENS_A_GUESS * self._k,
            ),
        )

    def measure(self, evidence: Evidence) -> Signal:
        """The planned call's probability."""
        why = replies_to(self.info, evidence, 1)
        found = why or _stated(evidence.replies[self.info.name][0], self._k)
        if isinstance(found, str):
            return missing(self.info, found)
        return Signal(name=self.info.name, unit=self.info.unit, value=found)


def _stated(reply: Reply, k: int) -> float | str:
    """Guess 1's probability, or why there is none."""
    if not reply.valid:
        return f"the answer is {reply.status.value}: {reply.detail or 'no reason was given'}"
    found = [(line, label, rest) for line, label, rest in labelled(reply.text) if _LABEL.fullmatch(label)]
    if [label for _, label, _ in found] != [f"p{number}" for number in range(1, len(found) + 1)]:
        return "the probabilities are not numbered 1, 2, 3 and so on, each once"
    if not 2 <= len(found) <= k:
        return f"the answer states {len(found)} probabilities in place of 2 to {k}"
    lines = [line for line, _, _ in found]
    said = [number for number, line in enumerate(reply.text.splitlines()) if line.strip() and number >= lines[0]]
    if said != lines or lines[-1] != last_line(reply.text):
        return "the answer does not end with its probabilities"
    values = [probability(rest) for _, _, rest in found]
    wrong = next((value for value in values if isinstance(value, str)), None)
    if wrong is not None:
        return wrong
    numbers = [value for value in values if isinstance(value, float)]
    return numbers[0] / max(1.0, math.fsum(numbers))
