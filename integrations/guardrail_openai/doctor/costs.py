"""What a step costs in each tier: how much the guard asks for, times what the canaries cost here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from guardrail.engine import Guard
from guardrail.policy import Policy, Rule
from guardrail.store import open_store
from guardrail.types import (
    PlanningStep,
    Question,
    Reply,
    ReplyBatch,
    Sample,
    SampleBatch,
    SampleStatus,
    Tier,
    Usage,
)
from guardrail_openai.doctor.choices import most_choices
from guardrail_openai.doctor.probes import Drawn

_NO_AUDIT: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Requests, tokens (None: not reported) and seconds, for one step beside its plan."""

    requests: int = 0
    tokens: float | None = 0.0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            requests=self.requests + other.requests,
            tokens=None if self.tokens is None or other.tokens is None else self.tokens + other.tokens,
            seconds=self.seconds + other.seconds,
        )


@dataclass(frozen=True, kw_only=True)
class TierCost:
    """A step of the tier where every sample is the plan again, and where the last sample is still needed."""

    tier: Tier
    samples: int
    agreeing: Cost
    most: Cost


class Prices:
    """What n samples and q questions cost, by what was measured."""

    def __init__(self, drawn: Sequence[Drawn], question: Mapping[str, Any]) -> None:
        came = sorted((one for one in drawn if one.samples), key=lambda one: len(one.samples))
        self._most = most_choices(came)
        self._seconds: dict[int, float] = {}
        for one in came:
            # more choices never take less: what looks so is noise
            slowest = max(self._seconds.values(), default=0.0)
            self._seconds[len(one.samples)] = max(slowest, one.usage.seconds)
        prompts = [one.usage.prompt_tokens for one in came if one.usage.prompt_tokens is not None]
        billed = [one for one in came if one.usage.completion_tokens is not None]
        self.prompt = prompts[0] if prompts else None
        self.completion = (
            sum(one.usage.completion_tokens or 0 for one in billed) / sum(len(one.samples) for one in billed)
            if billed
            else None
        )
        self._question_tokens = question.get("tokens")
        self._question_seconds = question.get("seconds", 0.0)

    def drawing(self, samples: int) -> Cost:
        """Samples drawn together; requests that go out at the same time take the time of the slowest."""
        requests = -(-samples // self._most)
        known = self.prompt is not None and self.completion is not None
        return Cost(
            requests=requests,
            tokens=requests * (self.prompt or 0) + samples * (self.completion or 0) if known else None,
            # the first of several requests goes alone
            seconds=self._drawn_in(min(samples, self._most)) * min(requests, 2),
        )

    def asking(self, questions: int) -> Cost:
        """Questions asked together."""
        each = self._question_tokens
        tokens = None if each is None else questions * each
        return Cost(requests=questions, tokens=tokens, seconds=self._question_seconds)

    def _drawn_in(self, choices: int) -> float:
        """Seconds for a request of so many choices, between those measured."""
        if not self._seconds:
            return 0.0
        sizes = sorted(self._seconds)
        above = next((size for size in sizes if size >= choices), sizes[-1])
        below = next((size for size in reversed(sizes) if size <= choices), sizes[0])
        if above == below:
            return self._seconds[above]
        share = (choices - below) / (above - below)
        return self._seconds[below] + share * (self._seconds[above] - self._seconds[below])


def costs(policy: Policy, prices: Prices, step: PlanningStep) -> tuple[TierCost, ...]:
    """The cost of a step with one call, for each tier: the guard itself decides on ``step``, with made-up samples."""
    return tuple(_tier(policy, tier, prices, step) for tier in Tier)


def _tier(policy: Policy, tier: Tier, prices: Prices, step: PlanningStep) -> TierCost:
    (call,) = step.planned.calls[:1]
    step = replace(step, planned=replace(step.planned, calls=(call,)))
    policy = replace(policy, rules=(Rule(match=call.name, tier=tier),))
    resolution = policy.resolve(call, step.tool(call.name))
    # a plan without log-probabilities, and samples that leave it open until the last one
    silent = replace(step, planned=replace(step.planned, tokens=None))
    return TierCost(
        tier=tier,
        samples=resolution.samples,
        agreeing=_spent(policy, _Rehearsal(prices), step),
        most=_spent(policy, _Rehearsal(prices, agreeing=max(0, resolution.needed - 1)), silent),
    )


def _spent(policy: Policy, rehearsal: _Rehearsal, step: PlanningStep) -> Cost:
    Guard(policy, rehearsal, open_store("memory://"), draw=lambda: _NO_AUDIT).assess(step)
    return rehearsal.spent


class _Rehearsal:
    """A sampler that draws nothing, and adds up what drawing would cost. The first ``agreeing`` samples (None: all)
    are the plan again. It answers no question, so that no stage decides by one.
    """

    name = "rehearsal"

    def __init__(self, prices: Prices, agreeing: int | None = None) -> None:
        self.spent = Cost()
        self._prices = prices
        self._agreeing = agreeing
        self._drawn = 0

    def sample(self, step: PlanningStep, n: int) -> SampleBatch:
        self.spent += self._prices.drawing(n)
        before, self._drawn = self._drawn, self._drawn + n
        plan, other = Sample(calls=step.planned.calls), Sample(text="something else")
        samples = [plan if self._agreeing is None or before + index < self._agreeing else other for index in range(n)]
        return SampleBatch(samples=tuple(samples), usage=Usage(requests=1, prompt_tokens=0, completion_tokens=0))

    def ask(self, step: PlanningStep, questions: Sequence[Question]) -> ReplyBatch:
        del step
        self.spent += self._prices.asking(len(questions))
        reply = Reply(status=SampleStatus.FAILED, detail="not asked")
        return ReplyBatch(
            replies=(reply,) * len(questions), usage=Usage(requests=1, prompt_tokens=0, completion_tokens=0)
        )
