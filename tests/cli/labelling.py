"""Stores with calls to judge, for the tests of ``guardrail label`` and ``guardrail audits``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from guardrail.types import Reason, Record, Route, Signal, Tier, Turn
from tests.support.records import record, refund


def audited(number: int, *, audit: float = 0.5, drawn: bool = True, risk: float = 0.1, **more: Any) -> Record:
    """A refund that ran without a human, in a step that was audited with that probability."""
    call = more.pop("call", None) or refund(100 + number)
    route, reason = more.pop("route", Route.EXECUTE), more.pop("reason", Reason.AGREED)
    tier, stopping = more.pop("tier", Tier.MEDIUM), more.pop("stopping", "lossless")
    at = more.pop("at", f"2026-01-02T03:{number:02}:00+00:00")
    one = record(f"rec-{number:06}", call=call, at=at, **more)
    verdict = replace(
        one.verdict.verdicts[0],
        tier=tier,
        route=route,
        reason=reason,
        signals=(Signal(name="agreement", value=0.8), Signal(name="risk", value=risk)),
    )
    return replace(
        one,
        verdict=replace(one.verdict, verdicts=(verdict,), audited=drawn, audit_probability=audit),
        conversation=(Turn(role="user", text=f"Refund order A-7, number {number}."),),
        fingerprint={"stopping": f"{tier.value}={stopping}", "samples": f"{tier.value}=5"},
    )
