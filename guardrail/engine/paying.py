"""What a step may spend, and what it has: asked before every request, written after every answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from guardrail.errors import BudgetSpent
from guardrail.policy import Allowance, Policy, midnight
from guardrail.types import PlanningStep, ReplyBatch, SampleBatch, Spending, Usage

if TYPE_CHECKING:
    from guardrail.store import Store


class Purse:
    """The money of one step. Where the policy sets no limit, nothing is asked and nothing is written.

    A request under way is not cut off, so that a step may spend one request more than its limit. Time is that of the
    step so far, and not of its requests alone. The ledger is read anew before each request, because other steps of
    the thread, and other processes, spend from it too.
    """

    def __init__(self, store: Store, policy: Policy, step: PlanningStep, now: Callable[[], datetime]) -> None:
        self._store = store
        self._budget = policy.budget
        self._step = step
        self._now = now
        self._started = time.perf_counter()
        self._spent = Usage()

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return self._budget.any

    def check(self) -> None:
        """Whether one more request may be sent.

        Raises:
            BudgetSpent: no; the message says which limit is reached.
            StoreError: the ledger cannot be read.
        """
        allowance = Allowance(
            budget=self._budget,
            model=self._step.model,
            thread=self._store.spent(thread_id=self._step.thread_id) if self._budget.thread.any else {},
            day=self._store.spent(since=midnight(self._now())) if self._budget.day.any else {},
        )
        so_far = replace(self._spent, seconds=time.perf_counter() - self._started)
        exceeded = allowance.exceeded(so_far, written=True)
        if exceeded is not None:
            raise BudgetSpent(exceeded)

    def pay(self, outcome: object) -> None:
        """Write down what an answer, or a failure, has cost; a cost that nobody tells is unknown, and not nothing.

        Raises:
            StoreError: it could not be written; nothing may be spent on it.
        """
        usage = outcome.usage if isinstance(outcome, SampleBatch | ReplyBatch) else getattr(outcome, "usage", None)
        if not isinstance(usage, Usage):
            usage = Usage(requests=1)
        self._spent += usage
        self._store.spend(
            Spending(at=self._now().isoformat(), thread_id=self._step.thread_id, model=self._step.model, usage=usage)
        )
