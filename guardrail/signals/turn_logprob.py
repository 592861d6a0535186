"""How likely the model found the rest of its turn, from the first call on.

Beside names and values it counts what says which arguments are given, that a list ends, and that no further call
follows: the comma or brace after a value, the next key, the end of the turn. Text in front of the first call does not
count: how a fence or a sentence is worded says nothing about the calls.
"""

from __future__ import annotations

import math

from guardrail.catalogue import BUILT_IN
from guardrail.signals.evidence import Evidence
from guardrail.signals.logprob import STAND_IN, call_logprobs
from guardrail.types import Signal


class TurnLogprob:
    """Joint log-probability of all tokens from the first counted token of the step's first call on, in nats.

    All calls of a step have the same: each of them stands in the turn that is so likely.
    """

    info = BUILT_IN["logprob_turn"]

    def measure(self, evidence: Evidence) -> Signal:
        """The sum; missing where the tokens are not known to be those of the calls, or one has no log-probability."""
        missing = evidence.logprobs.missing
        first = call_logprobs(evidence.planned, 0)
        missing = missing or first.missing
        if missing is not None:
            return Signal(name=self.info.name, unit=self.info.unit, missing=missing)
        tokens = evidence.planned.tokens or ()
        start = next(place for place, token in enumerate(tokens) if token is first.tokens[0])
        rest = [token.logprob for token in tokens[start:]]
        if min(rest) <= STAND_IN:
            reason = f"a token's log-probability is only said to be below {STAND_IN:.0f}"
            return Signal(name=self.info.name, unit=self.info.unit, missing=reason)
        return Signal(name=self.info.name, unit=self.info.unit, value=math.fsum(min(one, 0.0) for one in rest))
