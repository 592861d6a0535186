"""Named numbers about one planned call; what could not be measured is missing, with its reason."""

from guardrail.signals.agreement import credible_share
from guardrail.signals.bayesian import posterior_entropy
from guardrail.signals.built_in import BUILT_IN
from guardrail.signals.chao_shen import chao_shen_entropy
from guardrail.signals.entropy import discrete_entropy, entropy_bounds, weighted_entropy
from guardrail.signals.evidence import Evidence
from guardrail.signals.lexical import lexical_entropy
from guardrail.signals.logprob import Alignment, call_logprobs
from guardrail.signals.p_true import PTrue
from guardrail.signals.protocol import Asking, Measure
from guardrail.signals.registry import Registry
from guardrail.signals.verbalized import VerbalizedConfidence
from guardrail.signals.verbalized_top_k import VerbalizedTopK

__all__ = [
    "BUILT_IN",
    "Alignment",
    "Asking",
    "Evidence",
    "Measure",
    "PTrue",
    "Registry",
    "VerbalizedConfidence",
    "VerbalizedTopK",
    "call_logprobs",
    "chao_shen_entropy",
    "credible_share",
    "discrete_entropy",
    "entropy_bounds",
    "lexical_entropy",
    "posterior_entropy",
    "weighted_entropy",
]
