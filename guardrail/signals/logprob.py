"""How likely the model found the name and the argument values of a planned call.

Quotes, braces and keys are nearly certain whatever the call says, so that they only dilute: only tokens
that overlap a tool name or an argument value count (Ye et al. 2026, arXiv 2604.22985). Which tokens those
are is known only if the tokens spell exactly the calls of the plan; otherwise there is no number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from guardrail.signals.exact import TooDeep, exact
from guardrail.signals.json_spans import Node, objects
from guardrail.types import Sample, Token, ToolCall

Span = tuple[int, int]

_ARGUMENTS: Final = ("arguments", "parameters", "args", "input")
_ROUNDING: Final = 1e-6
"""Servers round: a certain token may be reported a little above 0."""


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """Log-probabilities, in nats, of the tokens that overlap the name and values of a call; or why there are none."""

    logprobs: tuple[float, ...] = ()
    missing: str | None = None

    @property
    def mean(self) -> float:
        """Mean log-probability a token."""
        return math.fsum(self.logprobs) / len(self.logprobs)

    @property
    def min(self) -> float:
        """Log-probability of the least likely token."""
        return min(self.logprobs)


def call_logprobs(planned: Sample, index: int) -> Alignment:
    """Finds the tokens of the name and the argument values of ``planned.calls[index]``.

    The tokens' text may hold the calls as objects with a name and arguments, among other text (code
    fences, tags, prose), or their arguments alone; then there are only values.
    """
    if not planned.tokens:
        return Alignment(missing="the provider gave no log-probabilities")
    if any(not token.logprob <= _ROUNDING or math.isinf(token.logprob) for token in planned.tokens):
        return Alignment(missing="a token's log-probability is not a log-probability")
    text = "".join(token.text for token in planned.tokens)
    try:
        found = _calls(text, planned.calls)
    except TooDeep as error:
        return Alignment(missing=f"the calls are {error}")
    if found is None:
        return Alignment(missing="the tokens do not spell the planned calls")
    spans = found[index]
    counted = tuple(min(token.logprob, 0.0) for token in _overlapping(planned.tokens, spans))
    return Alignment(logprobs=counted) if counted else Alignment(missing="the call has neither name nor value tokens")


def _calls(text: str, calls: Sequence[ToolCall]) -> list[tuple[Span, ...]] | None:
    """Spans of name and values for each call, if the text holds exactly these calls in this order."""
    found = list(objects(text))
    written = [candidate for node in found for candidate in _candidates(node)]
    wanted = [(call.name, exact(call.arguments)) for call in calls]
    whole = [(name, arguments) for name, arguments in written if (name.value, exact(arguments.value)) in wanted]
    if [(name.value, exact(arguments.value)) for name, arguments in whole] == wanted:
        return [((name.start + 1, name.end - 1), *_values(arguments)) for name, arguments in whole]
    if _nothing_but(found, text) and [exact(node.value) for node in found] == [arguments for _, arguments in wanted]:
        return [tuple(_values(node)) for node in found]
    return None


def _nothing_but(nodes: Sequence[Node], text: str) -> bool:
    """Whether the text is these objects alone: beside anything else they could be parts of something broken."""
    ends = [0, *(node.end for node in nodes)]
    starts = [*(node.start for node in nodes), len(text)]
    return not "".join(text[end:start] for end, start in zip(ends, starts, strict=True)).strip(" \t\r\n[],")


def _candidates(node: Node) -> Iterator[tuple[Node, Node]]:
    """Name and arguments of every object that reads as a call; what is inside arguments is data."""
    name = node.member("name")
    arguments = next((found for key in _ARGUMENTS if (found := node.member(key)) is not None), None)
    if name and arguments and isinstance(name.value, str) and isinstance(arguments.value, dict):
        yield name, arguments
        return
    for _, member in node.members:
        yield from _candidates(member)


def _values(node: Node, *, top: bool = True) -> Iterator[Span]:
    """Where the values stand: texts without their quotes, and what is empty as it is written."""
    if node.members:
        for _, member in node.members:
            yield from _values(member, top=False)
    elif isinstance(node.value, str) and node.value:
        yield node.start + 1, node.end - 1
    elif not top:
        yield node.start, node.end


def _overlapping(tokens: Sequence[Token], spans: Sequence[Span]) -> Iterator[Token]:
    start = 0
    for token in tokens:
        end = start + len(token.text)
        if any(start < right and left < end for left, right in spans):
            yield token
        start = end
