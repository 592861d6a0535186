"""What a run has spent, and whether there is enough left for one more case."""

from __future__ import annotations

from dataclasses import dataclass, field

from guardrail.policy import Price, cost
from guardrail.types import Usage


@dataclass(kw_only=True)
class Purse:
    """The limits of a run, on tokens and on money, and what is spent and promised to cases in work.

    A case is begun only where what it will cost about is left. A case that could not say what it cost could have cost
    anything: under a limit nothing is begun after it.
    """

    tokens: int | None = None
    money: float | None = None
    price: Price | None = None
    spent: Usage = field(default_factory=Usage)
    promised: list[Usage] = field(default_factory=list)

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return self.tokens is not None or self.money is not None

    def exceeded(self, more: Usage | None = None) -> str:
        """Which limit is reached, in words, where ``more`` is spent beside what is promised; empty where none is."""
        if not self.limited:
            return ""
        total = self.spent
        for each in (*self.promised, *(() if more is None else (more,))):
            total += each
        if total.requests and (total.prompt_tokens is None or total.completion_tokens is None):
            return "the model server does not report its tokens, and under a limit they have to be counted"
        tokens = (total.prompt_tokens or 0) + (total.completion_tokens or 0)
        if self.tokens is not None and tokens > self.tokens:
            return f"the limit of {self.tokens:,} tokens is reached"
        amount = None if self.price is None else cost(total, self.price)
        if self.money is not None and (amount is None or amount > self.money):
            return f"the limit of {self.money:g} in money is reached"
        return ""

    def promise(self, usage: Usage) -> None:
        """Set aside what a case will cost about."""
        self.promised.append(usage)

    def pay(self, usage: Usage, promised: Usage | None = None) -> None:
        """Write down what a case has cost, and set free what was set aside for it."""
        if promised is not None:
            self.promised.remove(promised)
        self.spent += usage
