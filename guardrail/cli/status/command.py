"""``guardrail status`` shows whether the promises hold, ``guardrail watch`` keeps looking and tells of alarms."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
from rich.text import Text

from guardrail.cli import render
from guardrail.cli.options import by_option, json_option, opened_store, reviewer, store_option
from guardrail.cli.records import print_json
from guardrail.cli.safe_text import shown
from guardrail.codec import to_json
from guardrail.errors import ConfigError, NotFound, StoreError
from guardrail.store import Store

if TYPE_CHECKING:
    from guardrail.types import CalibratedPolicy
    from guardrail.watching import Look, Notify

F = TypeVar("F", bound=Callable[..., Any])
ALARM: Final = 4
"""The exit status where an alarm stands."""
_PREFIX: Final = 6
_FILE: Final = click.Path(path_type=Path, dir_okay=False)


def promises(command: F) -> F:
    """``--policy`` and ``--calibration`` name what was promised."""
    command = click.option("--calibration", type=_FILE, metavar="FILE", help="The calibration itself.")(command)
    return click.option("--policy", type=_FILE, metavar="FILE", help="The policy, which names its calibration.")(
        command
    )


@click.command()
@promises
@click.option(
    "--days",
    default=7.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True, max=3650),
    help="How far back 'lately' reaches.",
)
@click.option("--clear-alarm", "cleared", metavar="ID", help="Take an alarm back: its calls may run again.")
@click.option("--note", default="", metavar="TEXT", help="Why the alarm is cleared.")
@by_option
@json_option
@store_option
def status(
    policy: Path | None,
    calibration: Path | None,
    *,
    days: float,
    cleared: str | None,
    note: str,
    by: str | None,
    as_json: bool,
) -> None:
    """Show whether the promises hold, and what to do next.

    The exit status is 4 while an alarm stands. An alarm sends the calls of its tier, or of one tool, to review until a
    person clears it, with a reason.
    """
    from guardrail.watching import look
    from guardrail.watching import status as status_of

    promised = promised_by(policy, calibration)
    with opened_store() as store:
        if cleared is not None:
            _clear(store, cleared, by=reviewer(by), note=note)
        evidence = None if promised is None else look(store, promised).evidence
        found = status_of(store, promised, evidence, days=days, now=datetime.now(UTC))
    if as_json:
        print_json(to_json(found))
    else:
        from guardrail.cli.status.view import status_view

        render.console().print(status_view(found))
    if found.alarms:
        click.get_current_context().exit(ALARM)


@click.command()
@promises
@click.option(
    "--every",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="How often to look.",
)
@click.option("--once", is_flag=True, help="Look once.")
@click.option("--webhook", "urls", multiple=True, metavar="URL", help="Send alarms there as JSON. May be repeated.")
@click.option(
    "--exec", "lines", multiple=True, metavar="COMMAND", help="Run this with the alarm on its input. May be repeated."
)
@store_option
def watch(
    policy: Path | None,
    calibration: Path | None,
    *,
    every: float,
    urls: tuple[str, ...],
    lines: tuple[str, ...],
    once: bool,
) -> None:
    """Look at new answers again and again, raise alarms, and tell of them.

    Several may watch one store, and each may be stopped at any time. An alarm that could not be told is told at the
    next look. The exit status is 4 if an alarm stands at the end.
    """
    from guardrail.watching import all_of, command, webhook

    promised = promised_by(policy, calibration)
    if promised is None:
        raise ConfigError("there is no promise to watch: name one with --policy or --calibration")
    ways = [*map(webhook, urls), *map(command, lines)]
    told = all_of(*ways) if ways else None
    with opened_store() as store:
        try:
            while True:
                _look(store, promised, told, forgiving=not once)
                if once:
                    break
                time.sleep(every)
        except KeyboardInterrupt:
            pass
        stands = bool(store.alarms())
    if stands:
        click.get_current_context().exit(ALARM)


def _look(store: Store, promised: CalibratedPolicy, told: Notify | None, *, forgiving: bool) -> None:
    from guardrail.watching import look

    try:
        found = look(store, promised, told)
    except StoreError as error:
        if not forgiving:
            raise
        # a store that is busy or away for a while must not end the watch
        _say(Text.assemble(("not looked: ", "bold red"), shown(str(error))))
        return
    _report(found)


def _report(found: Look) -> None:
    from guardrail.watching.notifying import sentence

    for alarm in found.raised:
        _say(Text.assemble((f"alarm {alarm.id[: render.ID]}: ", "bold red"), shown(sentence(alarm))))
    for alarm in found.told:
        _say(Text.assemble("told of alarm ", render.short_id(alarm.id)))
    for failure in found.failures:
        _say(Text.assemble(("not told: ", "bold red"), shown(failure)))


def _say(line: Text) -> None:
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    render.console().print(Text.assemble((f"{at}  ", "dim"), line))


def promised_by(policy: Path | None, calibration: Path | None) -> CalibratedPolicy | None:
    """What was promised; None where nothing was named.

    Raises:
        ConfigError: both were named, a file cannot be used, or the policy has no calibration.
    """
    from guardrail.calibration import load_calibration
    from guardrail.policy import Policy

    if policy is not None and calibration is not None:
        raise ConfigError("--policy and --calibration both name what is promised: give one of them")
    if policy is not None:
        path = Policy.load(policy).calibration
        if path is None:
            raise ConfigError(
                f"the policy {policy} names no calibration, so that nothing is promised: run `guardrail calibrate`, "
                "and adopt what it proposes"
            )
        return load_calibration(path)
    return None if calibration is None else load_calibration(calibration)


def _clear(store: Store, identity: str, *, by: str, note: str) -> None:
    """Clear the alarm of that id, or the only one whose id begins so.

    Raises:
        ConfigError: no reason is given.
        NotFound: there is none that stands, or several.
    """
    if not note.strip():
        raise ConfigError("say with --note why the alarm may be cleared: what was found, and what was changed")
    found = [one for one in store.alarms() if one.id == identity]
    if not found and len(identity) >= _PREFIX:
        found = [one for one in store.alarms() if one.id.startswith(identity)]
    if len(found) != 1:
        many = "several alarms stand whose id begins" if found else "no alarm stands whose id begins"
        raise NotFound(f"{many} with {identity!r}: `guardrail status` shows them; give at least {_PREFIX} characters")
    store.clear_alarm(found[0].id, by=by, at=datetime.now(UTC).isoformat(), note=note)
