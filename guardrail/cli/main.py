"""``guardrail``: the command line. Other packages add commands through the entry-point group ``guardrail.commands``."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from typing import IO, Any

import click

from guardrail.cli.audit.command import audit
from guardrail.cli.audits import audits
from guardrail.cli.bench.command import bench
from guardrail.cli.calibrate.command import calibrate
from guardrail.cli.cluster import cluster
from guardrail.cli.explain import explain_schema
from guardrail.cli.label.command import label
from guardrail.cli.notify.command import notify
from guardrail.cli.options import DEFAULT_STORE
from guardrail.cli.people import people, tokens
from guardrail.cli.plugins import COMMANDS, entries, load
from guardrail.cli.policy.command import policy_group
from guardrail.cli.records import log, show
from guardrail.cli.replay.command import replay
from guardrail.cli.report.command import report
from guardrail.cli.reviews import reviews
from guardrail.cli.safe_text import plain
from guardrail.cli.schema import schema
from guardrail.cli.serve import serve
from guardrail.cli.simulate.command import simulate
from guardrail.cli.status.command import status, watch
from guardrail.cli.store import store as store_group
from guardrail.cli.upkeep import upkeep
from guardrail.errors import ConfigError, GuardrailError
from guardrail.version import __version__


class Failure(click.ClickException):
    """An error of this package as the command line tells it: one message, no traceback."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        lines = (plain(line) for line in self.message.split("\n"))
        click.echo("Error: " + "\n".join(lines), file=file or sys.stderr)


class Added(click.Command):
    """A command of another package, named but not yet loaded: listing commands must not import them."""

    def __init__(self, entry: EntryPoint) -> None:
        super().__init__(entry.name, short_help=f"(from {entry.module.partition('.')[0]})", add_help_option=False)
        self._entry = entry

    def load(self) -> click.Command:
        """The command itself.

        Raises:
            MissingExtra, ConfigError: it cannot be loaded; the message says what to install.
        """
        what = f"`guardrail {self.name}`"
        command = load(self._entry, what)
        if not isinstance(command, click.Command):
            raise ConfigError(f"{what} cannot be loaded: {self._entry.value} is not a click command")
        return command


class Commands(click.Group):
    """The built-in commands and those of other packages; errors of this package become one message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *sorted({entry.name for entry in entries(COMMANDS)} - set(self.commands))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        builtin = super().get_command(ctx, cmd_name)
        if builtin is not None:
            return builtin
        return next((Added(entry) for entry in entries(COMMANDS) if entry.name == cmd_name), None)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Added) else command, rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except GuardrailError as error:
            raise Failure(str(error)) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--store",
    metavar="URL",
    envvar="GUARDRAIL_STORE",
    default=DEFAULT_STORE,
    show_default=True,
    show_envvar=True,
    help="Where records and reviews are kept.",
)
@click.version_option(__version__, prog_name="guardrail")
@click.pass_context
def main(ctx: click.Context, store: str) -> None:
    """What the guard decided about an agent's tool calls, and the calls that wait for you."""
    ctx.ensure_object(dict)["store"] = store
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character shows its escape


for _command in (
    log,
    show,
    reviews,
    policy_group,
    report,
    schema,
    cluster,
    explain_schema,
    bench,
    calibrate,
    status,
    watch,
    replay,
    simulate,
    label,
    audits,
    people,
    tokens,
    store_group,
    audit,
    serve,
    notify,
    upkeep,
):
    main.add_command(_command)
