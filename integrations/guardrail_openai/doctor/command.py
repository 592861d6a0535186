"""``guardrail doctor``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from openai import OpenAI
from rich.console import Console
from rich.status import Status

from guardrail.cli import render
from guardrail.cli.options import json_option
from guardrail.cli.records import print_json
from guardrail.cli.rows import read_tools
from guardrail.cli.safe_text import plain
from guardrail.errors import ConfigError
from guardrail.policy import Policy
from guardrail.types import ToolSpec
from guardrail_openai.doctor import view
from guardrail_openai.doctor.examination import Report, examine
from guardrail_openai.doctor.findings import Finding
from guardrail_openai.doctor.probes import Probes

_KEY = "OPENAI_API_KEY"


@click.command()
@click.option("--model", required=True, metavar="NAME", help="The model that plans.")
@click.option("--base-url", metavar="URL", help="Its OpenAI-compatible endpoint. [default: OpenAI]")
@click.option("--api", type=click.Choice(["chat", "responses"]), default="chat", show_default=True)
@click.option("--policy", "policy_file", type=click.Path(path_type=Path, dir_okay=False), help="The policy to check.")
@click.option(
    "--tools", "tools_file", type=click.Path(path_type=Path, dir_okay=False), help="JSON of the tools it is offered."
)
@click.option("--samples", type=click.IntRange(2, 64), default=8, show_default=True, help="The most samples at once.")
@click.option("--entailment", default="structure", show_default=True, metavar="NAME", help="The judge of free texts.")
@click.option("--timeout", type=click.FloatRange(min=1), default=120.0, show_default=True, help="Seconds a request.")
@json_option
@click.pass_context
def doctor(
    context: click.Context,
    *,
    model: str,
    base_url: str | None,
    api: str,
    policy_file: Path | None,
    tools_file: Path | None,
    samples: int,
    entailment: str,
    timeout: float,
    as_json: bool,
) -> None:
    """Check a model endpoint and a policy before anyone trusts them.

    Draws a few dozen short canaries: are samples independent, does n work, are there log-probabilities, is the bill
    right, do the policy's rules fit the tools. The key is OPENAI_API_KEY.

    Exit code: 0 all ok, or warnings; 1 a failure; 2 the endpoint cannot be used.
    """
    key = os.environ.get(_KEY) or ("none" if base_url else None)
    if key is None:
        raise ConfigError(f"there is no API key: set {_KEY}, or name another endpoint with --base-url")
    policy = Policy() if policy_file is None else Policy.load(policy_file)
    tools = () if tools_file is None else _tools(tools_file)
    console = render.console()
    with OpenAI(api_key=key, base_url=base_url) as client, _progress(console, quiet=as_json) as status:
        probes = Probes(
            client,
            model,
            "responses" if api == "responses" else "chat",
            timeout=timeout,
            tell=lambda what: status.update(what) if status else None,
        )
        report = examine(
            probes,
            policy=policy,
            tools=tools,
            samples=samples,
            judge=entailment,
            tell=lambda finding: None if as_json else _tell(console, finding),
        )
    _end(console, report, as_json=as_json)
    context.exit(report.code)


def _tools(path: Path) -> tuple[ToolSpec, ...]:
    read = read_tools(path)
    tools = (*read.always, *(tool for specs in (read.by_id or {}).values() for tool in specs))
    if not tools:
        raise ConfigError(f"{path} has no tools")
    return tools


def _tell(console: Console, finding: Finding) -> None:
    console.print(view.finding_row(finding))


def _end(console: Console, report: Report, *, as_json: bool) -> None:
    if as_json:
        print_json(view.data(report))
    else:
        console.print(view.ending(report))


@contextmanager
def _progress(console: Console, *, quiet: bool) -> Iterator[Status | None]:
    if quiet or not sys.stdout.isatty():
        yield None
        return
    with console.status(plain("starting")) as status:
        yield status
