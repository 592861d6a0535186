"""The libraries of the extra ``calibration``: measuring and fitting load them on first need, a saved model never."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
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


def one_thread() -> AbstractContextManager[Any]:
    """Linear algebra on one thread: for a handful of parameters, where sharing costs more than the work.

    Raises:
        MissingExtra: scikit-learn, which brings what this takes, is not installed.
    """
    limited: AbstractContextManager[Any] = _controller().limit(limits=1)
    return limited


@cache
def _controller() -> Any:
    """Looking for the libraries takes longer than a fit; they are loaded first, so that they are found."""
    needed("scipy.optimize")
    return needed("threadpoolctl").ThreadpoolController()
