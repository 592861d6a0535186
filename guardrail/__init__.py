"""Decide, before an AI agent's tool call runs, whether the model means it.

A planning step is drawn again, the plans are grouped by meaning, and by the stakes of the tool each call is
executed, planned again, or put before a human.

Importing this package loads nothing but the standard library; each name loads its own room on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from guardrail.types import (
    CalibratedPolicy,
    Cluster,
    Decision,
    DecisionType,
    Label,
    LabelledCall,
    PlanningStep,
    Record,
    Review,
    Route,
    Sample,
    SampleBatch,
    Signal,
    StepVerdict,
    Tier,
    ToolCall,
    ToolSpec,
    Usage,
    Verdict,
)
from guardrail.version import __version__

if TYPE_CHECKING:
    from guardrail.calibration import calibrate
    from guardrail.engine import AsyncGuard, Guard
    from guardrail.policy import Policy, Rule
    from guardrail.review import Queue
    from guardrail.store import Store, open_store

__all__ = [
    "AsyncGuard",
    "CalibratedPolicy",
    "Cluster",
    "Decision",
    "DecisionType",
    "Guard",
    "Label",
    "LabelledCall",
    "PlanningStep",
    "Policy",
    "Queue",
    "Record",
    "Review",
    "Route",
    "Rule",
    "Sample",
    "SampleBatch",
    "Signal",
    "StepVerdict",
    "Store",
    "Tier",
    "ToolCall",
    "ToolSpec",
    "Usage",
    "Verdict",
    "__version__",
    "calibrate",
    "open_store",
]

_HOMES = {
    "AsyncGuard": "engine",
    "Guard": "engine",
    "Policy": "policy",
    "Queue": "review",
    "Rule": "policy",
    "Store": "store",
    "calibrate": "calibration",
    "open_store": "store",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
