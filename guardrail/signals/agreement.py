"""Agreement: the share of samples that contain the planned call's meaning (self-consistency, Wang et al. 2022).

Relative to the planned call and not to the majority: a plan that every sample contradicts has agreement 0,
however much the samples agree with each other.
"""

from __future__ import annotations

from guardrail.catalogue import BUILT_IN
from guardrail.signals.evidence import Evidence
from guardrail.signals.over_samples import over_samples
from guardrail.signals.special import beta_quantile
from guardrail.types import Signal


class Agreement:
    """Agreeing samples as a share of those asked for; an invalid sample does not agree.

    Missing where none was valid, and where drawing stopped early: then the bounds are what the samples
    not drawn leave. They hold whatever else is drawn: whether a sample agrees depends on that sample alone.
    """

    info = BUILT_IN["agreement"]

    def measure(self, evidence: Evidence) -> Signal:
        """The share, its bounds, and the credible interval of how often the model plans this call."""
        asked, agreeing, disagreeing = evidence.asked, evidence.agreeing, evidence.disagreeing
        if asked <= 0:
            return over_samples(self.info, evidence, missing="no samples were asked for")
        missing = None
        if evidence.valid <= 0:
            missing = f"none of the {len(evidence.samples)} samples drawn is valid"
        elif agreeing + disagreeing < evidence.valid:
            missing = "the samples could not be compared"
        return over_samples(
            self.info,
            evidence,
            agreeing / asked,
            missing=missing,
            bounds=(agreeing / asked, (asked - disagreeing) / asked),
            credible=None if missing else credible_share(agreeing, agreeing + disagreeing),
        )


def credible_share(successes: int, trials: int, mass: float = 0.95) -> tuple[float, float]:
    """The equal-tailed credible interval of a probability under Jeffreys' prior, Beta(1/2, 1/2).

    Its posterior is Beta(successes + 1/2, failures + 1/2). When drawing stopped does not matter to it.

    Raises:
        ValueError: there are more successes than trials, or a number is negative.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} is no share")
    a, b, tail = successes + 0.5, trials - successes + 0.5, (1 - mass) / 2
    return beta_quantile(tail, a, b), beta_quantile(1 - tail, a, b)
