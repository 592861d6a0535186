"""``guardrail mcp``: the proxy on the command line."""

from __future__ import annotations

import hashlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from guardrail.cli.options import store_option
from guardrail.errors import ConfigError, MissingExtra
from guardrail.policy import Policy
from guardrail.store import open_store
from guardrail.types import Tier

if TYPE_CHECKING:
    from guardrail.engine import Observer
    from guardrail.store import Store

_OURS: Final = "GUARDRAIL_"


def _tiers(_: click.Context, __: click.Parameter, value: str) -> frozenset[Tier]:
    names = [name.strip() for name in value.split(",") if name.strip()]
    try:
        return frozenset() if names == ["none"] else frozenset(map(Tier, names))
    except ValueError as error:
        known = ", ".join(Tier)
        raise click.BadParameter(f"{value!r} are no tiers: write some of {known} with commas, or none") from error


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--policy", type=click.Path(path_type=Path, dir_okay=False), help="What each tool's stakes ask for.")
@click.option("--name", help="What this server is called here. [default: made of the command]")
@click.option("--requester", metavar="WHO", help="The agent, or whom it acts for: never decides on its own calls.")
@click.option("--thread", metavar="ID", help="Whose decisions belong together. [default: all with this name]")
@click.option("--tenant", default="", help="Whose reviews these are.")
@click.option("--wait", default=45.0, show_default=True, metavar="SECONDS", help="How long a call waits for a human.")
@click.option(
    "--elicit",
    default="low,medium",
    show_default=True,
    callback=_tiers,
    metavar="TIERS",
    help="On which tiers the client's user may decide, where the client can ask; or none.",
)
@click.option("--no-sampling", is_flag=True, help="Never ask the client to draw a step again.")
@click.option("--shared-policy", is_flag=True, help="The policy's rules may be about tools of other servers.")
@click.option("--otel", is_flag=True, help="Verdicts as spans and metrics, where opentelemetry-instrument sends them.")
@click.option("--log-verdicts", is_flag=True, help="Verdicts as lines of JSON on standard error.")
@click.option("--upstream", metavar="URL", help="The server, by streamable HTTP, in place of a command.")
@click.option("--http", metavar="HOST:PORT", help="Serve clients by streamable HTTP in place of stdio.")
@store_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def mcp(context: click.Context, /, command: tuple[str, ...], **options: Any) -> None:
    """Guard a server of the Model Context Protocol: guardrail mcp [OPTIONS] -- COMMAND ARGS...

    Everything passes unchanged, but calls of tools: these are measured where the client can draw steps again, executed,
    planned again, or put before a human, as the policy says.
    """
    try:
        from guardrail_mcp.proxy import Settings
        from guardrail_mcp.serving import serve, upstream_of
    except ImportError as error:
        raise MissingExtra("`guardrail mcp`", "mcp") from error
    upstream = options["upstream"]
    if bool(command) == bool(upstream):
        raise ConfigError("say which server to guard: a command after --, or --upstream URL, and not both")
    name = options["name"] or _named(command or (upstream,))
    settings = Settings(
        policy=Policy() if options["policy"] is None else Policy.load(options["policy"]),
        thread_id=options["thread"] or f"mcp/{name}",
        requester=options["requester"] or f"mcp/{name}",
        tenant=options["tenant"],
        wait=options["wait"],
        elicit=options["elicit"],
        resample=not options["no_sampling"],
        shared=options["shared_policy"],
        observers=tuple(_observers(otel=options["otel"], log=options["log_verdicts"])),
    )
    store: Store = open_store(context.obj["store"])
    try:
        server = upstream_of(command, upstream, _environment())
        well = serve(settings, store, server, http=options["http"])
    except KeyboardInterrupt:
        well = True
    finally:
        store.close()
    if not well:
        sys.stderr.flush()
        context.exit(1)


def _observers(*, otel: bool, log: bool) -> Iterator[Observer]:
    from guardrail.telemetry import OpenTelemetryObserver, log_observer

    if otel:
        yield OpenTelemetryObserver.configured("opentelemetry-instrument guardrail mcp --otel ...")
    if log:
        logger = logging.Logger("guardrail.verdicts")  # noqa: LOG001 - standard error is its own, whatever is set up
        logger.addHandler(logging.StreamHandler(sys.stderr))
        yield log_observer(logger)


def _named(command: tuple[str, ...]) -> str:
    return f"{Path(command[0]).name}-{hashlib.sha256(repr(command).encode()).hexdigest()[:8]}"


def _environment() -> dict[str, str]:
    """What the client's configuration sets for the server; nothing of ours is its business."""
    return {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
