"""``guardrail schema``: the published JSON Schemas."""

from __future__ import annotations

import re
from importlib.resources import files

import click

from guardrail.errors import ConfigError

_FILES = {"api": "openapi"}


@click.command()
@click.argument("name", type=click.Choice(["record", "policy", "case", "labelled", "calibration", "notify", "api"]))
def schema(name: str) -> None:
    """Print a published JSON Schema, the newest version.

    Of records, policy files, recorded cases, labelled calls, calibrated policies, or files of notifications; or what
    the HTTP API takes and gives (OpenAPI 3.1).
    """
    folder = files("guardrail") / "schemas"
    entries = folder.iterdir() if folder.is_dir() else []
    versions = {int(found[1]): found[0] for entry in entries if (found := _matches(_FILES.get(name, name), entry.name))}
    if not versions:
        raise ConfigError(
            f"the {name} schema is not in this installation: run pip install --force-reinstall guardrail-middleware"
        )
    click.echo((folder / versions[max(versions)]).read_text(encoding="utf-8").rstrip("\n"))


def _matches(name: str, file: str) -> re.Match[str] | None:
    return re.fullmatch(rf"{name}\.v(\d+)\.json", file)
