"""Agreement: the share of samples that contain the planned call's meaning (self-consistency, Wang et al. 2022).

Relative to the planned call and not to the majority: a plan that every sample contradicts has agreement 0,
however much the samples agree with each other.
"""

from __future__ import annotations

from guardrail.catalogue import BUILT_IN
from guardrail.signals.evidence import Evidence
from guardrail.types import Signal


class Agreement:
    """Agreeing samples as a share of those asked for; an invalid sample does not agree.

    Missing where none was valid, and where drawing stopped early: then the bounds are what the samples
    not drawn leave.
    """

    info = BUILT_IN["agreement"]

    def measure(self, evidence: Evidence) -> Signal:
        """The share, and its bounds."""
        name, unit = self.info.name, self.info.unit
        asked, drawn = evidence.asked, len(evidence.samples)
        if asked <= 0:
            return Signal(name=name, unit=unit, missing="no samples were asked for")
        if evidence.valid <= 0:
            return Signal(name=name, unit=unit, missing=f"none of the {drawn} samples drawn is valid")
        least, most = evidence.agreeing / asked, (asked - evidence.disagreeing) / asked
        bounds = (least, most) if least < most else None
        if drawn < asked:
            missing = f"{drawn} of {asked} samples were drawn: between {least:.2f} and {most:.2f}"
            return Signal(name=name, unit=unit, missing=missing, bounds=bounds)
        return Signal(name=name, value=least, unit=unit, bounds=bounds)
