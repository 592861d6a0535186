"""What to label next: what gains most for the fewest labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from guardrail.calibration.libraries import needed
from guardrail.calibration.promise import POWER, labels_needed
from guardrail.calibration.tool_evidence import LEAST_OF_TOOL, VETO_SHARE
from guardrail.cli.report import words
from guardrail.cli.report.content import Advice, Part, TierPart
from guardrail.types import CalibratedPolicy, CalibratedTier, RefusalCode, Threshold, Tier, ToolEvidence

_MOST: Final = 8
_ROUNDING: Final = 1e-6
_FIRST: Final = frozenset(
    {
        RefusalCode.UNKNOWN_LABEL_PROBABILITY,
        RefusalCode.LABELS_ONLY_FROM_ESCALATIONS,
        RefusalCode.MIXED_FINGERPRINTS,
        RefusalCode.CONTRADICTING_LABELS,
        RefusalCode.NON_FINITE_SCORE,
        RefusalCode.COMBINER_SAW_CALIBRATION_DATA,
    }
)
"""Refusals that no number of labels cures by itself; their message has the way out."""


def next_delta(policy: CalibratedPolicy, tier: CalibratedTier, one: Threshold) -> float:
    """What the next test may spend: as much as this one, or what a ledger of looks leaves for it."""
    spent = sum(other.delta for other in tier.thresholds)
    if spent >= tier.delta * (1 - _ROUNDING) or not any(other.start for other in tier.thresholds):
        return one.delta
    share = one.delta / spent
    return share * 6 * tier.delta / (math.pi**2 * (policy.look + 1) ** 2)


def advice(tiers: Sequence[TierPart], traffic: Mapping[Tier, float]) -> tuple[Advice, ...]:
    """What to do, the greatest gain per label first; answers that are due come before all."""
    total = sum(traffic.values()) or 1.0
    due = [
        Advice(
            what=f"Answer {words.count(tier.unanswered, 'call that was', 'calls that were')} drawn and that nobody has "
            "judged: until then each counts as wrong.",
            tier=tier.tier,
            more=tier.unanswered,
        )
        for tier in tiers
        if tier.unanswered
    ]
    found: list[Advice] = []
    for tier in tiers:
        share = traffic.get(tier.tier, 0.0) / total
        found += [one for part in tier.parts for one in _of_part(tier, part, share)]
        found += [one for tool in tier.tools if (one := _of_tool(tier, tool, share))]
    found.sort(key=lambda one: -(one.gain or 0.0) / max(one.more, 1))
    return (*due, *found[:_MOST])


def _of_part(tier: TierPart, part: Part, share: float) -> list[Advice]:
    one = part.threshold
    stakes = f"{tier.tier.value}-stakes"
    if part.next:
        # the others stand with the tier
        step = max(part.next, key=lambda step: (step.coverage - one.coverage) / step.more)
        return [
            Advice(
                what=f"{words.count(step.more, 'more label')} of {stakes} calls drawn at random ({part.calls}): then "
                f"at least {words.percent(step.coverage)} of them run, with a probability of {words.percent(POWER)}.",
                tier=tier.tier,
                more=step.more,
                gain=share * (part.share or 0.0) * (step.coverage - one.coverage),
            )
        ]
    if part.curve or (one.refusal is not None and one.refusal.code in _FIRST):
        return []
    least = max(1, labels_needed(one.alpha, one.delta) - one.n)
    if one.refusal is None or one.refusal.code is RefusalCode.UNPLANNED_RECALIBRATION:
        return []
    return [
        Advice(
            what=f"At least {words.count(least, 'label')} of {stakes} calls drawn at random ({part.calls}), if none is "
            "wrong: so far too little is known to say what they would buy.",
            tier=tier.tier,
            more=least,
        )
    ]


def _of_tool(tier: TierPart, tool: ToolEvidence, share: float) -> Advice | None:
    """A tool that goes to review for want of labels, while others of its tier run."""
    if not tool.veto or tier.state != "runs" or tier.alpha is None or tool.lower > tier.alpha:
        return None
    enough = _labels_of_tool()
    more = enough - round(tool.n / (1 - VETO_SHARE))
    if more <= 0:
        return None
    n = sum(other.n for other in tier.tools)
    runs, ran_of = (sum(getattr(other, name) for other in tier.tools if not other.veto) for name in ("executed", "n"))
    gain = share * tool.n / n * runs / ran_of if n and ran_of else None
    return Advice(
        what=f"{words.count(more, 'more label')} of {tier.tier.value}-stakes calls of one tool: it goes to review "
        "because too little is known of it.",
        tier=tier.tier,
        tool=tool.tool,
        more=more,
        gain=gain,
    )


def _labels_of_tool() -> int:
    """How many labels of a tool leave enough of them among those that decide about tools, most likely."""
    binom = needed("scipy.stats").binom
    return next(n for n in range(LEAST_OF_TOOL, 1000) if binom.sf(LEAST_OF_TOOL - 1, n, VETO_SHARE) >= POWER)
