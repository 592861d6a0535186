"""``guardrail report``: what is promised, on what evidence, and what to label next, on one page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from guardrail.cli import render
from guardrail.cli.options import opened_store, store_option
from guardrail.errors import ConfigError
from guardrail.types import Tier

if TYPE_CHECKING:
    from guardrail.calibration.risk_model import RiskModel
    from guardrail.cli.report.building import Given
    from guardrail.types import Alarm

_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_EVERY: Final = "every other"


def _by_tier(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[Tier | None, float]:
    """``100`` or ``high=100``, each once."""
    found: dict[Tier | None, float] = {}
    for text in given:
        name, _sign, number = text.rpartition("=")
        try:
            tier = Tier(name) if name else None
            value = float(number)
        except ValueError as error:
            raise click.BadParameter(f"{text!r} is no cost: give a number, or TIER=NUMBER such as high=100") from error
        if tier in found:
            raise click.BadParameter(f"the cost of {_EVERY if tier is None else tier.value} calls is given twice")
        found[tier] = value
    return found


@click.command()
@click.argument("files", nargs=-1, type=_FILE)
@click.option("--calibration", "calibration_file", required=True, type=_FILE, help="The calibrated policy.")
@click.option("--html", "html_file", type=_FILE, help="Write the page here.")
@click.option("--json", "json_file", type=_FILE, help="Write the same as JSON here.")
@click.option("--risk-model", "model_file", type=_FILE, help="The risk model, where one was given to calibrate.")
@click.option(
    "--cost-wrong",
    "wrong",
    multiple=True,
    callback=_by_tier,
    metavar="[TIER=]COST",
    help="Of a wrong call that ran, in any currency; may be repeated by tier.",
)
@click.option("--cost-review", "review", type=float, metavar="COST", help="Of a human's look at a call.")
@click.option("--cost-retry", "retry", type=float, metavar="COST", help="Of planning a step again.")
@click.option(
    "--retry-settles",
    "settles",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="Assumed share of retried calls that then run. [default: as the labelled calls have it]",
)
@click.option("--max-reviews-per-day", "most_reviews", type=float, metavar="N", help="How many reviews people can do.")
@click.option(
    "--calls-per-day", "calls_a_day", type=float, metavar="M", help="How many calls there are, critical ones aside."
)
@store_option
def report(
    files: tuple[Path, ...],
    *,
    calibration_file: Path,
    html_file: Path | None,
    json_file: Path | None,
    model_file: Path | None,
    wrong: dict[Tier | None, float],
    review: float | None,
    retry: float | None,
    settles: float | None,
    most_reviews: float | None,
    calls_a_day: float | None,
) -> None:
    """One page about a calibration: promises, evidence, costs, and what to label next.

    FILES hold the labelled calls it was made of (JSON lines, CSV, Parquet). Without FILES, the labels of the store, and
    its standing alarms.
    """
    if html_file is None and json_file is None:
        raise ConfigError("say where the report goes: --html report.html, --json report.json, or both")
    if bool(wrong) != (review is not None):
        raise ConfigError("costs take both --cost-wrong and --cost-review")
    if retry is not None and review is None:
        raise ConfigError("--cost-retry goes with --cost-wrong and --cost-review")
    if settles is not None and retry is None:
        raise ConfigError("--retry-settles goes with --cost-retry")
    if (most_reviews is None) != (calls_a_day is None):
        raise ConfigError("--max-reviews-per-day and --calls-per-day go together")
    # fitting and drawing are this command's alone: no other has to load them
    from guardrail.calibration.calibrated_file import load_calibration
    from guardrail.calibration.risk_model import RiskModel
    from guardrail.cli.report.building import Prices, build
    from guardrail.cli.report.page import page
    from guardrail.codec import to_json

    policy = load_calibration(calibration_file)
    model = None if model_file is None else RiskModel.load(model_file)
    console = render.console()
    with console.status("reading labelled calls") as status:
        given, alarms = _labels(files, model)
        found = build(
            policy,
            given,
            prices=Prices(wrong=wrong, review=review, retry=retry, settles=settles),
            most_reviews=most_reviews,
            calls_a_day=calls_a_day,
            alarms=alarms,
            tell=lambda what, _share: status.update(what),
        )
        html = None if html_file is None else page(found)
    written = [
        (html_file, html),
        (json_file, json.dumps(to_json(found), indent=2, ensure_ascii=True, allow_nan=False) + "\n"),
    ]
    for path, text in written:
        if path is not None and text is not None:
            _write(path, text)
            console.print(f"wrote {path}")


def _labels(files: tuple[Path, ...], model: RiskModel | None) -> tuple[Given | None, list[Alarm]]:
    """The labelled calls of files, or of the store with its standing alarms; None where the store has none."""
    from guardrail.calibration.calls import Calls, calls_of
    from guardrail.cli.calibrate.labels import file_labels, store_labels
    from guardrail.cli.report.building import Given

    def tell(_what: str, _share: float) -> None:
        pass

    alarms: list[Alarm] = []
    if not files:
        with opened_store() as store:
            alarms = store.alarms()
    labels = file_labels(files, tell) if files else store_labels(tell)
    calls = labels.calls if isinstance(labels.calls, Calls) else calls_of(labels.calls)
    if not len(calls):
        return None, alarms
    return Given(calls=calls, unanswered=labels.unanswered, left_out=labels.left_out, model=model), alarms


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    try:
        # half a character, from a model's broken output, has no bytes
        part.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
