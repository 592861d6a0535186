"""P(True): how likely the model finds it that its call is right (Kadavath et al. 2022, arXiv 2207.05221, section 4).

The call is shown as a proposed answer with two options, and the probabilities of the two letters at the first token
of the answer are compared. Models prefer a letter or a place, so both orders are asked and averaged.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
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
from guardrail.types import PlanningStep, Question, Reply, SampleStatus, Signal, Token

PROMPT: Final = f"""\
You judge whether a proposed tool call is right: what the conversation asks for now, with the right tool and the right \
value of every argument.

{DATA}

The proposed call is:
(A) $a
(B) $b
Answer with the letter A or B alone."""

LETTERS: Final = ("A", "B")
_OPTIONS: Final = ("right", "wrong")
_MAX_TOKENS: Final = 4
"""Some models open a bracket or a line first."""

_LETTER: Final = re.compile(r"[\s▁Ġ(\[*\"'`]*([AB])[)\].:*\"'`\s]*")
_BEFORE: Final = re.compile(r"[\s▁ĠĊ(\[*\"'`]*")
_ROUNDING: Final = 1e-2
"""Servers round log-probabilities, and top lists of speculative decoding sum to a little more than 1."""


@dataclass(frozen=True, kw_only=True)
class _Share:
    """p(right) / (p(A) + p(B)) in one order: the least and the greatest it can be."""

    least: float
    most: float


class PTrue:
    """The mean, over both orders of the options, of p(right letter) / (p(A) + p(B)).

    Letters are counted in every form a token gives them ("A", " A", "(A"). A letter that is not among the reported
    tokens is at most as likely as the least likely reported one, and as what all of them leave; the value takes the
    side that speaks against the call, and the bounds show both. The letter that was drawn counts for nothing.

    Args:
        prompt: the system message; ``$a`` and ``$b`` stand for the two options.
        limit: the most characters of the conversation that are shown.

    Raises:
        ConfigError: an argument cannot be used.
    """

    def __init__(self, *, prompt: str = PROMPT, limit: int = CONVERSATION_CHARACTERS) -> None:
        self._prompt = checked_prompt(prompt, ("$a", "$b"))
        self._limit = checked_limit(limit)
        self.info = described(BUILT_IN["p_true"], (prompt, limit), (PROMPT, CONVERSATION_CHARACTERS))

    def questions(self, step: PlanningStep, index: int) -> tuple[Question, ...]:
        """The question in both orders; none where the conversation is not known."""
        user = quoted(step, index, self._limit)
        if user is None:
            return ()
        return tuple(
            Question(
                signal=self.info.name,
                about=index,
                system=self._prompt.replace("$a", a).replace("$b", b),
                user=user,
                max_tokens=_MAX_TOKENS,
                letters=LETTERS,
            )
            for a, b in (_OPTIONS, _OPTIONS[::-1])
        )

    def measure(self, evidence: Evidence) -> Signal:
        """The mean, and its bounds; missing unless both orders gave the letters' probabilities."""
        why = replies_to(self.info, evidence, len(LETTERS))
        if why is not None:
            return missing(self.info, why)
        shares = [_share(reply, right) for reply, right in zip(evidence.replies[self.info.name], LETTERS, strict=True)]
        for order, share in enumerate(shares, start=1):
            if isinstance(share, str):
                return missing(self.info, f"order {order} of 2: {share}")
        found = [share for share in shares if isinstance(share, _Share)]
        least, most = (math.fsum(ends) / len(found) for ends in zip(*((s.least, s.most) for s in found), strict=True))
        bounds = (least, most) if least < most else None
        return Signal(name=self.info.name, unit=self.info.unit, value=least, bounds=bounds)


def _share(reply: Reply, right: str) -> _Share | str:
    # an answer that was cut after its first tokens has said all that is asked
    if reply.status not in (SampleStatus.OK, SampleStatus.TRUNCATED):
        return f"the answer is {reply.status.value}: {reply.detail or 'no reason was given'}"
    top = _top_of_answer(reply.tokens or ())
    if not top:
        return "the endpoint gave no probabilities of other tokens than the drawn one"
    if any(not math.isfinite(logprob) or logprob > _ROUNDING for _, logprob in top):
        return "a reported log-probability is none"
    masses = dict.fromkeys(LETTERS, 0.0)
    for text, logprob in top:
        letter = _LETTER.fullmatch(text)
        if letter is not None:
            masses[letter[1]] += math.exp(logprob)
    reported = math.fsum(math.exp(logprob) for _, logprob in top)
    if reported > 1 + _ROUNDING:
        return "the reported probabilities sum to more than 1"
    wrong = next(letter for letter in LETTERS if letter != right)
    if not masses[right] and not masses[wrong]:
        return f"neither letter is among the {len(top)} likeliest first tokens"
    unreported = min(math.exp(min(logprob for _, logprob in top)), max(0.0, 1.0 - reported))
    right_most, wrong_most = masses[right] or unreported, masses[wrong] or unreported
    return _Share(least=masses[right] / (masses[right] + wrong_most), most=right_most / (right_most + masses[wrong]))


def _top_of_answer(tokens: Sequence[Token]) -> tuple[tuple[str, float], ...]:
    """The likeliest tokens where the answer begins: after white space and an opening bracket, if it has such."""
    for token in tokens:
        if not _BEFORE.fullmatch(token.text):
            return token.top
    return ()
