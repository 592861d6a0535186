"""Planners and cases for bulk replay: what a planner answers depends on the case alone, so that runs can be compared."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from guardrail.bulk import Planned, PlannerOptions
from guardrail.errors import SamplingError
from guardrail.types import (
    Case,
    PlanningStep,
    Question,
    Reply,
    ReplyBatch,
    Sample,
    SampleBatch,
    ToolCall,
    ToolSpec,
    Turn,
    Usage,
)

PAY = ToolSpec(
    name="pay",
    description="Pay somebody.",
    parameters={"type": "object", "properties": {"amount": {"type": "integer"}}},
)
LOG = "GUARDRAIL_TEST_PLANNED"
"""Environment variable with a folder, in which each plan leaves a line: what was paid for, in all processes."""


def pay(amount: int, identity: str = "call_1") -> ToolCall:
    return ToolCall(name="pay", arguments={"amount": amount}, id=identity)


def case(number: int, **more: Any) -> Case:
    """A recorded step that pays ``number``, of whose five samples each does."""
    return Case(
        **{
            "id": f"case {number:04}",
            "planned": Sample(calls=(pay(number),)),
            "samples": (Sample(calls=(pay(number, ""),)),) * 5,
            "tools": (PAY,),
            "correct": number % 4 != 0,
            "group": f"task {number // 2}",
            "model": "old",
            "at": "2026-01-02T03:04:05+00:00",
            "conversation": (Turn(role="user", text=f"pay {number}"),),
            "usage": Usage(requests=1, prompt_tokens=60, completion_tokens=35, seconds=1.5),
            **more,
        }
    )


class Steady:
    """Plans what the user says, one more where that is a multiple of three; samples disagree at multiples of five."""

    model = "new"

    def __init__(self, options: PlannerOptions) -> None:
        self.name = f"steady {options.argument}".strip()
        self.delay = float(options.settings.get("delay", 0))
        self.failing = set(options.settings.get("failing", ()))
        self.closed = False

    def settings(self, step: PlanningStep) -> dict[str, str]:
        return {"temperature": "1"}

    def step(self, case: Case) -> PlanningStep:
        assert case.request is not None
        return PlanningStep(
            id=case.id,
            planned=case.planned,
            tools=case.tools,
            model=self.model,
            request=case.request,
            conversation=case.conversation,
        )

    async def plan(self, case: Case) -> Planned:
        note(case.id)
        if self.delay:
            await asyncio.sleep(self.delay)
        number = wanted(case)
        if number in self.failing:
            failed = SamplingError("the server is full")
            failed.usage = Usage(requests=1, prompt_tokens=10, completion_tokens=0)
            raise failed
        step = replace(self.step(case), planned=Sample(calls=(pay(number + (number % 3 == 0)),)))
        return Planned(step=step, usage=Usage(requests=1, prompt_tokens=50, completion_tokens=7, seconds=0.5))

    async def asample(self, step: PlanningStep, n: int) -> SampleBatch:
        amount = step.planned.calls[0].arguments["amount"]
        samples = [Sample(calls=(pay(amount + (amount % 5 == 0 and k % 2), ""),)) for k in range(n)]
        return SampleBatch(
            samples=tuple(samples), usage=Usage(requests=1, prompt_tokens=50, completion_tokens=7 * n, seconds=1.0)
        )

    async def aask(self, step: PlanningStep, questions: list[Question]) -> ReplyBatch:
        replies = tuple(Reply(text="Confidence: 80%") for _ in questions)
        return ReplyBatch(replies=replies, usage=Usage(requests=len(replies), prompt_tokens=20, completion_tokens=3))

    async def aclose(self) -> None:
        self.closed = True


def steady(options: PlannerOptions) -> Steady:
    return Steady(options)


def right(case: Case) -> bool:
    """Whether the plan pays what the user says."""
    return [call.arguments.get("amount") for call in case.planned.calls] == [wanted(case)]


def checker() -> Callable[[Case], bool]:
    return right


def wanted(case: Case) -> int:
    return int(case.conversation[-1].text.split()[-1])


def note(identity: str) -> None:
    """Leave a line that survives whatever happens to this process."""
    folder = os.environ.get(LOG)
    if folder:
        name = f"{os.getpid()}-{time.time_ns()}"
        (Path(folder) / name).write_text(identity)


def noted(folder: Path) -> list[str]:
    """What was paid for, once for each time."""
    return [path.read_text() for path in folder.iterdir()]
