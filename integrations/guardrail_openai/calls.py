"""Calls as a model wrote them: parsed, or the reason why they cannot be."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

from guardrail.types import Sample, SampleStatus, ToolCall

NAMELESS = "(no name)"
UNREADABLE = "unreadable arguments"
_LIMIT = 500
_LONG = 10_000


class Calls:
    """Collects the calls of one answer, readable or not."""

    def __init__(self) -> None:
        self._calls: list[tuple[ToolCall, bool]] = []
        self._broken: list[str] = []

    def add(self, name: object, arguments: object, call_id: object) -> None:
        """A call with its arguments as JSON text; some servers give them as an object, or as nothing where there
        are none.
        """
        named = name if isinstance(name, str) and name else ""
        parsed = _arguments(arguments) if named else None
        if not named:
            self._broken.append("a call without a name")
        elif parsed is None:
            self._broken.append(f"{named}: the arguments are not a JSON object")
        call = ToolCall(
            name=named or NAMELESS,
            arguments={UNREADABLE: str(arguments)[:_LONG]} if parsed is None else parsed,
            id=call_id if isinstance(call_id, str) else "",
        )
        self._calls.append((call, parsed is not None))

    def sample(self, *, planned: bool, **more: Any) -> Sample:
        """The answer as a sample: unparsable where one of its calls is.

        A plan keeps such a call too, its arguments as the text that they are: every call gets a verdict.
        """
        calls = tuple(call for call, readable in self._calls if readable or planned)
        if not self._broken:
            return Sample(calls=calls, **more)
        detail = "; ".join(self._broken)[:_LIMIT]
        return Sample(calls=calls, status=SampleStatus.UNPARSABLE, detail=detail, **more)


def told_apart(planned: Sample) -> Sample:
    """The plan, unusable where several calls share an id: a decision on one would be a decision on the other."""
    seen = Counter(call.id for call in planned.calls)
    if len(planned.calls) < 2 or ("" not in seen and max(seen.values()) == 1):
        return planned
    calls = tuple(
        replace(call, id=call.id if call.id and seen[call.id] == 1 else f"{call.id or 'call'}-{index}")
        for index, call in enumerate(planned.calls)
    )
    return replace(
        planned,
        calls=calls,
        status=SampleStatus.UNPARSABLE,
        detail="the calls of the step have no ids of their own; " + planned.detail,
    )


def _arguments(arguments: object) -> dict[str, Any] | None:
    if arguments is None or arguments == "":
        return {}
    try:
        parsed = json.loads(arguments) if isinstance(arguments, str) else arguments
        json.dumps(parsed, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
