"""Named numbers about one planned call; what could not be measured is missing, with its reason."""

from guardrail.signals.agreement import agreement
from guardrail.signals.entropy import discrete_entropy, entropy_bounds, weighted_entropy
from guardrail.signals.lexical import lexical_entropy
from guardrail.signals.logprob import Alignment, call_logprobs
from guardrail.signals.measure import SIGNALS, measure

__all__ = [
    "SIGNALS",
    "Alignment",
    "agreement",
    "call_logprobs",
    "discrete_entropy",
    "entropy_bounds",
    "lexical_entropy",
    "measure",
    "weighted_entropy",
]
