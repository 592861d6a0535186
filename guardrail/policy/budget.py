"""What a budget leaves: pure sums over what was spent. What cannot be counted is spent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from guardrail.policy.stages import Budget, Limits, Price
from guardrail.types import Usage

_MILLION: Final = 1_000_000


def cost(usage: Usage, price: Price) -> float | None:
    """The money that the tokens cost; None where a count that has a price is not known."""
    total = 0.0
    for count, each in (
        (_known(usage, usage.prompt_tokens), price.prompt),
        (_known(usage, usage.completion_tokens), price.completion),
    ):
        if each == 0:
            continue
        if count is None:
            return None
        total += count * each / _MILLION
    return total


def midnight(now: datetime) -> str:
    """The start of that moment's day in UTC, ISO 8601: a day's budget counts from there."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0).isoformat()


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What a step may still spend with ``model``, given what its thread and the day have spent, by model.

    A limit is asked for before a request is sent: one under way is not cut off, so that a step may spend one
    request more than its limit.
    """

    budget: Budget
    model: str
    thread: Mapping[str, Usage] = field(default_factory=dict)
    day: Mapping[str, Usage] = field(default_factory=dict)

    def exceeded(self, usage: Usage, *, written: bool = False) -> str | None:
        """The limit that is reached, in words, where the step has spent ``usage``; None where there is some left.

        ``written`` says that thread and day already include it. Tokens that a provider did not report, and models
        without a price, could have cost anything: under a limit on tokens or money they reach it.
        """
        step = {self.model: usage}
        more = {} if written else step
        for subject, limits, spent in (
            ("the step has", self.budget.step, [step]),
            ("the thread has", self.budget.thread, [self.thread, more]),
            ("today's steps have", self.budget.day, [self.day, more]),
        ):
            if limits.any:
                entries = [entry for each in spent for entry in each.items()]
                found = _seconds(subject, limits, entries) or _tokens(subject, limits, entries)
                found = found or self._money(subject, limits, entries)
                if found:
                    return found
        return None

    def _money(self, subject: str, limits: Limits, entries: Iterable[tuple[str, Usage]]) -> str | None:
        if limits.money is None:
            return None
        total = 0.0
        # the step's own model is asked for even where it has spent nothing: what it spends could not be counted
        for model, usage in ((self.model, Usage()), *entries):
            price = self.budget.price(model)
            if price is None:
                return (
                    f"{subject} a limit of {limits.money:g} in money, and the policy has no price for {model!r}: "
                    "add it under 'prices', or one for '*'"
                )
            amount = cost(usage, price)
            if amount is None:
                return f"{subject} cost an unknown part of {limits.money:g}: {model!r} did not report its tokens"
            total += amount
        return None if total < limits.money else f"{subject} cost {total:.4g} of {limits.money:g}"


def _seconds(subject: str, limits: Limits, entries: Iterable[tuple[str, Usage]]) -> str | None:
    if limits.seconds is None:
        return None
    total = sum(usage.seconds for _, usage in entries)
    return None if total < limits.seconds else f"{subject} taken {total:.4g} of {limits.seconds:g} seconds"


def _tokens(subject: str, limits: Limits, entries: Iterable[tuple[str, Usage]]) -> str | None:
    if limits.tokens is None:
        return None
    total = 0
    for model, usage in entries:
        for count in (_known(usage, usage.prompt_tokens), _known(usage, usage.completion_tokens)):
            if count is None:
                return f"{subject} used an unknown part of {limits.tokens:,} tokens: {model!r} did not report them"
            total += count
    return None if total < limits.tokens else f"{subject} used {total:,} of {limits.tokens:,} tokens"


def _known(usage: Usage, count: int | None) -> int | None:
    """A count of tokens: none where nothing was requested, unknown where it was not reported or cannot be one."""
    if count is None:
        return None if usage.requests else 0
    return count if count >= 0 else None
