"""What the commands about access work with: the store's access, and an operator as who acts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from guardrail.cli.options import opened_store, reviewer
from guardrail.cli.safe_text import plain
from guardrail.errors import AccessError, MissingExtra
from guardrail.types import Account, Principal, PrincipalKind

if TYPE_CHECKING:
    from guardrail.access import Access

F = TypeVar("F", bound=Callable[..., Any])


def tenant_option(command: F) -> F:
    """``--tenant`` names whose people and tokens these are."""
    return click.option("--tenant", default="", metavar="NAME", help="Whose they are. [default: the one without name]")(
        command
    )


@contextmanager
def opened_access(tenant: str) -> Iterator[tuple[Access, Principal]]:
    """The access of the store that the command line names, and who acts: whoever can open the store may do all that an
    admin may, and the audit log names their login.
    """
    try:
        from guardrail.access import ADMIN, Access
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "argon2":
            raise MissingExtra("this command", "web") from error
        raise
    by = Principal(name=f"operator {reviewer(None)}", kind=PrincipalKind.SYSTEM, roles=(ADMIN,), tenant=tenant)
    with opened_store() as store:
        yield Access(store), by


def account_named(access: Access, name: str, tenant: str) -> Account:
    """The account of that name.

    Raises:
        AccessError: there is none.
    """
    found = access.named(name, tenant=tenant)
    if found is None or found.name != name:
        meant = "" if found is None else f"; {plain(found.name)} is written so"
        raise AccessError(f"there is no account of the name {plain(name)}{meant}. `guardrail people list` has all")
    return found
