"""Agreement: the share of samples that contain the planned call's meaning (self-consistency, Wang et al. 2022).

Relative to the planned call and not to the majority: a plan that every sample contradicts has agreement 0,
however much the samples agree with each other.
"""

from __future__ import annotations

from guardrail.types import Signal

NAME = "agreement"


def agreement(*, agreeing: int, asked: int, drawn: int, valid: int) -> Signal:
    """Agreeing samples as a share of those asked for; an invalid sample does not agree.

    Missing where none was valid, and where drawing stopped early: then the reason has the bounds
    that the samples not drawn leave.
    """
    if asked <= 0:
        return Signal(name=NAME, unit="share", missing="no samples were asked for")
    if valid <= 0:
        return Signal(name=NAME, unit="share", missing=f"none of the {drawn} samples drawn is valid")
    if drawn < asked:
        least, most = agreeing / asked, (agreeing + asked - drawn) / asked
        return Signal(
            name=NAME,
            unit="share",
            missing=f"{drawn} of {asked} samples were drawn: between {least:.2f} and {most:.2f}",
        )
    return Signal(name=NAME, value=agreeing / asked, unit="share")
