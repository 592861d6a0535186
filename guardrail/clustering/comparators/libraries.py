"""The libraries with the tables and parsers of single fields, loaded on first need."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any


class MissingLibraryError(Exception):
    """The library is not installed: its comparator understands nothing."""


@cache
def needed(name: str) -> Any:
    """The module of that name.

    Raises:
        MissingLibraryError: it is not installed, or does not load here.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingLibraryError(name) from error
