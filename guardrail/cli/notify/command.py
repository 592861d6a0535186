"""``guardrail notify``: check who is told of what, try it, and see how it goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from guardrail.cli import render
from guardrail.cli.options import json_option, opened_store, store_option
from guardrail.cli.records import print_json
from guardrail.codec import to_json
from guardrail.errors import ConfigError

if TYPE_CHECKING:
    from guardrail.notify import Channel, Configuration

F = TypeVar("F", bound=Callable[..., Any])
VARIABLE: Final = "GUARDRAIL_NOTIFY"
DEAD: Final = 6
"""The exit status where messages were given up."""
_FILE: Final = click.Path(path_type=Path, dir_okay=False)


def notify_option(command: F) -> F:
    """``--notify`` names the file of notifications."""
    return click.option(
        "--notify",
        "notify_file",
        type=_FILE,
        envvar=VARIABLE,
        metavar="FILE",
        help=f"Who is told of what. [default: {VARIABLE}, or nobody]",
    )(command)


_file_option = click.option(
    "--file", "notify_file", type=_FILE, envvar=VARIABLE, metavar="FILE", help=f"[default: {VARIABLE}]"
)


@click.group()
def notify() -> None:
    """Tell people elsewhere that calls wait: signed webhooks, chats and mail.

    A server (`guardrail serve`), a worker, or `guardrail upkeep` does the telling. See docs/notifications.md.
    """


@notify.command()
@_file_option
@click.option("--offline", is_flag=True, help="Do not ask for the variables that hold the secrets.")
def check(notify_file: Path | None, *, offline: bool) -> None:
    """Check a file of notifications, and that the secrets it names are there. Nothing is sent."""
    from guardrail.cli.notify.view import channel_line
    from guardrail.notify import open_sender

    configuration = _configuration(notify_file)
    for channel in configuration.channels:
        if not offline:
            open_sender(channel)
        click.echo(channel_line(channel))
    if not configuration.url:
        click.echo("no link: without `url`, messages do not say where to decide")


@notify.command()
@click.argument("channel")
@_file_option
def test(channel: str, notify_file: Path | None) -> None:
    """Send a message to CHANNEL that says that it is a test."""
    from guardrail.notify import send_test

    configuration = _configuration(notify_file)
    send_test(_channel(configuration, channel), configuration)
    click.echo(f"{channel} took the message")


@notify.command()
def secret() -> None:
    """Make a secret for a webhook: put it into the variables of sender and receiver."""
    from guardrail.notify import new_secret

    click.echo(new_secret())


@notify.command()
@_file_option
@json_option
@store_option
def status(notify_file: Path | None, *, as_json: bool) -> None:
    """Show by channel what is owed, sent and given up, and when upkeep last did its tasks.

    Exit status 6: messages were given up. `guardrail notify retry` owes them again.
    """
    from guardrail.cli.notify.view import status_view
    from guardrail.notify import channels_status
    from guardrail.upkeep import upkeep_status

    channels = () if notify_file is None else _configuration(notify_file).channels
    with opened_store() as store:
        found = channels_status(store, channels, datetime.now(UTC))
        tasks = upkeep_status(store)
    if as_json:
        print_json({"channels": [to_json(one) for one in found], "upkeep": [to_json(one) for one in tasks]})
    else:
        for part in status_view(found, tasks):
            render.console().print(part)
    if any(one.dead for one in found):
        click.get_current_context().exit(DEAD)


@notify.command()
@click.argument("channel")
@store_option
def retry(channel: str) -> None:
    """Owe again the messages that were given up on CHANNEL."""
    from guardrail.notify import revive

    with opened_store() as store:
        count = revive(store, channel, datetime.now(UTC))
    click.echo(f"{count} {'message is' if count == 1 else 'messages are'} owed again")


def _configuration(notify_file: Path | None) -> Configuration:
    from guardrail.notify import load

    if notify_file is None:
        raise ConfigError(f"name the file of notifications with --file or {VARIABLE}")
    return load(notify_file)


def _channel(configuration: Configuration, name: str) -> Channel:
    from guardrail.policy.problems import unknown

    found = configuration.channel(name)
    if found is None:
        raise ConfigError(unknown("channel", name, [one.name for one in configuration.channels]))
    return found
