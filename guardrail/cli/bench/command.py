"""``guardrail bench``: score recorded cases with every signal."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import click

from guardrail.cli import render
from guardrail.cli.bench.cases import read_cases, stored_cases
from guardrail.cli.bench.pictures import FORMATS
from guardrail.cli.options import backend_option, json_option, opened_store, store_option, tools_option
from guardrail.cli.plugins import entailment
from guardrail.cli.rows import Tools, read_tools
from guardrail.clustering import shared
from guardrail.errors import ConfigError
from guardrail.types import Case


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
@tools_option
@backend_option
@click.option("--signal", "names", multiple=True, metavar="NAME", help="Measure only this one; may be repeated.")
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True, help="Parts for cross-fitting.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the folds and of the bootstrap.")
@click.option("--pictures", type=click.Path(path_type=Path, file_okay=False), help="Write pictures into this folder.")
@click.option("--format", "suffix", type=click.Choice(FORMATS), default="svg", show_default=True, help="Of pictures.")
@click.option("--save-risk", type=click.Path(path_type=Path, dir_okay=False), help="Write the combined risk model.")
@json_option
@store_option
def bench(
    files: tuple[Path, ...],
    *,
    tools_file: Path | None,
    backend: str,
    names: tuple[str, ...],
    folds: int,
    seed: int,
    pictures: Path | None,
    suffix: str,
    save_risk: Path | None,
    as_json: bool,
) -> None:
    """Score recorded cases with every signal, and their combination.

    FILES hold JSON lines: cases of `guardrail record`, records, or {"plan": ..., "samples": [...], "tools": [...],
    "correct": true}. Without FILES, the records of the store with their labels. Nothing is sent to a model.
    """
    # the engine and the measures are this command's alone: no other has to load them
    from guardrail.cli.bench.analysis import analyse
    from guardrail.cli.bench.data import data_of
    from guardrail.cli.bench.drawn import draw
    from guardrail.cli.bench.view import tables

    tools = Tools() if tools_file is None else read_tools(tools_file)
    cases = [case for file in files for case in read_cases(file, tools)] if files else _stored()
    console = render.console()
    with nullcontext() if as_json else console.status(f"measuring {len(cases)} cases"):
        found = analyse(cases, shared(entailment(backend)), names=names, folds=folds, seed=seed)
        drawn = draw(found, pictures, f".{suffix}") if pictures is not None else []
    if save_risk is not None:
        if found.evaluation.model is None:
            raise ConfigError(f"there is no risk model to write: {found.evaluation.no_model}")
        found.evaluation.model.save(save_risk)
    if as_json:
        click.echo(json.dumps(data_of(found)))
        return
    for part in tables(found):
        console.print(part)
    for path in (*drawn, *([save_risk] if save_risk is not None else [])):
        console.print(f"wrote {path}")


def _stored() -> list[Case]:
    with opened_store() as store:
        return list(stored_cases(store))
