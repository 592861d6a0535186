"""What is kept about an assessed step, the judgements attached to it, and what was spent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from guardrail.types.forms import type_config
from guardrail.types.labels import Label
from guardrail.types.steps import Sample, ToolSpec, Turn, Usage
from guardrail.types.verdicts import StepVerdict

RECORD_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Record:
    """Everything kept about one assessed planning step, versioned.

    ``hidden`` are the JSON pointers (RFC 6901) of the places in it where marks stand for what is not written down.
    ``fingerprint`` names what the scores depend on (``SCORE_KEYS``) and the versions of policy and package: scores that
    differ in the former are not comparable. ``tenant`` is whose step it was, as with its reviews.
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
    tenant: str = ""
    hidden: tuple[str, ...] = ()
    version: int = RECORD_VERSION


@dataclass(frozen=True, kw_only=True)
class Spending:
    """One entry of what the guard has spent: which step of which thread, with which model, when (ISO 8601, UTC)."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    at: str
    thread_id: str
    model: str
    usage: Usage
