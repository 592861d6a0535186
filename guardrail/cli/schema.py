"""``guardrail schema``: the published JSON Schemas."""

from __future__ import annotations

from importlib.resources import files

import click

from guardrail.errors import ConfigError


@click.command()
@click.argument("name", type=click.Choice(["record", "policy"]))
def schema(name: str) -> None:
    """Print the JSON Schema of records or of policy files."""
    try:
        text = (files("guardrail") / "schemas" / f"{name}.json").read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the {name} schema is not in this installation: run pip install --force-reinstall guardrail-middleware"
        ) from error
    click.echo(text.rstrip("\n"))
