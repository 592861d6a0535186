"""Judgements on planned calls, and the labelled calls that calibration learns from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from guardrail.types.forms import type_config
from guardrail.types.stakes import Route, Tier
from guardrail.types.steps import ToolCall

LABELLED_VERSION = 1


class LabelSource(StrEnum):
    """Where a judgement comes from. Silence is never one."""

    REVIEW = "review"
    """A reviewer decided on the call before it ran."""
    AUDIT = "audit"
    """A person looked at a call that a random draw had chosen."""
    CHECKER = "checker"
    """A program that knows the right answer."""
    IMPORT = "import"
    """Somebody else's judgement, from a file."""


class Fault(StrEnum):
    """What is wrong with a call that is not right."""

    WRONG = "wrong"
    """The call is not what was asked for."""
    UNWANTED = "unwanted"
    """It is what was asked for, and should still not run."""


@dataclass(frozen=True, kw_only=True)
class Label:
    """A judgement on one call of a record: was it right? ``at`` is ISO 8601 in UTC.

    ``fault`` says what is wrong with a call that is not right, where that was asked. ``probability``, in (0, 1], is
    that of the draw by which the call came to be judged, fixed before anybody looked; None: there was no draw of its
    own, and the record says how the call was chosen.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    call_id: str
    correct: bool
    source: LabelSource
    by: str
    at: str
    note: str = ""
    fault: Fault | None = None
    probability: float | None = None


@dataclass(frozen=True, kw_only=True)
class AuditDraw:
    """A call that was drawn to be judged. ``probability``, in (0, 1], was fixed before the draw, on what was known
    without the label; ``batch`` names the draw of which it was one.

    A batch is drawn among the audited calls that no reviewer sees, of the steps decided from ``since`` up to but
    without ``until`` (ISO 8601, UTC): of these, those that were drawn are to be judged, and the others need not be.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    record_id: str
    call_id: str
    probability: float
    batch: str
    at: str
    since: str = ""
    until: str = ""


@dataclass(frozen=True, kw_only=True)
class LabelledCall:
    """One judged call with its score: the row that calibration reads and that files carry.

    ``probability``, in (0, 1], is how likely it was, beforehand, that a call of this kind would be judged at all (1:
    all of them were); None where nobody knows, and then it is no evidence. ``risk`` is P(wrong) as it stood when the
    call was decided, over all N samples; None where it is missing. ``task`` names what makes calls depend on each
    other. ``attempt`` counts earlier tries of the step (0: first). ``route`` is where the call went. ``fingerprint``
    has what the score depends on, by ``SCORE_KEYS``.

    Raises:
        ValueError: a number is not finite or out of range.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    id: str
    tier: Tier
    tool: str
    correct: bool
    probability: float | None = None
    risk: float | None = None
    signals: dict[str, float | None] = field(default_factory=dict)
    source: LabelSource = LabelSource.IMPORT
    by: str = ""
    at: str = ""
    task: str = ""
    attempt: int = 0
    route: Route | None = None
    call: ToolCall | None = None
    fault: Fault | None = None
    fingerprint: dict[str, str] = field(default_factory=dict)
    version: int = LABELLED_VERSION

    def __post_init__(self) -> None:
        if self.risk is not None and not 0 <= self.risk <= 1:
            raise ValueError(f"the risk of {self.id!r} is {self.risk}: it must lie in 0 to 1, or be missing (null)")
        if self.probability is not None and not 0 < self.probability <= 1:
            raise ValueError(
                f"the probability of {self.id!r} is {self.probability}: it must be more than 0 and at most 1"
            )
        for name, value in self.signals.items():
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{name} of {self.id!r} is {value}: write what was not measured as missing (null)")
