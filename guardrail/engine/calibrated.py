"""What an adopted calibration says of a call: the threshold for it, or why there is none.

All that is decided before anything of the call is measured: by its tier, its tool, the try of its step, what its score
will depend on, and the alarms that stand. So the score of a call never depends on the threshold that it meets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from guardrail.calibration import calibration_digest
from guardrail.types import (
    SCORE_KEYS,
    Alarm,
    CalibratedPolicy,
    CalibratedTier,
    Promise,
    Reason,
    Threshold,
    Tier,
    score_fingerprint,
)

_ANY_RISK: Final = 2.0
"""Above every risk: whoever is reviewed whatever was measured is measured like the others."""
_NAMED: Final = {
    "model": "the model",
    "temperature": "the sampling temperature",
    "prompt": "the digest of the system prompt",
    "tools": "the digest of the tools",
    "samples": "N",
    "stages": "the cascade",
    "stopping": "the stopping rule",
    "signals": "what the risk rests on",
    "risk_model": "the risk model",
    "entailment": "the judge of texts",
    "meaning": "what compares values",
    "clustering": "the version of clustering",
}
_LOSSLESS: Final = frozenset({"none", "lossless"})
"""Stopping rules that lead every call where all N samples would."""
_LONGEST: Final = 60
_SHORT: Final = 12


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a call stands: it runs at a risk below ``below`` (with what promise), or ``why`` it is not calibrated.

    ``reason`` is given where a human decides whatever is measured. Without it and without a promise the tier's own rule
    decides.
    """

    below: float = _ANY_RISK
    promise: Promise | None = None
    why: str = ""
    reason: Reason | None = None

    @property
    def gated(self) -> bool:
        """Whether the risk decides, or is measured as if it did."""
        return self.promise is not None or self.reason is not None


class Calibration:
    """A calibrated policy as a guard uses it; ``uncalibrated`` says where calls go that it does not reach."""

    def __init__(self, policy: CalibratedPolicy, uncalibrated: Literal["review", "defaults"] = "review") -> None:
        self.policy = policy
        self.digest = calibration_digest(policy)
        self._uncalibrated = uncalibrated

    def standing(
        self, tier: Tier, tool: str, *, attempt: int, fingerprint: Mapping[str, str], alarms: Sequence[Alarm] = ()
    ) -> Standing | None:
        """How a call of that tier and tool stands, at that try of its step; None for critical calls.

        An alarm or a veto sends it to a human, whatever ``uncalibrated`` says: something is known against it.
        """
        if tier is Tier.CRITICAL:
            return None
        alarm = next((one for one in alarms if one.tier is tier and one.tool in ("", tool)), None)
        if alarm is not None:
            return Standing(why=_alarmed(alarm), reason=Reason.ALARM)
        found = self.policy.tier(tier)
        if found is not None and (veto := _vetoed(found, tool)):
            return Standing(why=veto, reason=Reason.UNCALIBRATED)
        threshold = None if found is None else found.threshold(attempt)
        why = _lacks(tier, found, threshold, attempt)
        if why is None and found is not None:
            why = "; ".join(differences(found, score_fingerprint(fingerprint, tier)))
        if found is None or threshold is None or threshold.execute_below is None or why:
            return Standing(why=why or "", reason=Reason.UNCALIBRATED if self._uncalibrated == "review" else None)
        promise = Promise(
            alpha=found.alpha,
            delta=found.delta,
            n=threshold.n,
            executed=threshold.executed,
            execute_below=threshold.execute_below,
            calibration=self.digest,
        )
        return Standing(below=threshold.execute_below, promise=promise)


def _vetoed(tier: CalibratedTier, tool: str) -> str:
    """Why calls of a tool do not run whatever their risk; empty where they may. Of some tools nothing is known."""
    if veto := tier.vetoed(tool):
        return f"calls of {tool} are vetoed: {veto}"
    if tier.tools and all(one.tool != tool for one in tier.tools):
        return f"none of the labelled calls is of {tool}"
    return ""


def _lacks(tier: Tier, found: CalibratedTier | None, threshold: Threshold | None, attempt: int) -> str | None:
    """Why there is no threshold; None where there is one."""
    if found is None:
        return f"nothing is promised of the {tier.value} tier: no threshold was calibrated for it"
    if threshold is None:
        kind = "steps that are planned again" if attempt else "steps planned for the first time"
        return f"the {tier.value} tier has no threshold for {kind}"
    if threshold.execute_below is None:
        said = threshold.refusal.message if threshold.refusal is not None else "no reason is on record"
        return f"the {tier.value} tier has no threshold: {said}"
    return None


def differences(tier: CalibratedTier, fingerprint: Mapping[str, str]) -> tuple[str, ...]:
    """What a score depends on and was not calibrated so, in words, key by key.

    ``fingerprint`` is that of a call (``score_fingerprint``). To draw all N samples or to stop where the rest cannot
    change a route is the same.
    """
    found = []
    for key in SCORE_KEYS:
        now, known = fingerprint.get(key, ""), tier.fingerprint.get(key)
        if known is None:
            found.append(f"{_NAMED[key]} is {_value(now)}, and the calibration does not say what it was")
        elif now not in known and not (key == "stopping" and now in _LOSSLESS and _LOSSLESS.intersection(known)):
            found.append(f"{_NAMED[key]} is {_value(now)}, calibrated for {' or '.join(map(_value, known))}")
    return tuple(found)


def _value(text: str) -> str:
    if len(text) == 64 and not text.strip("0123456789abcdef"):
        return text[:_SHORT]
    return (text if len(text) <= _LONGEST else text[:_LONGEST] + "…") or "not known"


def _alarmed(alarm: Alarm) -> str:
    whose = f"calls of {alarm.tool}" if alarm.tool else f"{alarm.tier.value} calls"
    return (
        f"an alarm stands: {alarm.wrong} of {alarm.audits} audited {whose} were wrong, and at most "
        f"{100 * alarm.alpha:.3g} % are promised; until a person clears it, a human decides"
    )
