"""How likely the model found the name and the argument values of a planned call.

Keys, braces and what a template puts around a call are nearly certain whatever the call says, so that they only
dilute: only tokens that overlap the tool's name or an argument's value count (Ye et al. 2026, arXiv 2604.22985). A
value is what JSON writes: the quote that ends a text says that nothing follows, and the commas of a list how many items
it has, so that they are as much the model's choice as the characters. Which tokens those are is known only if the
tokens spell exactly the calls of the plan; otherwise there is no number.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from guardrail.signals.exact import TooDeep
from guardrail.signals.json_spans import Span
from guardrail.signals.spelling import spelled
from guardrail.types import Sample, Token

ROUNDING: Final = 1e-6
"""Servers round: a certain token may be reported a little above 0."""
STAND_IN: Final = -9999.0
"""What servers report, or less, for a token whose log-probability they do not give, or cannot write."""

_LAST_ASCII: Final = "\x7f"


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """The tokens that overlap the name and values of a call, in their order; or why they are not known."""

    tokens: tuple[Token, ...] = ()
    missing: str | None = None

    @property
    def logprobs(self) -> tuple[float, ...]:
        """Their log-probabilities, in nats."""
        return tuple(min(token.logprob, 0.0) for token in self.tokens)

    @property
    def mean(self) -> float:
        """Mean log-probability a token."""
        return self.sum / len(self.tokens)

    @property
    def min(self) -> float:
        """Log-probability of the least likely token."""
        return min(self.logprobs)

    @property
    def sum(self) -> float:
        """Joint log-probability of the tokens, given all that was written before each."""
        return math.fsum(self.logprobs)


def call_logprobs(planned: Sample, index: int) -> Alignment:
    """Finds the tokens of the name and the argument values of ``planned.calls[index]``.

    The tokens' text may hold the calls in the form of a chat template, among other text (code fences, tags, prose,
    thoughts), or their arguments alone; then there are only values. A token counts as a whole where one of its
    characters does. A character that is spread over several tokens belongs to all of them: those without text beside
    it, and those that have U+FFFD in its place.
    """
    if not planned.tokens:
        return Alignment(missing="the provider gave no log-probabilities")
    if any(not token.logprob <= ROUNDING or math.isinf(token.logprob) for token in planned.tokens):
        return Alignment(missing="a token's log-probability is not a log-probability")
    try:
        counted = _counted(planned, index)
    except _NotAligned as error:
        return Alignment(missing=str(error))
    if any(token.logprob <= STAND_IN for token in counted):
        return Alignment(missing=f"a token's log-probability is only said to be below {STAND_IN:.0f}")
    return Alignment(tokens=counted)


class _NotAligned(ValueError):
    """It is not known which tokens are those of the call; the message says why."""


def _counted(planned: Sample, index: int) -> tuple[Token, ...]:
    tokens = planned.tokens or ()
    pieces = _pieces(tokens)
    text = "".join(pieces)
    try:
        found = spelled(text, planned.calls)
    except TooDeep as error:
        raise _NotAligned(f"the calls are {error}") from error
    if found is None:
        why = "" if "{" in text else ": there is no JSON, only words or another form of calls"
        raise _NotAligned(f"the tokens do not spell the planned calls{why}")
    counted = tuple(_overlapping(tokens, pieces, text, found[index]))
    if not counted:
        raise _NotAligned("the call has neither name nor value tokens")
    return counted


def _pieces(tokens: Sequence[Token]) -> list[str]:
    """The tokens' texts. Two halves of a surrogate pair become their character, which the first of them has."""
    pieces: list[str] = []
    last = -1
    for token in tokens:
        text = token.text
        if last >= 0 and "\ud800" <= pieces[last][-1] <= "\udbff" and "\udc00" <= text[:1] <= "\udfff":
            pair = pieces[last][-1] + text[0]
            pieces[last] = pieces[last][:-1] + pair.encode("utf-16", "surrogatepass").decode("utf-16")
            text = text[1:]
        pieces.append(text)
        last = len(pieces) - 1 if text else last
    return pieces


def _overlapping(tokens: Sequence[Token], pieces: Sequence[str], text: str, spans: Sequence[Span]) -> Iterator[Token]:
    """The tokens with a part in one of the spans, which are in order and apart."""
    ends = [right for _, right in spans]
    start = 0
    for token, piece in zip(tokens, pieces, strict=True):
        end = start + len(piece)
        after = bisect_right(ends, start)
        if piece:
            counts = after < len(spans) and spans[after][0] < end
        else:
            counts = any(_is_part(start, span, text) for span in spans[max(after - 1, 0) : after + 1])
        if counts:
            yield token
        start = end


def _is_part(place: int, span: Span, text: str) -> bool:
    """Whether a token without text belongs to a span: inside, or beside its first or last character if that is one
    which tokens can share.
    """
    left, right = span
    return (
        left < place < right
        or (place == left and text[left] > _LAST_ASCII)
        or (place == right and text[right - 1] > _LAST_ASCII)
    )
