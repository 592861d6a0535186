"""What else the model might have written: margin and entropy over the likeliest tokens at each place of the call.

Both are over the tokens of the tool name and the argument values, and both keep the worst: one doubtful digit makes a
wrong amount, however sure the rest is. Tokens are not meanings: a name that may be cut into tokens in two ways
has a doubtful token and no doubtful value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final

from guardrail.catalogue import BUILT_IN
from guardrail.signals.evidence import Evidence
from guardrail.signals.logprob import ROUNDING, STAND_IN
from guardrail.signals.spelling import UNREADABLE
from guardrail.types import Signal, SignalInfo, Token

_LIKE: Final = 1e-3
"""How far the two log-probabilities of one token, as written and as alternative, are apart at most."""
_MOST: Final = 1.01
"""What the probabilities of different tokens add up to at most, each of them rounded."""


class TopMargin:
    """The least margin, in nats, by which a token that was written is likelier than every other in its place.

    Where the likeliest token was written, that is the difference between the two likeliest (margin sampling, Scheffer
    et al. 2001). Where another was written, it is negative: by so much the model preferred something else. The plain
    difference of the two likeliest would be large there, and speak for a call that the model did not prefer.
    """

    info = BUILT_IN["top_margin"]

    def measure(self, evidence: Evidence) -> Signal:
        """The margin; missing where alternatives are not given at each of the tokens."""
        return _worst(self.info, evidence, _margin, min)


class TopEntropy:
    """The greatest entropy, in nats, of the next token (Malinin and Gales 2021), from the tokens that are reported.

    It is a lower bound: the probability r of all tokens not reported adds -r ln q, where q is the least probability
    among the likeliest, which are reported, or r if that is less; none of the others is likelier. As one single
    outcome they would count least where they are nearly everything, and a hopeless place would look sure.
    """

    info = BUILT_IN["top_entropy"]

    def measure(self, evidence: Evidence) -> Signal:
        """The entropy; missing where alternatives are not given at each of the tokens."""
        return _worst(self.info, evidence, _entropy, max)


class _NoNumber(ValueError):
    """What is reported in one place gives no number; the message says why."""


def _worst(
    info: SignalInfo,
    evidence: Evidence,
    of: Callable[[Token], float],
    worst: Callable[[Iterable[float]], float],
) -> Signal:
    found = evidence.logprobs
    missing, value = found.missing, None
    without = sum(not token.top for token in found.tokens)
    if missing is None and without:
        some = "" if without == len(found.tokens) else f" at {without} of the call's {len(found.tokens)} tokens"
        missing = f"the provider gave no alternatives{some}"
    if missing is None:
        try:
            value = worst([of(token) for token in found.tokens])
        except _NoNumber as error:
            missing = str(error)
    return Signal(name=info.name, value=value, unit=info.unit, missing=missing)


def _margin(token: Token) -> float:
    return min(token.logprob, 0.0) - max(_others(token))


def _entropy(token: Token) -> float:
    least = math.exp(min(logprob for logprob in _likeliest(token) if logprob > STAND_IN))
    known = [math.exp(logprob) for logprob in (min(token.logprob, 0.0), *_others(token))]
    rest = max(1 - math.fsum(known), 0.0)
    entropy = math.fsum(-p * math.log(p) for p in known if p > 0)
    return max(entropy, 0.0) + (-rest * math.log(min(least, rest)) if rest > 0 else 0.0)


def _others(token: Token) -> list[float]:
    """Log-probabilities of the reported tokens that are not the one that was written."""
    likeliest = _likeliest(token)
    own = _own(token)
    others = [logprob for place, logprob in enumerate(likeliest) if place != own and logprob > STAND_IN]
    if not others:
        raise _NoNumber("only one alternative is reported for a token")
    if math.fsum(map(math.exp, (token.logprob, *others))) > _MOST:
        raise _NoNumber("the alternatives of a token are together likelier than 1: these are no log-probabilities")
    return others


def _likeliest(token: Token) -> list[float]:
    if any(not logprob <= ROUNDING for _, logprob in token.top):
        raise _NoNumber("an alternative's log-probability is not a log-probability")
    return [min(logprob, 0.0) for _, logprob in token.top]


def _own(token: Token) -> int | None:
    """Which of the reported tokens was written. A part of a character has other texts here and there.

    In doubt none: the margin is then 0 at most, and never too large.
    """
    near = [(abs(logprob - token.logprob), place) for place, (_, logprob) in enumerate(token.top)]
    for most, fits in ((_LIKE, _as_written), (ROUNDING, _partial)):
        fitting = [(apart, place) for apart, place in near if apart <= most and fits(token, token.top[place][0])]
        if fitting:
            return min(fitting)[1]
    return None


def _as_written(token: Token, text: str) -> bool:
    return text == token.text


def _partial(token: Token, text: str) -> bool:
    return UNREADABLE in text or not text or not token.text
