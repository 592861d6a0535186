"""A recorded planning step with its samples, for measuring signals on and calibrating with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from guardrail.types.forms import type_config
from guardrail.types.signals import Signal
from guardrail.types.steps import Sample, ToolSpec, Turn, Usage

CASE_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Case:
    """A plan, its samples, and whether the plan was right (None: nobody has said).

    ``group`` names what makes cases alike (a task, a thread, a function): cases of one group are never split over
    folds. ``signals`` has, call by call of the plan, what was measured when the case was recorded and cannot be
    computed again, such as answers of the model about its plan. ``usage`` is what the samples cost.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    id: str
    planned: Sample
    samples: tuple[Sample, ...]
    tools: tuple[ToolSpec, ...] = ()
    correct: bool | None = None
    group: str = ""
    model: str = ""
    at: str = ""
    conversation: tuple[Turn, ...] = ()
    signals: tuple[tuple[Signal, ...], ...] = ()
    usage: Usage | None = None
    version: int = CASE_VERSION
