"""One ``guardrail replay`` from its options to its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from guardrail.bulk import Estimator, Results
from guardrail.bulk.estimate import Estimate
from guardrail.bulk.job import source_of
from guardrail.bulk.spending import Purse
from guardrail.cli.replay.asked import job_of
from guardrail.cli.replay.ending import end, go_on
from guardrail.cli.replay.reading import recorded, refuse
from guardrail.cli.replay.running import Engine, Run, survey
from guardrail.cli.replay.view import beside, estimated, progress
from guardrail.cli.rows import Tools, read_tools
from guardrail.errors import ConfigError
from guardrail.types import Case

_INTERRUPTED = 130
"""What a shell calls a command that was stopped with Ctrl-C."""


class Session:
    """Reads what was recorded, tells what it will cost, asks, replays, and tells what it came to."""

    def __init__(
        self, files: Sequence[Path], tools_file: Path | None, given: Mapping[str, Any], *, as_json: bool
    ) -> None:
        self._given = given
        self._as_json = as_json
        self._console = beside()
        self._out: Path | None = given["out"]
        if self._out is None and not given["dry_run"]:
            raise ConfigError("say with --out where the results go, or ask with --dry-run what they would cost")
        _check_out(self._out, (*files, given["labelled"]))
        if given["engine"] == "ray":
            from guardrail.bulk import cluster

            cluster.needed()
        self._job = job_of(given)
        tools = Tools() if tools_file is None else read_tools(tools_file)
        self._placed = recorded(files, tools, given["limit"])
        self._cases = [case for _, case in self._placed]
        self._run, self._model, refused = asyncio.run(survey(self._job, self._placed))
        if not given["skip"]:
            refuse(refused, len(self._placed))
        self._purse = Purse(
            tokens=given["max_tokens"], money=given["max_money"], price=self._job.policy.budget.price(self._model)
        )
        if self._purse.money is not None and self._purse.price is None:
            raise ConfigError(
                f"--max-money needs a price for {self._model!r}: add it to the policy under 'prices', or one for '*'"
            )

    def run(self) -> None:
        """All of it.

        Raises:
            Exit: with 1 where something failed or is missing, with 130 where somebody stopped it.
        """
        if self._given["dry_run"] and (self._out is None or not self._out.exists()):
            self._estimate(self._cases, 0)
            return
        assert self._out is not None
        results = Results(self._out, self._run)
        try:
            left = self._left(results)
            if results.repaired:
                self._console.print(f"the last line of {self._out} was cut off; its step is done again")
            self._estimate(left, len(self._cases) - len(left))
            if not self._given["dry_run"]:
                self._replay(results, left)
        finally:
            results.close()

    def _estimate(self, left: Sequence[Case], finished: int) -> None:
        estimate = Estimator(self._job).all(left, price=self._purse.price, workers=self._given["workers"] or 1)
        rebuilt = sum(case.request is None and bool(case.conversation) for case in left)
        for line in estimated(estimate, model=self._model, finished=finished, rebuilt=rebuilt):
            self._console.print(line)
        if self._given["dry_run"] and self._as_json:
            click.echo(json.dumps(_data(estimate, finished)))

    def _replay(self, results: Results, left: Sequence[Case]) -> None:
        given = self._given
        if left and not given["yes"]:
            _confirm()
        job = replace(self._job, started=results.started or datetime.now(UTC).isoformat(timespec="seconds"))
        running = Run(job=job, results=results, purse=self._purse, estimator=Estimator(job))
        engine = Engine(ray=given["engine"] == "ray", address=given["ray_address"], workers=given["workers"])
        try:
            if left:
                with progress(self._console, len(left)) as step:
                    running.over(left, engine, step)
        except KeyboardInterrupt:
            self._console.print(go_on(results, self._cases))
            raise click.exceptions.Exit(_INTERRUPTED) from None
        end(job, results, self._cases, stopped=running.stopped, given=given, as_json=self._as_json)

    def _left(self, results: Results) -> list[Case]:
        """The cases that are not finished.

        Raises:
            ConfigError: one that is was another case by then.
        """
        left = []
        for place, case in self._placed:
            known = results.finished.get(case.id)
            if known is not None and known.source != source_of(case):
                raise ConfigError(
                    f"{place}: {case.id!r} is not what it was when {results.path} was written: give --out another file"
                )
            if known is None or (known.failed and self._given["retry_failed"]):
                left.append(case)
        return left


def _check_out(out: Path | None, others: Sequence[Path | None]) -> None:
    taken = {path.resolve() for path in others if path is not None}
    if out is not None and out.resolve() in taken:
        raise ConfigError(f"--out {out} is read from or written to already: give the results a file of their own")


def _confirm() -> None:
    try:
        sure = click.confirm("Go on?", err=True)
    except click.Abort:
        sure = False
        click.echo(err=True)
    if not sure:
        raise ConfigError("nothing was sent; say --yes to go on without being asked")


def _data(estimate: Estimate, finished: int) -> dict[str, Any]:
    usage = estimate.usage
    return {
        "cases": estimate.cases,
        "finished": finished,
        "requests": usage.requests,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "guessed": estimate.guessed,
        "seconds": estimate.seconds,
        "money": estimate.money,
    }
