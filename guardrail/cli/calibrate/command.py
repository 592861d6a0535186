"""``guardrail calibrate``: propose thresholds from labelled calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from guardrail.cli import render
from guardrail.cli.options import json_option, opened_store, store_option
from guardrail.codec import to_json
from guardrail.errors import ConfigError
from guardrail.policy import Policy

if TYPE_CHECKING:
    from guardrail.calibration import Combiner, Retries, RiskModel

NOTHING: Final = 3
"""The exit code where no tier has a threshold."""


def _pairs(_: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for value in values:
        key, separator, rest = value.partition("=")
        if not separator or not key or not rest:
            raise click.BadParameter(f"{value!r} is no KEY=VALUE", param=parameter)
        if key in found:
            raise click.BadParameter(f"{key!r} is given twice", param=parameter)
        found[key] = rest
    return found


def _numbers(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    try:
        return {key: float(text) for key, text in _pairs(context, parameter, values).items()}
    except ValueError as error:
        raise click.BadParameter(str(error), param=parameter) from error


def _plan(_: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    first, _separator, looks = value.partition(",")
    if not (first.isdecimal() and looks.isdecimal() and int(first) and int(looks)):
        raise click.BadParameter(f"{value!r} is no plan; 100,4 plans looks at 100, 200, 400 and 800", param=parameter)
    return int(first), int(looks)


_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("files", nargs=-1, type=_FILE)
@click.option("--policy", type=_FILE, help="The policy, to see whether it retries.")
@click.option(
    "--target",
    "targets",
    multiple=True,
    metavar="TIER=ALPHA",
    callback=_numbers,
    help="May be repeated. [default: low=0.2 medium=0.1 high=0.02]",
)
@click.option("--confidence", type=float, default=0.95, show_default=True, help="How sure each promise is.")
@click.option("--simultaneous", is_flag=True, help="Be as sure of all tiers together.")
@click.option(
    "--unit", type=click.Choice(["call", "task"]), default="call", show_default=True, help="What labels count by."
)
@click.option(
    "--cuts",
    type=click.Choice(["labels", "traffic"]),
    default="labels",
    show_default=True,
    help="Where thresholds are tried; traffic takes the store's calls.",
)
@click.option(
    "--attempts",
    type=click.Choice(["strata", "loop", "all"]),
    help="How retries are calibrated. [default: strata, or all where the policy retries nothing]",
)
@click.option(
    "--combiner",
    default="cross-fit",
    show_default=True,
    metavar="NAME|FILE",
    help="Where the risk comes from: cross-fit, recorded, or a risk model's file.",
)
@click.option("--signal", "signals", multiple=True, metavar="NAME", help="An input of the risk model; may be repeated.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of folds and draws.")
@click.option(
    "--where",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_pairs,
    help="Only calls scored so, such as samples=8 or high.samples=8.",
)
@click.option(
    "--fingerprint",
    multiple=True,
    metavar="KEY=VALUE",
    callback=_pairs,
    help="What scores depend on, for calls that do not say so.",
)
@click.option(
    "--floor", multiple=True, metavar="TIER=RISK", callback=_numbers, help="Labels were drawn only below that risk."
)
@click.option(
    "--all-reviewed", is_flag=True, help="No call of these tiers ran without a human while the labels were collected."
)
@click.option("--no-vetoes", is_flag=True, help="Set no labels aside to decide which tools go to review.")
@click.option(
    "--ledger",
    "ledger_file",
    type=_FILE,
    help="Counts the looks. [default: in the store, or calibration.ledger.json beside the first file]",
)
@click.option(
    "--plan", metavar="FIRST,LOOKS", callback=_plan, help="For a new ledger: plan looks at doubling numbers of labels."
)
@click.option("--out", type=_FILE, help="Write the proposal here.")
@click.option("--risk-model-out", type=_FILE, help="Write its risk model here. [default: beside it, .risk.json]")
@json_option
@store_option
def calibrate(files: tuple[Path, ...], **given: Any) -> None:
    """Propose thresholds that keep a promise, from labelled calls.

    Of each tier: with this confidence, at most ALPHA of the calls that run without a human are wrong. Where that cannot
    be promised, it says what is missing, and the tier stays at review.

    FILES hold labelled calls: JSON lines, CSV or Parquet (`guardrail schema labelled`). Without FILES, the labels of
    the store. Nothing is adopted: `guardrail policy adopt` does that. Exits with 3 if no tier has a threshold.
    """
    from guardrail import calibration
    from guardrail.cli.calibrate.labels import file_labels, store_labels
    from guardrail.cli.calibrate.ledgers import kept_ledger
    from guardrail.cli.calibrate.view import views

    out, model_out = _outputs(given["out"], given["risk_model_out"])
    with _telling(quiet=given["as_json"]) as tell:
        labels = file_labels(files, tell) if files else store_labels(tell)
        ran = {} if given["all_reviewed"] else labels.ran_unjudged
        with kept_ledger(files, given["ledger_file"], given["plan"]) as ledger:
            found = calibration.calibrate(
                labels.calls,
                unanswered=labels.unanswered,
                ran_unjudged=ran,
                target_error=given["targets"] or calibration.TARGETS,
                confidence=given["confidence"],
                unit=given["unit"],
                simultaneous=given["simultaneous"],
                cuts=given["cuts"],
                combiner=_combiner(given["combiner"]),
                signals=given["signals"] or None,
                attempts=given["attempts"] or _attempts(given["policy"]),
                ledger=ledger.value,
                seed=given["seed"],
                where=given["where"],
                fingerprint=given["fingerprint"],
                floor=given["floor"],
                traffic=_traffic() if given["cuts"] == "traffic" else {},
                vetoes=not given["no_vetoes"],
                progress=tell,
            )
            # whoever has seen the result has looked: the ledger knows of it first
            ledger.keep(found.ledger)
    written = []
    if out is not None:
        found.save(out, model_out)
        written = [str(out), *([str(model_out)] if found.model is not None else [])]
    if given["as_json"]:
        click.echo(json.dumps({"policy": to_json(found.policy), "left_out": labels.left_out, "written": written}))
    else:
        console = render.console()
        for part in views(found.policy):
            console.print(part)
        for reason, count in labels.left_out.items():
            console.print(f"left out: {count} labels, {reason}")
        for path in written:
            console.print(f"wrote {path}")
    if not found.promises:
        click.get_current_context().exit(NOTHING)


def _outputs(out: Path | None, model: Path | None) -> tuple[Path | None, Path]:
    """Where the proposal and its model are written.

    Raises:
        ConfigError: an adopted calibration is in the way: a guard runs on it.
    """
    from guardrail.calibration import load_calibration

    if out is None:
        if model is not None:
            raise ConfigError("--risk-model-out takes --out too: the thresholds and their risk model belong together")
        return None, Path()
    if out.exists() and load_calibration(out).adopted_by:
        raise ConfigError(
            f"{out} was adopted, and a guard may run on it: write the proposal to another file, compare them with "
            "`guardrail policy diff`, and adopt it with `guardrail policy adopt`"
        )
    return out, model or out.with_name(f"{out.stem}.risk.json")


def _combiner(name: str) -> Combiner | RiskModel:
    from guardrail.calibration import Combiner, RiskModel

    return Combiner(name) if name in list(Combiner) else RiskModel.load(name)


def _attempts(policy: Path | None) -> Retries:
    from guardrail.calibration import Retries

    if policy is None:
        return Retries.STRATA
    retries = any(settings.max_retries for settings in Policy.load(policy).settings.values())
    return Retries.STRATA if retries else Retries.ALL


def _traffic() -> Mapping[str, list[Mapping[str, float | None]]]:
    """The signals of every call of the store, by tier, whether or not anybody judged it."""
    from guardrail.store import stored_records

    found: dict[str, list[Mapping[str, float | None]]] = {}
    with opened_store() as store:
        for record in stored_records(store):
            for verdict in record.verdict.verdicts:
                signals = verdict.scored or verdict.signals
                # a call whose samples were not all drawn has bounds, and no score yet
                if signals and not any(signal.bounds for signal in signals):
                    found.setdefault(verdict.tier.value, []).append({one.name: one.value for one in signals})
    return found


@contextmanager
def _telling(*, quiet: bool) -> Iterator[Callable[[str, float], None]]:
    """A progress bar on the terminal, beside what is printed."""
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=quiet,
    )
    with bar:
        task = bar.add_task("reading", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)
