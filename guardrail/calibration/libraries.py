"""The libraries of the extra ``calibration``: measuring and fitting load them on first need, a saved model never."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from guardrail.errors import MissingExtra


def needed(name: str) -> Any:
    """The module of that name.

    Raises:
        MissingExtra: its package is not installed; the message has the command.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtra(f"measuring and fitting ({name})", "calibration") from error
