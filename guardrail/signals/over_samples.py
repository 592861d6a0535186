"""What all signals over samples have in common: when their number stands, and when only its bounds do."""

from __future__ import annotations

from guardrail.signals.evidence import Evidence
from guardrail.types import Signal, SignalInfo

Interval = tuple[float, float]


def over_samples(
    info: SignalInfo,
    evidence: Evidence,
    value: float | None = None,
    *,
    missing: str | None = None,
    bounds: Interval | None = None,
    credible: Interval | None = None,
    parts: dict[str, float] | None = None,
) -> Signal:
    """The signal: its value where all samples were drawn, or why there is none, and what the others leave possible.

    ``bounds`` are those over all completions: they are kept where a sample is open. A number over the first few
    samples is not the number over all N, and would pass for it: where drawing stopped early, it is missing.
    """
    kept = bounds if bounds is not None and evidence.open > 0 else None
    curtailed = evidence.curtailed()
    if missing is None and curtailed:
        missing = curtailed if kept is None else f"{curtailed}: between {kept[0]:.2f} and {kept[1]:.2f}"
    return Signal(
        name=info.name,
        value=None if missing else value,
        unit=info.unit,
        missing=missing,
        bounds=kept,
        credible=credible,
        parts={} if missing or parts is None else parts,
    )


def no_meanings(evidence: Evidence) -> str | None:
    """Why the valid samples are not known by their meanings."""
    if evidence.asked <= 0:
        return "no samples were asked for"
    if evidence.valid <= 0:
        return f"none of the {len(evidence.samples)} samples drawn is valid"
    return None if compared(evidence) else "the samples could not be compared"


def compared(evidence: Evidence) -> bool:
    """Whether every valid sample has a meaning."""
    return sum(map(len, evidence.members)) == evidence.valid
