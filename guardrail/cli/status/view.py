"""A status on one screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from guardrail.cli.render import facts, percent, short_id, time_text
from guardrail.cli.safe_text import shown
from guardrail.types import Alarm, Attempts, Threshold, Tier
from guardrail.watching import Evidence, ReviewLoad, Status, TierStatus

_BAR: Final = 20
_TOOLS: Final = 3
_REASONS: Final = 2
_LINE: Final = 110
_WHOSE: Final = {Attempts.ALL: "", Attempts.FIRST: "first attempts ", Attempts.RETRIED: "retried calls "}


def status_view(status: Status) -> RenderableType:
    """Promises, what happened lately, evidence, and what to do next."""
    parts: list[RenderableType] = [_head(status)]
    parts += [_alarm(alarm) for alarm in status.alarms]
    for tier in status.tiers:
        parts += [Text(""), *_tier(tier)]
    parts += [Text(""), Text.assemble(("reviews  ", "bold underline"), _load(status.reviews))]
    if status.advice:
        parts += [Text(""), Text("next", "bold underline")]
        parts += [Padding(Text.assemble("- ", shown(line)), (0, 0, 0, 2)) for line in status.advice]
    return Group(*parts)


def _head(status: Status) -> Text:
    line = Text.assemble(time_text(status.at), " UTC  ")
    if not status.calibration:
        line.append("no calibration", "yellow")
    else:
        line.append_text(Text.assemble("calibration ", short_id(status.calibration)))
        adopted = Text.assemble(" adopted by ", shown(status.adopted_by)) if status.adopted_by else Text(" not adopted")
        line.append_text(adopted)
    cut = "the latest " if status.cut else ""
    return line.append(f"  {cut}{status.records:,} records of {status.days:g} days", "dim")


def _alarm(alarm: Alarm) -> Text:
    whose = Text.assemble(f"{alarm.tier.value} tier", " / " if alarm.tool else "", shown(alarm.tool))
    return Text.assemble(
        ("ALARM ", "bold red"),
        short_id(alarm.id),
        " ",
        whose,
        f": {alarm.wrong} of {alarm.audits} audits wrong, at most {percent(alarm.alpha)} promised; "
        "its calls wait for a human since ",
        time_text(alarm.at),
    )


def _tier(one: TierStatus) -> list[RenderableType]:
    title = Text.assemble((one.tier.value, "bold underline"), "  ")
    if one.tier is Tier.CRITICAL:
        title.append("a human decides on every call")
    elif one.alpha is None or one.delta is None:
        title.append("uncalibrated: nothing is promised", "yellow")
    else:
        title.append(f"at most {percent(one.alpha)} of what runs is wrong, {percent(1 - one.delta)} sure")
    rows = [("threshold", _threshold(threshold)) for threshold in one.thresholds]
    rows.append(("lately", _lately(one)))
    if one.uncalibrated:
        rows.append(("uncalibrated", _reasons(one)))
    if one.promised or one.drawn:
        rows.append(("audits", _audits(one)))
    if one.evidence is not None:
        rows.append(("wrong", _wrong(one.evidence)))
        rows.append(("evidence", _evidence(one.evidence)))
    rows += [("tool", _tool(tool)) for tool in _worst(one.tools)]
    if one.alpha is not None:
        rows.append(("scores", _scores(one)))
    return [title, facts(*rows)]


def _threshold(one: Threshold) -> Text:
    whose = _WHOSE[one.attempts]
    if one.execute_below is None:
        code = one.refusal.code.value if one.refusal is not None else "no reason is on record"
        return Text.assemble(whose, ("all wait for a human", "yellow"), f": {code}")
    below = "at any risk" if one.execute_below > 1 else f"at a risk below {one.execute_below:.3g}"
    return Text(f"{whose}run {below}; {one.executed_errors} of {one.executed} wrong among {one.n} labels")


def _lately(one: TierStatus) -> Text:
    total = one.executed + one.retried + one.reviewed
    said = f"{total:,} calls: {one.executed:,} executed"
    if one.alpha is not None:
        said += f" ({one.promised:,} on the promise)"
    return Text(f"{said}, {one.retried:,} planned again, {one.reviewed:,} to review")


def _reasons(one: TierStatus) -> Text:
    reasons = list(one.uncalibrated.items())
    lines = [Text.assemble(f"{count:,} calls: ", shown(why, limit=_LINE)) for why, count in reasons[:_REASONS]]
    if len(reasons) > _REASONS:
        lines.append(Text(f"{sum(count for _, count in reasons[_REASONS:]):,} calls: other reasons"))
    return Text("\n").join(lines)


def _audits(one: TierStatus) -> Text:
    open_ = one.drawn - one.answered
    line = Text(f"{one.drawn:,} of {one.promised:,} drawn, {one.answered:,} answered")
    if open_:
        line.append_text(Text.assemble(f", {open_:,} wait, the oldest since ", time_text(one.oldest_unanswered)))
    return line


def _wrong(one: Evidence) -> Text:
    if one.rate is None or one.low is None or one.high is None:
        return Text("no audit is answered")
    return Text(
        f"{one.wrong:,} of {one.audits:,} audited calls: {percent(one.rate)} ({percent(one.low)} to "
        f"{percent(one.high)})"
    )


def _evidence(one: Evidence) -> Text:
    filled = _BAR if one.alarm else min(_BAR, int(_BAR * max(0.0, one.e_value) / one.limit))
    return Text.assemble(
        ("█" * filled, "red" if one.alarm else "green"),
        ("░" * (_BAR - filled), "dim"),
        f"  {_number(one.e_value)} of {_number(one.limit)} against the promise",
        (", alarm" if one.alarm else "", "bold red"),
    )


def _worst(tools: Sequence[Evidence]) -> Sequence[Evidence]:
    """Those nearest to an alarm, and every one that has raised one."""
    return [tool for place, tool in enumerate(tools) if place < _TOOLS or tool.alarm]


def _tool(one: Evidence) -> Text:
    return Text.assemble(
        shown(one.tool, limit=30),
        "  ",
        _wrong(one),
        f"  {_number(one.e_value)} of {_number(one.limit)}",
        (", alarm" if one.alarm else "", "bold red"),
    )


def _scores(one: TierStatus) -> Text:
    drift = one.drift
    if drift is None:
        return Text("too few to compare with those of the calibration", "dim")
    said = "changed" if drift.notable else "as calibrated"
    return Text.assemble(
        (said, "yellow" if drift.notable else ""),
        f": AUROC {drift.auroc:.2f} (0.5: same), distance {drift.distance:.2f}, p {drift.p_value:.2g}, "
        f"{drift.n:,} calls against {drift.reference:,}",
    )


def _load(one: ReviewLoad) -> Text:
    line = Text(f"{one.per_day:.1f} calls a day to review, {one.waiting:,} waiting")
    if one.waiting:
        line.append(f", half of them for {_duration(one.median)} or more, the longest for {_duration(one.longest)}")
    return line


def _number(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}" if value < 1e6 else f"{value:.1e}"


def _duration(seconds: float) -> str:
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{max(0.0, seconds):.0f} seconds"
