"""Where the labelled calls of ``guardrail calibrate`` come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from guardrail.calibration import Calls, read_calls
from guardrail.cli.options import opened_store
from guardrail.engine.labels import stored_labels
from guardrail.types import LabelledCall, Tier


@dataclass(frozen=True, kw_only=True, eq=False)
class Labels:
    """Labelled calls, those drawn and not judged, how many ran without a chance of it, and what was left out, why."""

    calls: Sequence[LabelledCall] | Calls
    unanswered: Sequence[LabelledCall] = ()
    ran_unjudged: Mapping[Tier, int] | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)


def file_labels(files: Sequence[Path], tell: Callable[[str, float], None]) -> Labels:
    """The labelled calls of files. What ran beside them is not known."""
    return Labels(calls=read_calls(files, progress=tell))


def store_labels(tell: Callable[[str, float], None]) -> Labels:
    """The labelled calls of the store, and what it knows of the others."""
    tell("reading the store", 0.0)
    with opened_store() as store:
        found = stored_labels(store)
    return Labels(
        calls=found.calls, unanswered=found.unanswered, ran_unjudged=found.ran_unjudged, left_out=found.left_out
    )
