"""Calls as a model wrote them: parsed, or the reason why they cannot be."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any, Final

from guardrail.types import Sample, SampleStatus, ToolCall

_NAMELESS: Final = "(no name)"
_UNREADABLE: Final = "unreadable arguments"
_LIMIT: Final = 500
_LONG: Final = 10_000


class Written:
    """Collects the calls of one answer, readable or not."""

    def __init__(self) -> None:
        self._calls: list[tuple[ToolCall, bool]] = []
        self._broken: list[str] = []

    def add(self, name: object, arguments: object, call_id: object) -> None:
        """A call with its arguments as JSON text or as an object; nothing where there are none."""
        named = name if isinstance(name, str) and name else ""
        parsed = _arguments(arguments) if named else None
        if not named:
            self._broken.append("a call without a name")
        elif parsed is None:
            self._broken.append(f"{named}: the arguments are not a JSON object")
        call = ToolCall(
            name=named or _NAMELESS,
            arguments={_UNREADABLE: str(arguments)[:_LONG]} if parsed is None else parsed,
            id=call_id if isinstance(call_id, str) else "",
        )
        self._calls.append((call, parsed is not None))

    def sample(self, *, planned: bool, **more: Any) -> Sample:
        """The answer as a sample, unparsable where one of its calls is; ``more`` are fields of ``Sample``.

        A plan keeps such a call too, its arguments as the text that they are: every call gets a verdict. Nor can it be
        used where several calls share an id, since a decision on one would be a decision on the other.
        """
        calls = tuple(call for call, readable in self._calls if readable or planned)
        if not self._broken:
            sample = Sample(calls=calls, **more)
        else:
            detail = "; ".join(self._broken)[:_LIMIT]
            sample = Sample(calls=calls, status=SampleStatus.UNPARSABLE, detail=detail, **more)
        return _told_apart(sample) if planned else sample


def _told_apart(planned: Sample) -> Sample:
    seen = Counter(call.id for call in planned.calls)
    if len(planned.calls) < 2 or ("" not in seen and max(seen.values()) == 1):
        return planned
    calls = tuple(
        replace(call, id=call.id if call.id and seen[call.id] == 1 else f"{call.id or 'call'}-{index}")
        for index, call in enumerate(planned.calls)
    )
    detail = f"the calls of the step have no ids of their own; {planned.detail}"
    return replace(planned, calls=calls, status=SampleStatus.UNPARSABLE, detail=detail)


def _arguments(arguments: object) -> dict[str, Any] | None:
    if arguments is None or arguments == "":
        return {}
    try:
        parsed = json.loads(arguments) if isinstance(arguments, str) else arguments
        json.dumps(parsed, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
