"""What replaying costs, before anything is sent: from what the recorded samples cost, or from a stated guess."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from guardrail.bulk.job import Job
from guardrail.bulk.replaying import wanted
from guardrail.codec import canonical, to_json
from guardrail.policy import Price, cost
from guardrail.signals import Registry
from guardrail.types import Case, Need, Usage

CHARACTERS: Final = 4
"""Characters a token, where nothing is known of the cost: what English text and JSON come to."""
_LEAST_PLAN: Final = 16
_REPLY: Final = 30
"""Tokens of an answer to a question about a call."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What ``cases`` will cost about, ``guessed`` of them without knowing what the recorded samples cost.

    ``seconds`` are those of the run, None where no recorded time is known; ``money`` is None where there is no price.
    """

    cases: int
    usage: Usage
    guessed: int
    seconds: float | None
    money: float | None

    @property
    def tokens(self) -> int:
        """Prompt and completion."""
        return (self.usage.prompt_tokens or 0) + (self.usage.completion_tokens or 0)


class Estimator:
    """What a case will cost, by what its recorded samples did."""

    def __init__(self, job: Job) -> None:
        self._job = job
        registry = Registry()
        self._questions = sum(1 for name in wanted(job) if Need.QUESTION in registry.get(name).info.needs)

    def of(self, case: Case) -> Usage:
        """Requests, tokens and seconds of one case."""
        plans = 0 if self._job.keep_plan else 1
        n = self._samples(case)
        known, drawn = case.usage, max(1, len(case.samples))
        prompt, completion = _guess(case)
        requests, seconds = float(n), 0.0
        if self.known(case) and known is not None:
            prompt = (known.prompt_tokens or 0) / known.requests
            completion = (known.completion_tokens or 0) / drawn
            requests = max(min(n, 1), n * min(known.requests, drawn) / drawn)
            if known.requests == 1:
                requests = min(n, 1)  # the endpoint takes n, and the prompt is paid for once
            # requests for one step are sent together: a plan takes about as long as all of its samples
            seconds = known.seconds * (plans + min(n, 1))
        asked = self._questions * len(case.planned.calls)
        sent = plans + math.ceil(requests) + asked
        return Usage(
            requests=sent,
            prompt_tokens=math.ceil(prompt * sent),
            completion_tokens=math.ceil(completion * (plans + n)) + _REPLY * asked,
            seconds=seconds,
        )

    def known(self, case: Case) -> bool:
        """Whether the case says what its samples cost."""
        usage = case.usage
        return (
            usage is not None
            and usage.requests > 0
            and bool(case.samples)
            and usage.prompt_tokens is not None
            and usage.completion_tokens is not None
        )

    def all(self, cases: Sequence[Case], *, price: Price | None, workers: int = 1) -> Estimate:
        """The cost of all cases, in as many processes."""
        total = Usage(prompt_tokens=0, completion_tokens=0)
        for case in cases:
            total += self.of(case)
        at_once = max(1, self._job.concurrency * workers)
        timed = [case for case in cases if self.known(case) and case.usage is not None and case.usage.seconds > 0]
        return Estimate(
            cases=len(cases),
            usage=replace(total, seconds=0.0),
            guessed=sum(1 for case in cases if not self.known(case)),
            seconds=total.seconds / min(at_once, max(1, len(cases))) if cases and len(timed) == len(cases) else None,
            money=None if price is None else cost(total, price),
        )

    def _samples(self, case: Case) -> int:
        # before it is planned nobody knows which calls it makes: as a rule those that it made
        tools = {tool.name: tool for tool in case.tools}
        resolved = (self._job.policy.resolve(call, tools.get(call.name)).samples for call in case.planned.calls)
        most = max((settings.samples for settings in self._job.policy.settings.values()), default=0)
        return max(resolved, default=0 if self._job.keep_plan else most)


def _guess(case: Case) -> tuple[float, float]:
    """Tokens of a prompt and of a plan, by their length."""
    asked = canonical(case.request) if case.request is not None else "".join(_texts(case))
    plan = len(case.planned.text) + len(canonical([to_json(call) for call in case.planned.calls]))
    return len(asked) / CHARACTERS, max(_LEAST_PLAN, plan / CHARACTERS)


def _texts(case: Case) -> Iterable[str]:
    yield from (turn.text for turn in case.conversation)
    yield from (canonical(to_json(tool)) for tool in case.tools)
