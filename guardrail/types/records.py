"""What is kept about an assessed step, the judgements attached to it, and what was spent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from guardrail.types.forms import type_config
from guardrail.types.steps import Sample, ToolSpec, Turn, Usage
from guardrail.types.verdicts import StepVerdict

RECORD_VERSION = 1


class LabelSource(StrEnum):
    """Where a judgement comes from. Silence is never one."""

    REVIEW = "review"
    AUDIT = "audit"
    IMPORT = "import"


@dataclass(frozen=True, kw_only=True)
class Label:
    """A judgement on one call of a record: was it right? ``at`` is ISO 8601 in UTC."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    call_id: str
    correct: bool
    source: LabelSource
    by: str
    at: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Record:
    """Everything kept about one assessed planning step, versioned.

    ``fingerprint`` names what the scores depend on (model, N, temperature, prompt digest, entailment
    backend, versions): scores of different fingerprints are not comparable.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    id: str
    at: str
    thread_id: str
    namespace: str
    step_id: str
    attempt: int
    model: str
    request_digest: str
    planned: Sample
    samples: tuple[Sample, ...]
    verdict: StepVerdict
    fingerprint: dict[str, str]
    tools: tuple[ToolSpec, ...] = ()
    labels: tuple[Label, ...] = ()
    conversation: tuple[Turn, ...] = ()
    version: int = RECORD_VERSION


@dataclass(frozen=True, kw_only=True)
class Spending:
    """One entry of what the guard has spent: which step of which thread, with which model, when (ISO 8601, UTC)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    at: str
    thread_id: str
    model: str
    usage: Usage
