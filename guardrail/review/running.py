"""What a decision lets run, where values of the call are hidden: told apart, kept, and bound to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from guardrail.errors import ReviewConflict
from guardrail.redaction import Vault
from guardrail.review.changing import Reviews, Who
from guardrail.review.hidden import what_runs
from guardrail.review.machine import describe, noted
from guardrail.types import Decision, Principal, Review, ReviewState

CALL: Final = "call"
"""Where a review's own call is sealed."""


class Running(Reviews):
    """The part of a queue that those use who run calls."""

    def arguments(
        self,
        review: Review,
        decision: Decision,
        planned: Mapping[str, Any],
        *,
        typed: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The arguments that run after an approval or edit; see ``what_runs``.

        Raises:
            ReviewError: it cannot be told what was approved; it must not run.
            ConfigError: the key to what was typed is not there.
        """
        return what_runs(review, decision, planned, self._store, typed=typed)

    def keep(self, review: Review, arguments: Mapping[str, Any]) -> Review:
        """The review, what is hidden of it sealed, where that is to be and can be done. Before it is opened."""
        vault = Vault.from_environment() if review.hidden and review.hiding.keep else None
        if vault is None:
            return replace(review, sealed=False)
        if not any(one.slot == CALL for one in self._store.sealed(review.id)):
            at, tenant = review.at, review.tenant
            self._store.add_sealed(vault.seal(arguments, review_id=review.id, tenant=tenant, slot=CALL, at=at))
        return replace(review, sealed=True)

    def bind(self, review_id: str, *, runs: str, by: Who) -> Review:
        """Write down the digest of the call that an edit with hidden values lets run, once that is known.

        Raises:
            ReviewConflict: it is no such edit, or another call was bound to it before.
        """

        def change(review: Review, who: Principal, now: datetime) -> Review:
            decision = review.decision
            if decision is not None and decision.runs == runs:
                return review
            edit = decision is not None and decision.arguments is not None
            if review.state is not ReviewState.DECIDED or decision is None or not edit or decision.runs:
                raise ReviewConflict(f"{describe(review)}: no call can be bound to it")
            bound = replace(decision, runs=runs)
            return noted(review, at=now.isoformat(), by=who.name, note="the call of the edit is known", decision=bound)

        return self._change(self._exactly(review_id, by).id, by, change)
