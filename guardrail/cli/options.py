"""Options that several commands share, and how they open the store."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from guardrail.errors import ConfigError
from guardrail.store import Store, open_store

F = TypeVar("F", bound=Callable[..., Any])
DEFAULT_STORE = "sqlite:///guardrail.db"


def _remember(context: click.Context, _: click.Parameter, url: str | None) -> None:
    shared = context.ensure_object(dict)
    if url is not None:
        shared["store"] = url


def store_option(command: F) -> F:
    """``--store`` after a command's name says the same as before it."""
    return click.option(
        "--store",
        metavar="URL",
        callback=_remember,
        expose_value=False,
        help="Where records and reviews are kept. [default: GUARDRAIL_STORE, or sqlite:///guardrail.db]",
    )(command)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
full_option = click.option("--full", is_flag=True, help="Cut no value, however long.")
backend_option = click.option(
    "--backend",
    default="structure",
    show_default=True,
    metavar="NAME",
    help="Who judges free texts: structure (nobody), or an adapter's, such as nli:MODEL or embeddings.",
)
tools_option = click.option(
    "--tools", "tools_file", type=click.Path(path_type=Path, dir_okay=False), help="The tools, in JSON."
)
by_option = click.option("--by", metavar="NAME", envvar="GUARDRAIL_REVIEWER", help="Who decides. [default: your login]")


@contextmanager
def opened_store() -> Iterator[Store]:
    """The store that the command line names, which must be there, closed at the end."""
    store = open_store(click.get_current_context().obj["store"], create=False)
    try:
        yield store
    finally:
        store.close()


def reviewer(by: str | None) -> str:
    """Who decides.

    Raises:
        ConfigError: nobody said, and the system does not know.
    """
    try:
        return by or getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise ConfigError("your name is not known here: say who decides with --by or GUARDRAIL_REVIEWER") from error
