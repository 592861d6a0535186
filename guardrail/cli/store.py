"""``guardrail store``: back it up, write it out, tell its size, delete what is old."""

from __future__ import annotations

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from guardrail.cli.options import by_option, json_option, opened_store, reviewer, store_option
from guardrail.cli.records import print_json
from guardrail.cli.safe_text import plain
from guardrail.errors import ConfigError
from guardrail.store import MemoryStore, Store
from guardrail.store.care import LastingStore
from guardrail.store.care import export as export_store

_UNITS: Final = {"h": 1, "d": 24, "w": 24 * 7}


def _age(_: click.Context, __: click.Parameter, value: str) -> timedelta:
    found = re.fullmatch(r"(\d{1,4})([hdw])", value, re.ASCII)
    if found is None or not int(found.group(1)):
        raise click.BadParameter(f"{value!r} is no age: write 180d, 26w or 48h")
    return timedelta(hours=int(found.group(1)) * _UNITS[found.group(2)])


@click.group()
def store() -> None:
    """Take care of where records and reviews are kept: backup, export, retention."""


@store.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@store_option
def backup(file: Path) -> None:
    """Write everything, as it stands at one moment, into a new FILE, while the guard and its reviewers go on.

    From SQLite it is a database to be used as it is; from PostgreSQL JSON lines, for `guardrail store restore`.
    It holds arguments of calls: keep it as safe as the store.
    """
    with opened_store() as opened:
        _lasting(opened).backup(file)
    click.echo(f"backup written to {plain(str(file))}")


@store.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.pass_obj
@store_option
def restore(shared: dict[str, str], file: Path) -> None:
    """Put a backup FILE of a PostgreSQL store into another one, which has to be new or empty."""
    from guardrail.store import open_store

    opened = open_store(shared["store"])
    try:
        put = getattr(opened, "restore", None)
        if put is None:
            raise ConfigError("a backup of SQLite is a store itself: name it with --store, or copy it to its place")
        count = put(file)
    finally:
        opened.close()
    click.echo(f"{count} rows restored")


@store.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@store_option
def export(folder: Path) -> None:
    """Write records, reviews, draws, alarms and the audit log into DIR as JSON lines, for other programs."""
    with opened_store() as opened:
        counts = export_store(opened, folder)
    for name, count in counts.items():
        click.echo(f"{count:>10} {name}")


@store.command()
@click.option("--older-than", "age", metavar="AGE", callback=_age, required=True, help="Such as 180d, 26w or 48h.")
@click.option("--dry-run", is_flag=True, help="Only say how many there are.")
@by_option
@store_option
def prune(age: timedelta, by: str | None, *, dry_run: bool) -> None:
    """Delete closed reviews and the records that no review needs, with their labels, once they are that old.

    What waits for somebody stays, and so does an outcome that is unknown and what was drawn to be judged. The audit log
    stays whole and says what was deleted, by whom. Labels are what a calibration learns from: export them before.
    """
    before = (datetime.now(UTC) - age).isoformat()
    with opened_store() as opened:
        pruned = _lasting(opened).prune(before, by=reviewer(by), dry_run=dry_run)
    counts = f"{pruned.reviews} reviews, {pruned.records} records and {pruned.labels} labels"
    click.echo(f"{counts} would be deleted" if dry_run else f"{counts} deleted")


@store.command()
@json_option
@store_option
def info(*, as_json: bool) -> None:
    """Say where the store is, which version it has, how large it is, and how much it holds."""
    with opened_store() as opened:
        found = _lasting(opened).info()
    if as_json:
        print_json(asdict(found))
        return
    click.echo(f"{plain(found.url)}, version {found.version}, {found.bytes / 1e6:.1f} MB")
    for name, count in found.rows.items():
        click.echo(f"{count:>10} {name.replace('_', ' ')}")


def _lasting(opened: Store) -> LastingStore:
    if isinstance(opened, MemoryStore):
        raise ConfigError("this store ends with the process: name one that lasts with --store or GUARDRAIL_STORE")
    return opened  # type: ignore[return-value]
