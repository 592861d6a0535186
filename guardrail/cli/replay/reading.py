"""The recorded steps that are replayed: from files or from the store, each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from guardrail.bulk.rebuilding import offered
from guardrail.cli.bench.cases import placed_cases, stored_cases
from guardrail.cli.options import opened_store
from guardrail.cli.rows import Tools
from guardrail.errors import ConfigError
from guardrail.types import Case

_SHOWN = 5


def recorded(files: Sequence[Path], tools: Tools, limit: int | None) -> list[tuple[str, Case]]:
    """Cases with their places, those of ``files`` or, without any, of the store; at most ``limit``.

    Raises:
        ConfigError: a file cannot be read, an id comes twice, or there is nothing.
        StoreError: the store cannot be read.
    """
    found: list[tuple[str, Case]] = []
    places: dict[str, str] = {}
    for place, case in islice(_all(files, tools), limit):
        if case.id in places:
            raise ConfigError(
                f"{place}: the id {case.id!r} is in {places[case.id]} too; leave one of the two files out"
            )
        places[case.id] = place
        try:
            found.append((place, offered(case, tools.of(case.id))))
        except ConfigError as error:
            raise ConfigError(f"{place}: {error}") from error
    if not found:
        where = ", ".join(map(str, files)) or "the store"
        raise ConfigError(f"there is no recorded step in {where}: record some with `guardrail record`, or run a guard")
    return found


def refuse(refusals: Sequence[tuple[str, str]], cases: int) -> None:
    """Tell which cases cannot be replayed, and where they stand.

    Raises:
        ConfigError: there are any.
    """
    if not refusals:
        return
    shown = [f"  {place}: {why}" for place, why in refusals[:_SHOWN]]
    if len(refusals) > _SHOWN:
        shown.append(f"  and {len(refusals) - _SHOWN} more")
    raise ConfigError(
        "\n".join(
            [
                f"{len(refusals)} of {cases} recorded steps cannot be replayed; nothing was sent:",
                *shown,
                "With --skip they are written as failed, and the others are replayed.",
            ]
        )
    )


def _all(files: Sequence[Path], tools: Tools) -> Iterator[tuple[str, Case]]:
    for file in files:
        yield from placed_cases(file, tools)
    if not files:
        with opened_store() as store:
            for case in stored_cases(store):
                yield f"record {case.id[:12]}", case
