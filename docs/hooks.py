"""What mkdocs cannot do by itself: links that leave the docs, and pages that are made of the program's own words.

A page may hold a line ``<!-- commands -->`` (every command with its options), ``<!-- schema NAME -->`` (what
``guardrail schema NAME`` prints) or ``<!-- names PACKAGE -->`` (the docstrings of what it exports); on GitHub they are
comments. Run by ``mkdocs build``, with all extras installed.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from typing import Any

import click

_LINK = re.compile(r"\[([^\]\[]+)\]\((\.\./[^)\s]*)\)")
_SCHEMA = re.compile(r"^<!-- schema (\w+) -->$", re.MULTILINE)
_NAMES = re.compile(r"^<!-- names ([\w.]+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page as the site shows it."""
    folder = posixpath.dirname(page.file.src_uri)

    def link(found: re.Match[str]) -> str:
        place = posixpath.normpath(posixpath.join("docs", folder, found[2].partition("#")[0]))
        inside = place.startswith("docs/")
        return found[0] if inside else f"{found[1].strip('`')} (`{place}` in the repository)"

    markdown = _LINK.sub(link, markdown)
    markdown = _SCHEMA.sub(lambda found: _schema(found[1]), markdown)
    markdown = _NAMES.sub(lambda found: _names(found[1]), markdown)
    if "<!-- commands -->" in markdown:
        from guardrail.cli.main import main

        markdown = markdown.replace("<!-- commands -->", "\n".join(_commands(main, ("guardrail",), None)))
    return markdown


def _commands(command: click.Command, path: tuple[str, ...], parent: click.Context | None) -> Iterator[str]:
    context = click.Context(command, info_name=path[-1], parent=parent, **command.context_settings)
    usage = command.get_usage(context).removeprefix("Usage: ")
    yield f"{'#' * min(len(path) + 1, 4)} {' '.join(path)}\n"
    yield f"```text\n{command.get_help(context).replace('Usage: ' + usage, usage, 1)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            _, child, _ = command.resolve_command(context, [name])  # loads what another package adds
            if child is not None and not child.hidden:
                yield from _commands(child, (*path, name), context)


def _names(package: str) -> str:
    module = import_module(package)
    public = (name for name in module.__all__ if not name.startswith("__"))
    return "\n\n".join(f"::: {package}.{name}{_options(vars(module).get(name))}" for name in public)


def _options(value: Any) -> str:
    """The values of an enumeration have no docstrings, and are its whole point."""
    named = isinstance(value, type) and issubclass(value, Enum)
    return "\n    options: {show_if_no_docstring: true}" if named else ""


def _schema(name: str) -> str:
    from click.testing import CliRunner

    from guardrail.cli.main import main

    told = CliRunner().invoke(main, ["schema", name], catch_exceptions=False).output
    return f"```json\n{json.dumps(json.loads(told), indent=2, ensure_ascii=False)}\n```"
