"""A recorded planning step with its samples, for measuring signals on and calibrating with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from guardrail.types.forms import type_config
from guardrail.types.labels import Label
from guardrail.types.signals import Signal
from guardrail.types.steps import Sample, ToolSpec, Turn, Usage
from guardrail.types.verdicts import StepVerdict

CASE_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Case:
    """A plan, its samples, and whether the plan was right (None: nobody has said).

    ``group`` names what makes cases alike (a task, a thread, a function): cases of one group are never split over
    folds. ``signals`` has, call by call of the plan, what was measured when the case was recorded and cannot be
    computed again, such as answers of the model about its plan. ``usage`` is what the samples cost.

    ``request`` is what it takes to plan the step again: the body of the model request, without keys and headers; None
    where it was not kept. ``labels`` judge single calls of the plan. ``verdict`` is what a policy made of the step, and
    ``fingerprint`` what its scores depend on (``SCORE_KEYS``); both are empty where no policy was asked.

    ``attempt`` counts earlier tries of the step (0: first).

    A step that was planned again has the settings of that ``run``, what ``planning`` cost, and the ``failure``, in
    words, if it came to nothing.
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
    request: dict[str, Any] | None = None
    labels: tuple[Label, ...] = ()
    verdict: StepVerdict | None = None
    fingerprint: dict[str, str] = field(default_factory=dict)
    attempt: int = 0
    planning: Usage | None = None
    run: dict[str, str] = field(default_factory=dict)
    failure: str = ""
    version: int = CASE_VERSION
