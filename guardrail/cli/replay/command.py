"""``guardrail replay``: recorded planning steps planned, drawn and scored again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from guardrail.cli.options import backend_option, json_option, store_option, tools_option

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("files", nargs=-1, type=_FILE)
@click.option("--planner", required=True, metavar="NAME", help="Who plans again: openai:MODEL@URL, or module:function.")
@click.option("--out", type=_FILE, help="JSON lines of results, added to and continued; only you may read it.")
@click.option(
    "--policy", "policy_file", type=_FILE, help="The policy for N, signals and verdicts.  [default: no rules]"
)
@click.option("--samples", type=click.IntRange(2, 100), help="N, in place of that of the policy's tiers.")
@click.option(
    "--temperature", default="1.0", show_default=True, metavar="T", help="Of the samples; 'request': the request's own."
)
@click.option("--keep-plan", is_flag=True, help="Keep the recorded plan and its label; only draw and score it again.")
@click.option("--signal", "signals", multiple=True, metavar="NAME", help="Measure this too; may be repeated.")
@click.option("--checker", metavar="NAME", help="module:function that tells of a case whether its plan is right.")
@click.option("--set", "settings", multiple=True, metavar="KEY=JSON", help="Put into every request; null takes it out.")
@tools_option
@backend_option
@click.option("--limit", type=click.IntRange(1), help="Replay only the first so many.")
@click.option("--skip", is_flag=True, help="Write steps that cannot be replayed as failed, and replay the others.")
@click.option("--retry-failed", is_flag=True, help="Do again what failed before; the rest of --out stays.")
@click.option("--concurrency", type=click.IntRange(1), default=8, show_default=True, help="Steps at the same time.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), default=120.0, show_default=True, help="Seconds.")
@click.option("--retries", type=click.IntRange(0), default=2, show_default=True, help="Of one request.")
@click.option("--max-tokens", type=click.IntRange(1), help="Begin no step beyond so many tokens.")
@click.option("--max-money", type=click.FloatRange(0, min_open=True), help="... or so much, by the policy's prices.")
@click.option("--engine", type=click.Choice(["asyncio", "ray"]), default="asyncio", show_default=True, help="Where.")
@click.option("--ray-address", metavar="ADDRESS", help="Of a Ray cluster.  [default: one on this machine]")
@click.option("--workers", type=click.IntRange(1), help="Processes on the cluster.  [default: one a CPU]")
@click.option("--labelled", type=_FILE, help="Write judged calls for `guardrail calibrate`, JSON lines.")
@click.option(
    "--label-probability",
    type=click.FloatRange(0, 1, min_open=True),
    help="Of kept labels that have none of their own; 1: every call was judged.",
)
@click.option("--dry-run", is_flag=True, help="Tell what it would cost, and stop.")
@click.option("--yes", is_flag=True, help="Do not ask before spending.")
@json_option
@store_option
def replay(files: tuple[Path, ...], *, tools_file: Path | None, as_json: bool, **given: Any) -> None:
    """Plan, draw and score recorded planning steps again: for a new model, another N or another policy.

    FILES hold JSON lines: cases of `guardrail record`, records, or results of this command. Without FILES, the records
    of the store. Each step is planned again by --planner, drawn N times, and judged by --policy; the results are cases
    for `guardrail bench`. What it will cost is told first, and asked for. A run that was cut off is continued by the
    same command: what is in --out is not paid for again. Ends with 1 where something failed or a limit was reached.
    """
    # the engine and the planner are this command's alone: no other has to load them
    from guardrail.cli.replay.session import Session

    Session(files, tools_file, {**given, "files": files}, as_json=as_json).run()
