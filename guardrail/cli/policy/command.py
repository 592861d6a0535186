"""``guardrail policy show``, ``diff`` and ``adopt``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from guardrail.cli import render
from guardrail.cli.options import (
    backend_option,
    by_option,
    full_option,
    json_option,
    opened_store,
    reviewer,
    store_option,
)
from guardrail.cli.plugins import entailment
from guardrail.codec import to_json
from guardrail.policy import Policy

if TYPE_CHECKING:
    from guardrail.cli.policy.changes import Compared
    from guardrail.types import CalibratedPolicy, Case

_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_model_option = click.option(
    "--risk-model",
    type=_FILE,
    help="The proposal's risk model. [default: PROPOSAL with .risk.json, or the policy's]",
)


@click.group(name="policy")
def policy_group() -> None:
    """What a policy promises, what a proposal would change, and adopting it."""


@policy_group.command()
@click.argument("policy_file", metavar="POLICY", type=_FILE)
@json_option
def show(policy_file: Path, *, as_json: bool) -> None:
    """What each tier promises: thresholds, evidence, and what they are calibrated for."""
    from guardrail.cli.policy.changes import Rules
    from guardrail.cli.policy.view import promises

    policy = Policy.load(policy_file)
    # as a guard would: what it refuses promises nothing
    found = Rules.of(policy, judge="").calibration
    calibration = None if found is None else found.policy
    if as_json:
        click.echo(json.dumps({"version": policy.version, "calibration": _plain(calibration)}))
        return
    console = render.console()
    for part in promises(policy, calibration):
        console.print(part)


@policy_group.command()
@click.argument("policy_file", metavar="POLICY", type=_FILE)
@click.argument("proposal_file", metavar="PROPOSAL", type=_FILE)
@click.argument("files", nargs=-1, type=_FILE)
@_model_option
@backend_option
@full_option
@json_option
@store_option
def diff(
    policy_file: Path,
    proposal_file: Path,
    files: tuple[Path, ...],
    *,
    risk_model: Path | None,
    backend: str,
    full: bool,
    as_json: bool,
) -> None:
    """What PROPOSAL would change under POLICY, on recorded traffic.

    FILES hold cases or records, JSON lines; without them it is the records of the store. Every step is decided again by
    both, by the samples that it had, with the same judge of texts.
    """
    from guardrail.cli.policy.adopting import proposal_of
    from guardrail.cli.policy.changes import Rules, compare
    from guardrail.cli.policy.view import compared, thresholds

    policy, judge = Policy.load(policy_file), entailment(backend)
    proposal, model = proposal_of(proposal_file, risk_model, policy)
    now = Rules.of(policy, judge=judge.name)
    then = Rules.proposed(policy, proposal, model, str(proposal_file), judge=judge.name)
    current = None if now.calibration is None else now.calibration.policy
    with _cases(files) as cases, _telling(quiet=as_json) as tell:
        found = compare(cases, now, then, judge, tell)
    if as_json:
        click.echo(json.dumps(_report(found, current, proposal)))
        return
    console = render.console()
    console.print(thresholds(current, proposal))
    for part in compared(found, everything=full):
        console.print(part)


@policy_group.command()
@click.argument("proposal_file", metavar="PROPOSAL", type=_FILE)
@click.option("--policy", "policy_file", type=_FILE, required=True, help="The policy that it is adopted for.")
@_model_option
@by_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--write", is_flag=True, help="Add the lines that the policy lacks, at its end.")
def adopt(
    proposal_file: Path, policy_file: Path, *, risk_model: Path | None, by: str | None, yes: bool, write: bool
) -> None:
    """Let guards run on PROPOSAL: its thresholds and its risk model, beside the policy.

    What was there is kept as NAME.before.json. The policy's own file is left as it is, unless --write is given.
    """
    from guardrail.cli.calibrate.view import views
    from guardrail.cli.policy.adopting import adopt as write_both
    from guardrail.cli.policy.adopting import prepared
    from guardrail.cli.policy.view import fingerprints, thresholds

    console = render.console()
    adoption = prepared(policy_file, proposal_file, risk_model)
    for part in views(adoption.proposal):
        console.print(part)
    console.print(fingerprints(adoption.proposal))
    console.print(thresholds(adoption.current, adoption.proposal))
    name = reviewer(by)
    if not yes:
        click.confirm(f"Adopt it for {policy_file}, as {name}?", abort=True)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    for line in write_both(adoption, by=name, at=at, write=write):
        console.print(line)
    if adoption.lines and not write:
        console.print(f"{policy_file} does not name them yet; add at its top level (or adopt with --write):")
        for line in adoption.lines:
            console.print(f"  {line}")
    console.print("Guards that are running keep what they have: start them anew.")


def _plain(calibration: CalibratedPolicy | None) -> dict[str, Any] | None:
    return None if calibration is None else to_json(calibration)


def _report(found: Compared, now: CalibratedPolicy | None, then: CalibratedPolicy) -> dict[str, Any]:
    return {
        "now": _plain(now),
        "then": _plain(then),
        "tiers": {tier.value: traffic.as_json() for tier, traffic in found.tiers.items()},
        "changes": [
            {
                "record": one.record,
                "call": to_json(one.call),
                "tier": one.tier.value,
                "risk": one.risk,
                "now": one.now.value,
                "then": one.then.value,
                "why": one.why,
                "label": one.label,
            }
            for one in found.changes
        ],
    }


@contextmanager
def _cases(files: tuple[Path, ...]) -> Iterator[Iterator[Case]]:
    from guardrail.cli.bench.cases import read_cases, stored_cases
    from guardrail.cli.rows import Tools

    if files:
        yield (case for file in files for case in read_cases(file, Tools()))
        return
    with opened_store() as store:
        yield stored_cases(store)


@contextmanager
def _telling(*, quiet: bool) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("{task.completed} steps decided again"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task("", total=None)
        yield lambda done: bar.update(task, completed=done)
