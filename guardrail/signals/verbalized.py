"""Verbalized confidence: the model states how likely its call is right (Tian et al. 2023, arXiv 2305.14975).

Reasons against come first, then a number: asked for the number alone, models state high round numbers. The number is
read from the last line and from nowhere else, and only where it says on which scale it is.
"""

from __future__ import annotations

import re
from typing import Final

from guardrail.catalogue import BUILT_IN
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
from guardrail.types import PlanningStep, Question, Reply, Signal

PROMPT: Final = f"""\
You judge whether a proposed tool call is right: what the conversation asks for now, with the right tool and the right \
value of every argument.

{DATA}

Answer in exactly two lines. First what could be wrong with the call, then how likely it is right in every part, N \
being a number from 0 to 100:
Against: ...
Confidence: N%"""

_MARKUP: Final = " \t\r*_`#>"
_STATED: Final = re.compile(r"(?P<label>[a-z]+ ?[0-9]*)[*_` ]*[:=](?P<rest>.*)", re.IGNORECASE)
_NUMBER: Final = re.compile(
    r"(?P<sign>[-+]?)(?P<number>[0-9]+(\.[0-9]+)?)\s*(?P<scale>%|percent|/\s*100)?", re.IGNORECASE
)
_MAX_TOKENS: Final = 256
_LONGEST_QUOTE: Final = 40


class VerbalizedConfidence:
    """The probability that the model states, in one question.

    Args:
        prompt: the system message; it has to ask for the last line ``Confidence: <number>%``.
        limit: the most characters of the conversation that are shown.
        max_tokens: the most tokens of the answer; one that is cut is no answer.

    Raises:
        ConfigError: an argument cannot be used.
    """

    def __init__(
        self, *, prompt: str = PROMPT, limit: int = CONVERSATION_CHARACTERS, max_tokens: int = _MAX_TOKENS
    ) -> None:
        self._prompt = checked_prompt(prompt)
        self._limit = checked_limit(limit)
        self._max_tokens = max_tokens
        self.info = described(BUILT_IN["verbalized_confidence"], (prompt, limit), (PROMPT, CONVERSATION_CHARACTERS))

    def questions(self, step: PlanningStep, index: int) -> tuple[Question, ...]:
        """The one question; none where the conversation is not known."""
        user = quoted(step, index, self._limit)
        if user is None:
            return ()
        return (
            Question(signal=self.info.name, about=index, system=self._prompt, user=user, max_tokens=self._max_tokens),
        )

    def measure(self, evidence: Evidence) -> Signal:
        """The stated probability."""
        why = replies_to(self.info, evidence, 1)
        if why is not None:
            return missing(self.info, why)
        return stated(self.info.name, evidence.replies[self.info.name][0])


def stated(name: str, reply: Reply) -> Signal:
    """The probability on the last line of an answer, as the signal of that name."""
    info = BUILT_IN[name]
    if not reply.valid:
        return missing(info, f"the answer is {reply.status.value}: {reply.detail or 'no reason was given'}")
    found = labelled(reply.text)
    named = [(line, rest) for line, label, rest in found if label == "confidence"]
    if not named:
        return missing(info, "the answer states no confidence")
    if len(named) > 1:
        return missing(info, f"the answer states {len(named)} confidences")
    line, rest = named[0]
    if line != last_line(reply.text):
        return missing(info, "the answer does not end with its confidence")
    value = probability(rest)
    return missing(info, value) if isinstance(value, str) else Signal(name=name, unit=info.unit, value=value)


def labelled(text: str) -> list[tuple[int, str, str]]:
    """Every line of the form ``Label: rest``: its number, the label in lower case, and the rest."""
    found = []
    for number, line in enumerate(text.splitlines()):
        match = _STATED.fullmatch(line.strip(_MARKUP))
        if match is not None:
            found.append((number, match["label"].lower().replace(" ", ""), match["rest"].strip(_MARKUP)))
    return found


def last_line(text: str) -> int:
    """The number of the last line that says anything."""
    said = [number for number, line in enumerate(text.splitlines()) if line.strip(_MARKUP)]
    return said[-1] if said else -1


def probability(written: str) -> float | str:
    """The probability in [0, 1] that was written, or why it is none.

    With ``%`` or ``/100`` it is a percentage. Without, only what can be on one scale alone is taken: what is below 1,
    and what is above 10; from 1 to 10 it could be on several.
    """
    shown = f"{written[:_LONGEST_QUOTE]!r}"
    match = _NUMBER.fullmatch(written.removesuffix(".").strip())
    if match is None:
        return f"{shown} is not one number"
    number = float(match["number"])
    if match["sign"] or number > 100:
        return f"{shown} is no probability"
    if match["scale"]:
        return number / 100
    if number < 1:
        return number
    if number > 10:
        return number / 100
    return f"{shown} does not say on which scale it is"
