"""``guardrail simulate``: how many labels, which N, which target, how many reviewers."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.progress import Progress

from guardrail.cli import render
from guardrail.cli.bench.pictures import FORMATS
from guardrail.cli.options import backend_option, json_option, tools_option
from guardrail.cli.plugins import entailment
from guardrail.cli.rows import Tools, read_tools
from guardrail.errors import ConfigError
from guardrail.types import Tier

_FILE = click.Path(path_type=Path, dir_okay=False)


class _Numbers(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.3 on
    """Numbers with commas between them."""

    def __init__(self, kind: type[int | float]) -> None:
        self.name = "NUMBERS"
        self._kind = kind

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            found = tuple(self._kind(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of numbers such as 50,100,200", param, ctx)
        return tuple(dict.fromkeys(found))


@click.command()
@click.argument("files", nargs=-1, type=_FILE)
@click.option("--cases", multiple=True, type=_FILE, help="Recorded cases with samples and labels, scored for each N.")
@click.option("--tier", type=click.Choice([one.value for one in Tier if one is not Tier.CRITICAL]), help="Of FILES.")
@click.option("--error", type=float, default=0.15, show_default=True, help="Assumed share of calls that is wrong.")
@click.option("--auroc", type=float, default=0.85, show_default=True, help="Assumed AUROC of very many samples.")
@click.option("--samples", type=_Numbers(int), default="3,5,8", show_default=True, help="N, for assumptions and cases.")
@click.option("--labels", type=_Numbers(int), default="50,100,200,500,1000", show_default=True, help="How many labels.")
@click.option("--alpha", "alphas", type=_Numbers(float), default="0.2,0.1,0.05,0.02", show_default=True)
@click.option(
    "--confidence", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.95, show_default=True
)
@click.option("--calls-per-day", type=click.FloatRange(0), default=200, show_default=True)
@click.option("--audit", type=click.FloatRange(0, 1), default=0.1, show_default=True, help="Share of runs audited.")
@click.option("--minutes", type=float, default=2, show_default=True, help="A review takes.")
@click.option("--hours", type=float, default=6, show_default=True, help="A reviewer works a day.")
@click.option("--trials", type=click.IntRange(1), default=400, show_default=True, help="Calibrations simulated.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--pictures", type=click.Path(path_type=Path, file_okay=False), help="Write pictures into this folder.")
@click.option("--format", "suffix", type=click.Choice(FORMATS), default="svg", show_default=True, help="Of pictures.")
@tools_option
@backend_option
@json_option
def simulate(
    files: tuple[Path, ...],
    *,
    cases: tuple[Path, ...],
    tier: str | None,
    error: float,
    auroc: float,
    samples: tuple[int, ...],
    labels: tuple[int, ...],
    alphas: tuple[float, ...],
    confidence: float,
    calls_per_day: float,
    audit: float,
    minutes: float,
    hours: float,
    trials: int,
    seed: int,
    pictures: Path | None,
    suffix: str,
    tools_file: Path | None,
    backend: str,
    as_json: bool,
) -> None:
    """Simulate calibrations before you label: what a number of labels, N, a target and reviewers would give.

    Without FILES and --cases the calls are assumed: --error of them wrong, told apart with --auroc. FILES hold labelled
    calls with their risk (`guardrail schema labelled`), --cases recorded ones with samples. Nothing is sent to a model.
    """
    # the measures are this command's alone: no other has to load them
    from guardrail.calibration.simulation import Forecast, forecasts
    from guardrail.cli.simulate import pools as source
    from guardrail.cli.simulate.pictures import draw
    from guardrail.cli.simulate.view import Traffic, data_of, tables

    if files and cases:
        raise ConfigError("give labelled calls or recorded cases (--cases), not both: their risks are not comparable")
    tools = Tools() if tools_file is None else read_tools(tools_file)
    if cases:
        pools = source.from_cases(cases, tools, samples, entailment(backend), seed=seed)
    elif files:
        pools = source.from_labelled(files, None if tier is None else Tier(tier))
    else:
        pools = source.from_assumptions(error=error, auroc=auroc, samples=samples, seed=seed)
    traffic = Traffic(calls=calls_per_day, audit=audit, minutes=minutes, hours=hours)
    traffic.staff(0.0)
    console = render.console()
    found: list[Forecast] = []
    with Progress(console=console, transient=True, disable=as_json) as progress:
        task = progress.add_task("simulating", total=len(pools) * len(labels) * len(alphas))
        for one in forecasts(
            pools, labels=labels, alphas=alphas, delta=round(1 - confidence, 12), trials=trials, seed=seed
        ):
            found.append(one)
            progress.advance(task)
    drawn = [] if pictures is None else draw(found, traffic, pictures, f".{suffix}")
    if as_json:
        click.echo(json.dumps(data_of(pools, found, traffic)))
        return
    for part in tables(pools, found, traffic):
        console.print(part)
    for path in drawn:
        console.print(f"wrote {path}")
