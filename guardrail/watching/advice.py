"""What to do next, in words, the most urgent first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from guardrail.types import CalibratedPolicy, Tier
from guardrail.watching.notifying import sentence
from guardrail.watching.picture import Status, TierStatus

_SHORT: Final = 12
_MANY: Final = 0.1
"""A share of calls that a person should know the reason of."""


def advice(status: Status, calibration: CalibratedPolicy | None) -> Iterator[str]:
    """One sentence for each thing that somebody should do."""
    for alarm in status.alarms:
        yield (
            f"{sentence(alarm)} Look at the wrong ones, then `guardrail status --clear-alarm {alarm.id[:_SHORT]} "
            "--by NAME --note WHY`."
        )
    if calibration is None:
        yield (
            "nothing is promised: label recorded calls (`guardrail label`), run `guardrail calibrate`, and name the "
            "adopted file with --policy or --calibration"
        )
        return
    if not calibration.adopted_by:
        yield "nobody has adopted this calibration, and no guard runs on it: see `guardrail policy diff` and `adopt`"
    for one in status.tiers:
        if one.tier is not Tier.CRITICAL:
            yield from _of_tier(one)


def _of_tier(one: TierStatus) -> Iterator[str]:
    name = one.tier.value
    open_ = one.drawn - one.answered
    if open_:
        yield (
            f"{name}: {open_} audited {'call waits' if open_ == 1 else 'calls wait'} for an answer, the oldest since "
            f"{one.oldest_unanswered[:16]}: `guardrail label`"
        )
    if one.promised and not one.drawn:
        yield (
            f"{name}: {one.promised} calls ran and none was drawn for an audit: give the tier an `audit` probability "
            "in the policy, or nobody learns when its promise breaks"
        )
    if one.drift is not None and one.drift.notable:
        yield (
            f"{name}: the scores are not those of the calibration any more: see what changed in the tasks, and "
            "calibrate again on recent calls"
        )
    for threshold in one.thresholds:
        if threshold.refusal is not None:
            yield f"{name} ({threshold.attempts.value} attempts): {threshold.refusal.message}"
    total = one.executed + one.retried + one.reviewed
    for why, count in one.uncalibrated.items():
        if count > _MANY * total and one.thresholds and all(each.refusal is None for each in one.thresholds):
            yield f"{name}: {count} of {total} calls were not calibrated: {why}"
