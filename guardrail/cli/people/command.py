"""``guardrail people``: accounts, made by one-time links, with roles, disabled and enabled."""

from __future__ import annotations

import sys
from typing import Any, Final

import click
from rich.table import Table
from rich.text import Text

from guardrail.cli import render
from guardrail.cli.options import json_option, store_option
from guardrail.cli.people.opening import account_named, opened_access, tenant_option
from guardrail.cli.records import print_json
from guardrail.cli.safe_text import plain, shown
from guardrail.errors import AccessError
from guardrail.types import Account

_url_option = click.option(
    "--url",
    metavar="URL",
    envvar="GUARDRAIL_URL",
    default="http://127.0.0.1:8443",
    show_default=True,
    show_envvar=True,
    help="Where people open the page.",
)
_roles_option = click.option("--role", "roles", multiple=True, metavar="ROLE", help="A role of theirs; repeatable.")
_DAYS: Final = 3


@click.group()
def people() -> None:
    """Who may sign in, for whoever operates this machine: the audit log names your login.

    An admin does the same in the page, under People. See docs/access.md.
    """


@people.command("list")
@tenant_option
@json_option
@store_option
def list_people(*, tenant: str, as_json: bool) -> None:
    """List the accounts of a tenant."""
    with opened_access(tenant) as (access, by):
        found = access.accounts(by=by)
    if as_json:
        print_json([_told(one) for one in found])
    elif found:
        render.console().print(_table(found))
    else:
        render.console().print(Text("no accounts yet: `guardrail serve` prints a link that makes the first one"))


@people.command()
@click.argument("name")
@_roles_option
@_url_option
@tenant_option
@store_option
def invite(name: str, roles: tuple[str, ...], url: str, tenant: str) -> None:
    """Print a one-time link by which NAME makes an account and chooses a password."""
    with opened_access(tenant) as (access, by):
        secret = access.invite(name, roles, by=by)
    _print_link(url, secret)


@people.command()
@click.argument("name")
@_roles_option
@tenant_option
@store_option
def add(name: str, roles: tuple[str, ...], tenant: str) -> None:
    """Make an account, with a password that is asked for, or read from a pipe. `invite` lets them choose it."""
    if sys.stdin.isatty():
        password = click.prompt(f"Password of {plain(name)}", hide_input=True, confirmation_prompt=True, type=str)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    with opened_access(tenant) as (access, by):
        made = access.accept(access.invite(name, roles, by=by), password=password)
    click.echo(f"{plain(made.name)} may sign in")


@people.command("roles")
@click.argument("name")
@click.argument("roles", nargs=-1)
@tenant_option
@store_option
def set_roles(name: str, roles: tuple[str, ...], tenant: str) -> None:
    """Give NAME exactly these ROLES; none, if none is named. Its sessions end."""
    with opened_access(tenant) as (access, by):
        changed = access.set_roles(account_named(access, name, tenant).id, roles, by=by)
    click.echo(f"{plain(name)}: {', '.join(changed.roles) or 'no roles'}")


@people.command()
@click.argument("name")
@tenant_option
@store_option
def disable(name: str, tenant: str) -> None:
    """Shut NAME out at once, with all sessions and tokens."""
    with opened_access(tenant) as (access, by):
        access.disable(account_named(access, name, tenant).id, by=by)
    click.echo(f"{plain(name)} is shut out")


@people.command()
@click.argument("name")
@tenant_option
@store_option
def enable(name: str, tenant: str) -> None:
    """Let NAME in again."""
    with opened_access(tenant) as (access, by):
        access.enable(account_named(access, name, tenant).id, by=by)
    click.echo(f"{plain(name)} may sign in again")


@people.command()
@click.argument("name")
@_url_option
@tenant_option
@store_option
def reset(name: str, url: str, tenant: str) -> None:
    """Print a one-time link by which NAME sets a new password."""
    with opened_access(tenant) as (access, by):
        secret = access.reset(account_named(access, name, tenant).id, by=by)
    _print_link(url, secret)


def _print_link(url: str, secret: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise AccessError(f"{url!r} is no address that people open: write it as https://reviews.example.com")
    click.echo(f"It works once, within {_DAYS} days; give it by a way that nobody else reads:", err=True)
    click.echo(f"{plain(url.rstrip('/'))}/welcome/{secret}")


def _told(one: Account) -> dict[str, Any]:
    return {
        "name": one.name,
        "tenant": one.tenant,
        "roles": list(one.roles),
        "disabled": one.disabled,
        "issuer": one.issuer,
        "subject": one.subject,
        "created": one.created,
    }


def _table(found: list[Account]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("name", "roles", "signs in by", "state", "since"):
        table.add_column(name)
    for one in found:
        table.add_row(
            shown(one.name),
            shown(", ".join(one.roles) or "none"),
            shown(one.issuer or "password"),
            Text("disabled", "red") if one.disabled else Text("may come in"),
            one.created[:10],
        )
    return table
