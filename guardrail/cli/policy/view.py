"""What ``guardrail policy`` shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from guardrail.cli.calibrate.view import views
from guardrail.cli.policy.changes import Change, Compared
from guardrail.cli.render import call_text, route_text, short_id, time_text
from guardrail.cli.safe_text import shown
from guardrail.policy import Policy
from guardrail.types import Attempts, CalibratedPolicy, Route, Tier

_SHORT: Final = 12
_MOST: Final = 20
_CALLS: Final = {Attempts.ALL: "", Attempts.FIRST: ", first attempts", Attempts.RETRIED: ", retried calls"}


def promises(policy: Policy, calibration: CalibratedPolicy | None) -> Iterator[RenderableType]:
    """What each tier of a policy promises, or that it promises nothing."""
    if calibration is None:
        yield Text(
            "no calibration: every tier decides by a rule that nobody has tested on labels, and promises nothing"
        )
        return
    yield from views(calibration)
    covered = {tier.tier for tier in calibration.tiers}
    bare = [tier.value for tier in Tier if tier not in covered and tier is not Tier.CRITICAL]
    goes = "are reviewed" if policy.uncalibrated == "review" else "follow their own rule, uncalibrated"
    if bare:
        yield Text(f"nothing is promised of {', '.join(bare)}: such calls {goes}")
    yield Text("critical: a human always decides")
    yield fingerprints(calibration)
    yield Text.assemble("adopted by ", shown(calibration.adopted_by or "nobody"), ", ", _moment(calibration.adopted_at))


def fingerprints(calibration: CalibratedPolicy) -> Table:
    """What the calls of each tier were scored by."""
    table = Table(title="calibrated for", title_justify="left", show_header=False)
    table.add_column("tier")
    table.add_column("key", style="dim")
    table.add_column("value", overflow="fold")
    for tier in calibration.tiers:
        for key, values in sorted(tier.fingerprint.items()):
            table.add_row(tier.tier.value, key, shown(" or ".join(map(_brief, values))))
    return table


def thresholds(now: CalibratedPolicy | None, then: CalibratedPolicy) -> Table:
    """The thresholds of the calibration that is there beside those of the proposal."""
    table = Table(title="runs at a risk below", title_justify="left")
    for name in ("tier", "now", "then", "promised now", "promised then"):
        table.add_column(name)
    for tier, attempts in _rows(now, then):
        sides = [_threshold(side, tier, attempts) for side in (now, then)]
        table.add_row(tier.value + _CALLS[attempts], sides[0][0], sides[1][0], sides[0][1], sides[1][1])
    return table


def compared(found: Compared, *, everything: bool) -> Iterator[RenderableType]:
    """What would change on recorded traffic."""
    table = Table(title="recorded calls, now and then", title_justify="left")
    for name in ("tier", "calls", "run", "planned again", "reviewed", "wrong of the judged that run", "not known"):
        table.add_column(name, justify="left" if name == "tier" else "right")
    for tier, one in found.tiers.items():
        pairs = [f"{one.now[route]} -> {one.then[route]}" for route in (Route.EXECUTE, Route.RETRY, Route.REVIEW)]
        wrong = f"{one.wrong_now}/{one.judged_now} -> {one.wrong_then}/{one.judged_then}"
        table.add_row(tier.value, str(one.calls), *pairs, wrong, str(one.open))
    yield table
    for tier, one in found.tiers.items():
        for why, count in sorted(one.uncalibrated.items(), key=lambda each: -each[1])[:3]:
            yield Text.assemble((f"{tier.value}: ", "yellow"), f"{count} calls uncalibrated: ", shown(why, limit=300))
    if any(one.open for one in found.tiers.values()):
        yield Text("not known: drawing had stopped before the samples that one of the rules wants", "dim")
    if any(one.judged_then for one in found.tiers.values()):
        yield Text(
            "the judged calls may be those that it was calibrated on: the promise is what holds for others", "dim"
        )
    if not found.changes:
        yield Text("no recorded call would go another way")
        return
    shown_ones = found.changes if everything else found.changes[:_MOST]
    yield _changes(shown_ones)
    if len(shown_ones) < len(found.changes):
        yield Text(f"… and {len(found.changes) - len(shown_ones)} more; --full shows them")


def _changes(changes: Sequence[Change]) -> Table:
    table = Table(title="calls that would go another way", title_justify="left")
    for name in ("record", "tier", "call", "risk", "now", "then", "judged"):
        table.add_column(name, overflow="fold")
    for one in changes:
        table.add_row(
            short_id(one.record),
            one.tier.value,
            call_text(one.call, limit=24),
            "-" if one.risk is None else f"{one.risk:.3g}",
            route_text(one.now),
            route_text(one.then),
            {True: "right", False: "wrong", None: ""}[one.label],
        )
    return table


def _rows(*sides: CalibratedPolicy | None) -> list[tuple[Tier, Attempts]]:
    found = {(tier.tier, one.attempts) for side in sides if side for tier in side.tiers for one in tier.thresholds}
    return sorted(found, key=lambda row: (row[0].rank, list(Attempts).index(row[1])))


def _threshold(side: CalibratedPolicy | None, tier: Tier, attempts: Attempts) -> tuple[str, str]:
    found = None if side is None else side.tier(tier)
    one = None if found is None else next((each for each in found.thresholds if each.attempts is attempts), None)
    if found is None or one is None:
        return "-", "nothing"
    if one.execute_below is None:
        return "review", "nothing"
    below = "any risk" if one.execute_below > 1 else f"{one.execute_below:.4g}"
    promise = f"at most {100 * found.alpha:.3g} % wrong ({100 * (1 - found.delta):.3g} %, {one.n} labels)"
    return below, promise


def _brief(text: str) -> str:
    return text[:_SHORT] if len(text) == 64 and not text.strip("0123456789abcdef") else text or "not known"


def _moment(at: str) -> Text:
    return time_text(at) if at else Text("never")
