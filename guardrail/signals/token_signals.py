"""How likely the model found the planned call: single-pass signals, over the tokens of its name and values."""

from __future__ import annotations

from collections.abc import Callable

from guardrail.catalogue import BUILT_IN
from guardrail.signals.evidence import Evidence
from guardrail.signals.logprob import Alignment
from guardrail.types import Signal


class TokenLogprob:
    """One number over the log-probabilities of the call's tokens."""

    def __init__(self, name: str, of: Callable[[Alignment], float]) -> None:
        self.info = BUILT_IN[name]
        self._of = of

    def measure(self, evidence: Evidence) -> Signal:
        """The number, in nats; missing where the tokens are not known to be those of the call."""
        found = evidence.logprobs
        value = None if found.missing else self._of(found)
        return Signal(name=self.info.name, value=value, unit=self.info.unit, missing=found.missing)


TOKEN_SIGNALS = (
    TokenLogprob("logprob_mean", lambda found: found.mean),
    TokenLogprob("logprob_min", lambda found: found.min),
    TokenLogprob("logprob_sum", lambda found: found.sum),
)
