"""What the core itself says of a script, without any door; what every door has to say, too."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from guardrail import Guard, Policy, open_store
from guardrail.errors import SamplingError
from guardrail.types import PlanningStep, Record, Route, Sample, SampleBatch, SampleStatus, ToolCall
from tests.adapters.script import Played, Script, Turn
from tests.adapters.tools import SPECS

_numbers = itertools.count()


class _Sampler:
    """Draws from a script."""

    name = "script"

    def __init__(self, played: Played) -> None:
        self._played = played

    def sample(self, _step: PlanningStep, n: int) -> SampleBatch:
        samples = [_sample(self._played.turn(sample=True)) for _ in range(n)]
        if all(one.status is SampleStatus.FAILED for one in samples):
            raise SamplingError("no sample could be drawn")
        return SampleBatch(samples=tuple(samples))


def _sample(turn: Turn | None) -> Sample:
    if turn is None:
        return Sample(status=SampleStatus.FAILED)
    calls = [ToolCall(name=one[0], arguments=one[1], id=f"c{next(_numbers)}") for one in turn.calls]
    return Sample(calls=tuple(calls), text=turn.text)


def reference(script: Script, policy: Policy) -> list[dict[str, Any]]:
    """The verdicts on the first step of a script, and on it planned again as long as that is said."""
    played, store = Played(script), open_store("memory://")
    guard = Guard(policy, _Sampler(played), store)
    route, attempt = Route.RETRY, 0
    while route is Route.RETRY:
        told = "plan the step again" if attempt else None
        planned = _sample(played.turn(sample=False, told=told))
        step = PlanningStep(
            id=f"s{attempt}", planned=planned, tools=SPECS, thread_id="t", request=object(), attempt=attempt
        )
        route = guard.assess(step).route
        attempt += 1
    return summaries(store.records(limit=100)[::-1])


def summaries(records: Iterable[Record]) -> list[dict[str, Any]]:
    """What must not depend on the door, of each record."""
    return [
        {
            "attempt": record.attempt,
            "route": str(record.verdict.route),
            "drawn": record.verdict.drawn,
            "invalid": record.verdict.invalid,
            "calls": [
                {
                    "call": (one.call.name, one.call.arguments),
                    "tier": str(one.tier),
                    "route": str(one.route),
                    "reason": str(one.reason),
                    "rule": one.rule,
                    "counted": (one.asked, one.needed, one.agreeing, one.disagreeing),
                    "signals": {s.name: None if s.value is None else round(s.value, 9) for s in one.signals},
                    "review": bool(one.review_id),
                }
                for one in record.verdict.verdicts
            ],
        }
        for record in records
    ]
