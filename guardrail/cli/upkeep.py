"""``guardrail upkeep``: what a server or a worker does besides, without either."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from guardrail.cli.notify.command import notify_option
from guardrail.cli.options import opened_store, store_option
from guardrail.cli.status.command import promised_by, promises

if TYPE_CHECKING:
    from guardrail.notify import Notifier
    from guardrail.store import Store
    from guardrail.upkeep import Upkeep

_FAILED = 1


def upkeep_of(
    store: Store,
    *,
    notify_file: Path | None = None,
    policy: Path | None = None,
    calibration: Path | None = None,
    url: str = "",
    **options: Any,
) -> Upkeep:
    """The upkeep of a store, as options of the command line ask for it. ``url`` is where the page is opened.

    Raises:
        ConfigError, MissingExtra: a file, or a secret that it names, cannot be used.
    """
    from guardrail.upkeep import Upkeep

    promised = None if policy is None and calibration is None else promised_by(policy, calibration)
    return Upkeep(store, notifier=_notifier(store, notify_file, url), calibration=promised, **options)


def _notifier(store: Store, notify_file: Path | None, url: str) -> Notifier | None:
    if notify_file is None:
        return None
    from guardrail.notify import Notifier, load

    return Notifier(store, load(notify_file, url=url))


@click.command()
@click.option("--once", is_flag=True, help="Do each task once, then end: for cron.")
@notify_option
@promises
@store_option
def upkeep(notify_file: Path | None, policy: Path | None, calibration: Path | None, *, once: bool) -> None:
    """Let overdue reviews expire, seal the audit logs, watch what was promised, and tell people.

    `guardrail serve` and `guardrail worker` do the same. Any number may run at once. Ends on SIGTERM or SIGINT. Exit
    status 1, with --once: a task failed.
    """
    with opened_store() as store:
        keeping = upkeep_of(store, notify_file=notify_file, policy=policy, calibration=calibration)
        if not once:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: keeping.stop())
            keeping.run()
            return
        done = keeping.once()
    for one in done:
        click.echo(f"{one.name}: {one.error or one.note or 'nothing to do'}")
    if any(one.error for one in done):
        click.get_current_context().exit(_FAILED)
