"""``guardrail tokens``: credentials of agents and of parts of the system. People make their own in the page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from guardrail.cli import render
from guardrail.cli.options import json_option, store_option
from guardrail.cli.people.opening import opened_access, tenant_option
from guardrail.cli.records import print_json
from guardrail.cli.safe_text import plain, shown
from guardrail.types import ApiToken, PrincipalKind


@click.group()
def tokens() -> None:
    """API tokens of agents and of parts of the system, for whoever operates this machine.

    None of these decides a review: only people do, and they make their own tokens in the page, under Account.
    """


@tokens.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, metavar="SCOPE", help="reviews:read or metrics:read; repeatable."
)
@click.option(
    "--kind", type=click.Choice(["agent", "system"]), default="agent", show_default=True, help="Who will hold it."
)
@click.option("--days", type=click.IntRange(1, 3650), help="It expires after so many. [default: never]")
@tenant_option
@store_option
def create(name: str, scopes: tuple[str, ...], kind: str, days: int | None, tenant: str) -> None:
    """Make a token and print it, this once."""
    until = "" if days is None else (datetime.now(UTC) + timedelta(days=days)).isoformat()
    with opened_access(tenant) as (access, by):
        token, text = access.create_token(name, scopes=scopes, by=by, kind=PrincipalKind(kind), until=until)
    click.echo(f"Token {token.id}; it is shown this once:", err=True)
    click.echo(text)


@tokens.command("list")
@tenant_option
@json_option
@store_option
def list_tokens(*, tenant: str, as_json: bool) -> None:
    """List the tokens of a tenant, those of people too, without what is secret."""
    with opened_access(tenant) as (access, by):
        found = access.tokens(by=by)
    if as_json:
        print_json([_told(one) for one in found])
    elif found:
        render.console().print(_table(found))
    else:
        render.console().print(Text("no tokens"))


@tokens.command()
@click.argument("identity", metavar="ID")
@tenant_option
@store_option
def revoke(identity: str, tenant: str) -> None:
    """Make the token of that ID worth nothing, for good."""
    with opened_access(tenant) as (access, by):
        token = access.revoke_token(identity, by=by)
    click.echo(f"{plain(token.name)} is revoked")


def _told(one: ApiToken) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "kind": one.kind.value,
        "scopes": list(one.scopes),
        "tenant": one.tenant,
        "by": one.by,
        "created": one.created,
        "until": one.until,
        "used": one.used,
        "revoked": one.revoked,
    }


def _table(found: list[ApiToken]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "name", "of", "for", "made by", "last used", "state"):
        table.add_column(name)
    for one in found:
        until = f"until {one.until[:10]}" if one.until else "holds"
        table.add_row(
            one.id,
            shown(one.name),
            one.kind.value,
            ", ".join(one.scopes),
            shown(one.by),
            one.used[:10] or "never",
            Text("revoked", "red") if one.revoked else until,
        )
    return table
