"""Who plans again, and who judges: found by name, in this process and in those of a cluster."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from guardrail.bulk import Checker, Planner, PlannerOptions
from guardrail.cli.plugins import entries, load
from guardrail.errors import ConfigError

PLANNERS = "guardrail.planners"


def planner_named(kind: str, options: PlannerOptions) -> Planner:
    """The planner of an installed adapter, or the one that a function ``module:function`` makes.

    Raises:
        ConfigError: there is none, or it cannot be made.
    """
    entry = next((entry for entry in entries(PLANNERS) if entry.name == kind), None)
    make = imported(kind, "--planner") if entry is None else load(entry, f"the planner {kind!r}")
    planner: Planner = make(options)
    lacking = [name for name in ("name", "model", "step", "plan", "asample") if not hasattr(planner, name)]
    if lacking:
        raise ConfigError(f"--planner {kind} made a {type(planner).__name__}, which has no {', '.join(lacking)}")
    return planner


def split(spec: str) -> tuple[str, str]:
    """What names the planner, and what it is told: ``openai`` and ``MODEL@URL``, or ``module:function`` and nothing.

    Raises:
        ConfigError: it is neither.
    """
    kind, colon, argument = spec.partition(":")
    known = sorted({entry.name for entry in entries(PLANNERS)})
    if kind in known:
        return kind, argument
    if not colon or not kind or not argument:
        names = ", ".join(f"{name}:..." for name in known) or "none is installed"
        raise ConfigError(
            f"there is no planner {spec!r}; use an installed one ({names}), such as openai:MODEL@http://HOST/v1, or "
            "module:function of a function that takes guardrail.bulk.PlannerOptions and gives a guardrail.bulk.Planner"
        )
    return spec, ""


def checker_named(spec: str) -> Checker:
    """The checker ``module:function``.

    Raises:
        ConfigError: there is none.
    """
    checker: Checker = imported(spec, "--checker")
    return checker


def imported(spec: str, option: str) -> Any:
    """The function that ``module:function`` names, the working folder's modules among them.

    Raises:
        ConfigError: there is none.
    """
    module, _, name = spec.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{option} {spec}: {error}; name a function as module:function") from error
    if not callable(found):
        raise ConfigError(f"{option} {spec} is no function but {type(found).__name__}")
    return found
