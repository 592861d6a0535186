"""``guardrail audit``: check the log of who did what, and take of it what shows later that nothing was cut off."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.text import Text

from guardrail import audit as chains
from guardrail.audit import Problem
from guardrail.cli import render
from guardrail.cli.options import by_option, json_option, opened_store, reviewer, store_option
from guardrail.cli.records import print_json
from guardrail.cli.safe_text import shown
from guardrail.codec import from_json, to_json
from guardrail.errors import ConfigError
from guardrail.heads import HeadFile, read_heads, write_heads
from guardrail.types import AuditEntry, AuditHead

BROKEN: Final = 5
"""The exit status where something is wrong with the log."""
_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_tenant_option = click.option("--tenant", metavar="NAME", help="Only this tenant's ('': the one without a name).")
_SHOWN: Final = 200


@click.group()
def audit() -> None:
    """Check and export the log of who did what: each change of a review, a label or an alarm, hash-chained.

    (Calls that were drawn at random to be judged are `guardrail audits`.)
    """


@audit.command()
@click.option("--head", "head_file", type=_FILE, metavar="FILE", help="Where the chains ended before.")
@click.option("--public-key", type=_FILE, metavar="FILE", help="Whose signature the head must have (PEM).")
@click.option("--file", "export_file", type=_FILE, metavar="FILE", help="An exported log, in place of the store's.")
@_tenant_option
@json_option
@store_option
def verify(
    head_file: Path | None, public_key: Path | None, export_file: Path | None, tenant: str | None, *, as_json: bool
) -> None:
    """Check that nothing was changed, deleted, moved or put into the log, and that what is kept is what it tells of.

    That the end of the log was cut off, or all of it written anew, shows only with a head that was exported before.
    Exit status 5: something is wrong.
    """
    if public_key is not None and head_file is None:
        raise ConfigError("--public-key checks the signature of a head: give the file with --head")
    head = None if head_file is None else read_heads(head_file, public_key=public_key)
    heads = () if head is None else tuple(one for one in head.heads if tenant in (None, one.tenant))
    count, problems = _verified_store(heads, tenant) if export_file is None else _verified(export_file, heads, tenant)
    if as_json:
        print_json({"entries": count, "problems": [_told(problem) for problem in problems]})
    else:
        _print(count, problems, head, from_store=export_file is None)
        if head is not None and head.signed_by and public_key is None:
            click.echo(
                f"The head is signed with the key {head.signed_by}: is it yours? --public-key says which it has to be."
            )
    if problems:
        click.get_current_context().exit(BROKEN)


@audit.command()
@click.option("--out", type=_FILE, metavar="FILE", required=True, help="The file to write, JSON lines.")
@_tenant_option
@store_option
def export(out: Path, tenant: str | None) -> None:
    """Write the log's entries to a file, a line each; `guardrail audit verify --file` checks it anywhere."""
    count = 0
    part = out.with_name(f"{out.name}.part")
    with opened_store() as store, _writable(out), part.open("w", encoding="utf-8") as file:
        for name in store.audit_tenants() if tenant is None else (tenant,):
            with store.audit_view(tenant=name) as view:
                for entry in view.entries:
                    file.write(json.dumps(to_json(entry)) + "\n")
                    count += 1
    part.replace(out)
    click.echo(f"{count} entries written to {out}")


@audit.command()
@click.option("--out", type=_FILE, metavar="FILE", required=True, help="The file to write, JSON.")
@click.option("--key-file", type=_FILE, metavar="KEY", help="An Ed25519 private key (PEM) to sign with.")
@_tenant_option
@store_option
def head(out: Path, key_file: Path | None, tenant: str | None) -> None:
    """Write down where each chain ends now; keep the file where whoever can change the store cannot.

    `guardrail audit verify --head FILE` then finds a log that was cut off or written anew. Without a key anybody who
    can change the file can make it fit.
    """
    with opened_store() as store:
        tenants = store.audit_tenants() if tenant is None else [tenant]
        found = [one for name in tenants for one in store.audit_heads(tenant=name)]
    text = write_heads(found, at=datetime.now(UTC).isoformat(), key_file=key_file)
    with _writable(out):
        out.write_text(text, encoding="utf-8")
    total = sum(one.number for one in found)
    click.echo(f"{len(found)} chains of {total} entries: heads written to {out}" + ("" if key_file else ", not signed"))


@audit.command()
@by_option
@_tenant_option
@store_option
def seal(by: str | None, tenant: str | None) -> None:
    """Write into every chain where all of them end, so that none can be dropped without the others telling."""
    name = reviewer(by)
    with opened_store() as store:
        tenants = store.audit_tenants() if tenant is None else [tenant]
        heads = [one for each in tenants for one in store.seal(by=name, tenant=each)]
    total = sum(one.number for one in heads)
    click.echo(f"sealed: {len(heads)} chains of {total} entries, of {len(tenants)} tenants")


def _verified_store(heads: Sequence[AuditHead], tenant: str | None) -> tuple[int, list[Problem]]:
    """How many entries the store's log has, and what is wrong with them."""
    total = 0
    problems: list[Problem] = []
    with opened_store() as store:
        known = {*store.audit_tenants(), *(one.tenant for one in heads)} if tenant is None else {tenant}
        for name in sorted(known):
            counter = _Counter()
            with store.audit_view(tenant=name) as view:
                wanted = [one for one in heads if one.tenant == name]
                problems += chains.verify(counter.count(view.entries), wanted, view.bodies)
            total += counter.seen
    return total, problems


def _verified(path: Path, heads: Sequence[AuditHead], tenant: str | None) -> tuple[int, list[Problem]]:
    """How many entries an exported log has, and what is wrong with them. What they tell of is not there to compare."""
    counter = _Counter()
    entries = (entry for entry in _read_entries(path) if tenant in (None, entry.tenant))
    problems = chains.verify(counter.count(entries), heads)
    return counter.seen, problems


class _Counter:
    """Counts what passes."""

    def __init__(self) -> None:
        self.seen = 0

    def count(self, entries: Iterable[AuditEntry]) -> Iterator[AuditEntry]:
        for entry in entries:
            self.seen += 1
            yield entry


def _read_entries(path: Path) -> Iterator[AuditEntry]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield from_json(AuditEntry, json.loads(line))
                except (ValueError, RecursionError, ConfigError) as error:
                    raise ConfigError(f"line {number} of {path} is no entry of an audit log: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error}") from error


def _told(problem: Problem) -> dict[str, Any]:
    return {
        "problem": problem.flaw.value,
        "tenant": problem.tenant,
        "shard": problem.shard,
        "number": problem.number,
        "subject": problem.subject,
        "meaning": chains.MEANING[problem.flaw],
    }


def _print(count: int, problems: Sequence[Problem], head: HeadFile | None, *, from_store: bool) -> None:
    out = render.console()
    for number, problem in enumerate(problems[:_SHOWN], start=1):
        tenant = Text.assemble("tenant ", shown(problem.tenant), ", ") if problem.tenant else Text()
        place = f"chain {problem.shard}, " + (f"entry {problem.number}" if problem.number else "no entry")
        subject = Text.assemble(" (", shown(problem.subject, limit=render.LINE), ")") if problem.subject else Text()
        flaw = Text(problem.flaw.value, "bold red")
        out.print(Text.assemble(f"{number}. ", tenant, place, subject, ": ", flaw, f": {chains.MEANING[problem.flaw]}"))
    if len(problems) > _SHOWN:
        click.echo(f"… and {len(problems) - _SHOWN} more (--json tells all)")
    click.echo(f"{count} entries checked: " + (f"{len(problems)} problems" if problems else "nothing is wrong"))
    if head is None:
        click.echo("Without a head (`guardrail audit head`) a log that was cut off at its end is not found.")
    if not from_store:
        click.echo("Only the log was checked, and not whether what is kept is what it tells of.")
