"""Verdicts as structured logs: one line of JSON each."""

from __future__ import annotations

import json
import logging
from typing import Any

from guardrail.engine import Permit, Refusal
from guardrail.telemetry import told
from guardrail.types import PlanningStep, Review, StepVerdict


class LogObserver:
    """Writes a line for each verdict, permit, refusal and decision. See ``log_observer``."""

    def __init__(self, logger: logging.Logger, level: int) -> None:
        self._logger = logger
        self._level = level

    def assessed(self, step: PlanningStep, verdict: StepVerdict, record_id: str) -> None:
        """One line for each call of the step."""
        for one in verdict.verdicts:
            self._line(
                "verdict",
                record_id=record_id,
                model=told.short(step.model),
                tool=told.tool_name(step, one),
                tier=one.tier.value,
                route=one.route.value,
                reason=one.reason.value,
                agreement=told.agreement(one),
                semantic_entropy=told.entropy(one),
                samples=verdict.drawn,
                tokens=told.tokens(verdict),
                seconds=round(verdict.seconds, 6),
                review_id=one.review_id,
            )

    def permitted(self, record_id: str, permit: Permit) -> None:
        """One line."""
        self._line("permitted", record_id=record_id, review_id="" if permit.review is None else permit.review.id)

    def refused(self, record_id: str, refusal: Refusal) -> None:  # noqa: ARG002 - its words are for the agent
        """One line, without the reason."""
        self._line("refused", record_id=told.short(record_id))

    def reviewed(self, review: Review) -> None:
        """One line, without who and what was said."""
        decision = "" if review.decision is None else review.decision.type.value
        self._line(
            "reviewed", record_id=review.record_id, review_id=review.id, tier=review.tier.value, decision=decision
        )

    def _line(self, event: str, **values: Any) -> None:
        if self._logger.isEnabledFor(self._level):
            line = {"event": f"guardrail.{event}", **values}
            # ASCII: no text in it can begin another line
            self._logger.log(self._level, "%s", json.dumps(line), extra={"guardrail": line})


def log_observer(logger: logging.Logger | None = None, level: int = logging.INFO) -> LogObserver:
    """An observer that logs one line of JSON a verdict; its values are in the log record's ``guardrail``, too.

    Args:
        logger: where to; by default the logger ``guardrail.verdicts``.
        level: at which level.
    """
    return LogObserver(logger or logging.getLogger("guardrail.verdicts"), level)
