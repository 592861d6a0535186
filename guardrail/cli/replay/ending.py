"""What a replay came to: the results in order, judged calls for calibration, and both sides in one table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from guardrail.bulk import Job, Results
from guardrail.bulk.labelled import labelled
from guardrail.bulk.summary import summary
from guardrail.cli import render
from guardrail.cli.options import opened_store
from guardrail.cli.replay.view import beside, summed_up
from guardrail.clustering import shared
from guardrail.codec import to_json
from guardrail.errors import ConfigError
from guardrail.store import stored_draws
from guardrail.types import AuditDraw, Case


def go_on(results: Results, cases: Sequence[Case]) -> str:
    """How far a run has come that ended before its end."""
    finished = sum(case.id in results.finished for case in cases)
    return f"stopped: {finished} of {len(cases)} are in {results.path}; the same command goes on from there"


def end(
    job: Job, results: Results, cases: Sequence[Case], *, stopped: str, given: Mapping[str, Any], as_json: bool
) -> None:
    """Put the results in order, if all are there, and tell what they came to.

    Raises:
        Exit: with 1, where something failed or is missing.
        ConfigError: a file cannot be written.
    """
    complete = all(case.id in results.finished for case in cases)
    if complete:
        results.complete()
    before = {case.id: case for case in cases}
    pairs = [(before[case.id], case) for case in results.cases() if case.id in before]
    found = summary(pairs, job, shared(job.judge()))
    console = beside() if as_json else render.console()
    for part in summed_up(found, job.policy.budget.price):
        console.print(part)
    if stopped:
        console.print(f"{stopped}; {go_on(results, cases)}")
    console.print(f"results are in {results.path}")
    path: Path | None = given["labelled"]
    if path is not None:
        console.print(_labelled(path, pairs, given, kept=job.keep_plan))
    if as_json:
        click.echo(json.dumps({**to_json(found), "stopped": stopped, "finished": len(pairs), "cases": len(cases)}))
    if found.failed or not complete:
        raise click.exceptions.Exit(1)


def _labelled(path: Path, pairs: Sequence[tuple[Case, Case]], given: Mapping[str, Any], *, kept: bool) -> str:
    draws: Sequence[AuditDraw] = ()
    if kept and not given["files"]:
        with opened_store() as store:
            draws = list(stored_draws(store))
    found = labelled(pairs, draws=draws, probability=given["label_probability"])
    try:
        with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
            # a call that was to be judged and could not be is no evidence that it is right
            file.writelines(json.dumps(to_json(row)) + "\n" for row in (*found.calls, *found.unanswered))
    except OSError as error:
        raise ConfigError(f"cannot write judged calls to {path}: {error.strerror}") from error
    said = [f"{len(found.calls)} judged calls are in {path}"]
    if found.unanswered:
        said.append(f"{len(found.unanswered)} that were to be judged and were not stand there as wrong")
    unknown = sum(row.probability is None for row in found.calls)
    if unknown:
        said.append(
            f"{unknown} are no evidence, since nobody knows how likely they were to be judged: where you do, say so "
            "with --label-probability"
        )
    said += [f"{count} are left out: {why}" for why, count in found.left_out.items()]
    return "\n  ".join(said)
