"""``guardrail label``: judge calls, or attach the judgements of others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
from rich.text import Text

from guardrail.cli import render
from guardrail.cli.options import by_option, opened_store, reviewer, store_option
from guardrail.cli.safe_text import shown
from guardrail.cli.status.command import promised_by, promises
from guardrail.errors import StoreError
from guardrail.store import Store
from guardrail.types import CalibratedPolicy, Tier

INTERRUPTED: Final = 130
"""The exit code of a walk that was cut off; its answers are kept."""


@click.command()
@click.option("--tier", type=click.Choice([tier.value for tier in Tier]), help="Only calls of this tier.")
@click.option("--tool", metavar="NAME", help="Only calls of this tool.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
@click.option("--audits-only", is_flag=True, help="Only calls that were drawn to be judged.")
@click.option("--contradictions", is_flag=True, help="Judge again what was judged both right and wrong.")
@click.option("--list-contradictions", "listed", is_flag=True, help="Show what was judged both right and wrong.")
@click.option(
    "--import",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Attach the labels of a file: JSON lines, CSV or Parquet.",
)
@click.option("--langsmith", "dataset", metavar="DATASET", help="Attach the labels of a LangSmith dataset's examples.")
@click.option(
    "--feedback-key",
    default="correctness",
    show_default=True,
    metavar="KEY",
    help="LangSmith feedback that tells right (1) from wrong (0), where an example does not.",
)
@click.option("--checker", metavar="NAME", help="Ask module:function whether a call is right.")
@click.option(
    "--probability",
    type=click.FloatRange(0, 1, min_open=True),
    help="With which labels were chosen that do not say so; 1: every call was judged.",
)
@click.option("--skip-unknown", is_flag=True, help="Leave out labels of records that are not here.")
@promises
@by_option
@store_option
def label(
    file: Path | None,
    dataset: str | None,
    checker: str | None,
    policy: Path | None,
    calibration: Path | None,
    **given: Any,
) -> None:
    """Say of calls whether they were right: what calibration learns from.

    Without options, you are shown the calls that nobody has judged, one after another, those drawn for an audit first.
    What the guard made of a call is shown once you have answered, so that you judge by what was asked for. Every answer
    is kept at once, and your later word takes the place of your earlier one.

    --import, --langsmith and --checker attach the judgements of others to the records that they are about. A row has
    record, call (where the record has several) and correct, and may have by, at, note, fault and probability.

    With --policy or --calibration an answer that breaks the promise raises its alarm at once. Otherwise `guardrail
    watch`, `upkeep` or `status` takes it in at its next look.
    """
    ways = {
        "--import": file,
        "--langsmith": dataset,
        "--checker": checker,
        "--contradictions": given["contradictions"],
        "--list-contradictions": given["listed"],
    }
    named = [name for name, value in ways.items() if value]
    if len(named) > 1:
        raise click.UsageError(f"{' and '.join(named)} are different things: give one of them")
    tier = None if given["tier"] is None else Tier(given["tier"])
    promised = promised_by(policy, calibration)
    with opened_store() as store:
        tell = _telling(store, promised)
        if file is not None or dataset is not None:
            from guardrail.cli.label import attaching
            from guardrail.cli.label.langsmith_labels import client, dataset_rows
            from guardrail.cli.label.reading import file_rows

            rows = (
                file_rows(file)
                if file is not None
                else dataset_rows(client(), dataset or "", feedback_key=given["feedback_key"])
            )
            by = given["by"] or (f"file {file.name}" if file is not None else f"langsmith {dataset}")
            attaching.attach_rows(
                store, rows, by=by, probability=given["probability"], skip_unknown=given["skip_unknown"]
            )
            tell()
        elif checker is not None:
            from guardrail.cli.label import attaching

            by = given["by"] or f"checker {checker}"
            attaching.ask_checker(store, checker, by=by, tier=tier, tool=given["tool"], limit=given["limit"])
            tell()
        elif given["listed"]:
            from guardrail.cli.label import attaching

            attaching.list_contradictions(store)
        else:
            from guardrail.cli.label.walking import Walk

            walk = Walk(store, by=reviewer(given["by"]), again=given["contradictions"], tell=tell)
            if not walk.run(tier=tier, tool=given["tool"], limit=given["limit"], drawn_only=given["audits_only"]):
                click.get_current_context().exit(INTERRUPTED)


def _telling(store: Store, promised: CalibratedPolicy | None) -> Callable[[], None]:
    """What tells the watch of new labels, and of the alarms that follow; nothing, where no promise is named."""

    def tell() -> None:
        if promised is None:
            return
        from guardrail.watching import look
        from guardrail.watching.notifying import sentence

        try:
            raised = look(store, promised).raised
        except StoreError as error:  # the labels stand, and the next look takes them in
            render.console().print(Text.assemble(("the watch could not be told: ", "bold red"), shown(str(error))))
            return
        for alarm in raised:
            words = shown(sentence(alarm))
            render.console().print(Text.assemble((f"alarm {alarm.id[: render.ID]}: ", "bold red"), words))

    return tell
