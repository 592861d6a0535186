"""What a step costs in each tier, estimated from what the canaries cost here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from guardrail import catalogue
from guardrail.policy import Policy, Resolution
from guardrail.signals import Registry
from guardrail.types import Need, PlanningStep, Tier
from guardrail_openai.doctor.choices import most_choices
from guardrail_openai.doctor.probes import Drawn


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Requests, tokens (None: not reported) and seconds, for one step beside its plan."""

    requests: int
    tokens: float | None
    seconds: float


@dataclass(frozen=True, kw_only=True)
class TierCost:
    """The least a step of the tier costs, where its first stage decides, and the most, where all stages are needed."""

    tier: Tier
    least: Cost
    most: Cost
    samples: int


class Prices:
    """What n samples and q questions cost, by what was measured."""

    def __init__(self, drawn: Sequence[Drawn], question: Mapping[str, Any]) -> None:
        came = [one for one in drawn if one.samples]
        self._most = most_choices(came)
        self._seconds = {len(one.samples): one.usage.seconds for one in came}
        prompts = [one.usage.prompt_tokens for one in came if one.usage.prompt_tokens is not None]
        completions = [
            one.usage.completion_tokens / len(one.samples) for one in came if one.usage.completion_tokens is not None
        ]
        self.prompt = prompts[0] if prompts else None
        self.completion = fmean(completions) if completions else None
        self._question_tokens = question.get("tokens")
        self._question_seconds = question.get("seconds", 0.0)

    def of(self, samples: int, questions: int) -> Cost:
        """The cost of one stage; requests that go out together take the time of the slowest."""
        drawing = -(-samples // self._most)
        tokens: float | None = 0.0
        if samples:
            known = self.prompt is not None and self.completion is not None
            tokens = drawing * (self.prompt or 0) + samples * (self.completion or 0) if known else None
        if questions:
            asked = self._question_tokens
            tokens = None if tokens is None or asked is None else tokens + questions * asked
        seconds = self._drawn_in(min(samples, self._most)) * min(drawing, 2)
        return Cost(
            requests=drawing + questions,
            tokens=tokens,
            seconds=max(seconds, self._question_seconds if questions else 0.0),
        )

    def _drawn_in(self, choices: int) -> float:
        """Seconds for a request of so many choices, between those measured."""
        if not choices or not self._seconds:
            return 0.0
        sizes = sorted(self._seconds)
        above = next((size for size in sizes if size >= choices), sizes[-1])
        below = next((size for size in reversed(sizes) if size <= choices), sizes[0])
        if above == below:
            return self._seconds[above]
        share = (choices - below) / (above - below)
        return self._seconds[below] + share * (self._seconds[above] - self._seconds[below])


def costs(policy: Policy, prices: Prices, step: PlanningStep, risk: Sequence[str]) -> tuple[TierCost, ...]:
    """The cost of a step with one call, for each tier. ``risk`` are the signals of the policy's risk model."""
    return tuple(_tier(policy, tier, prices, step, risk) for tier in Tier)


def _tier(policy: Policy, tier: Tier, prices: Prices, step: PlanningStep, risk: Sequence[str]) -> TierCost:
    settings = policy.settings[tier]
    stages = Resolution(
        tier=tier,
        rule="",
        samples=settings.samples,
        agreement=settings.agreement,
        max_retries=settings.max_retries,
        logprob=settings.logprob,
        max_risk=settings.max_risk,
        cascade=settings.cascade,
        signals=settings.signals,
    ).stages
    reached: list[Cost] = []
    samples, asked = 0, set[str]()
    for stage in stages:
        samples = max(samples, stage.samples)
        names = [*stage.named, *(risk if catalogue.RISK.name in stage.named else ())]
        asked |= {name for name in names if _asks(name)}
        questions = sum(len(Registry().questions(name, step, 0)) for name in asked)
        reached.append(prices.of(samples, questions))
    return TierCost(tier=tier, least=reached[0], most=reached[-1], samples=samples)


def _asks(name: str) -> bool:
    info = catalogue.info(name)
    return info is not None and Need.QUESTION in info.needs
