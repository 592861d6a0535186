"""Records of calls that ran on a promise, and answers to their audits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from guardrail.calibration import calibration_digest
from guardrail.store import Store
from guardrail.types import (
    CalibratedPolicy,
    Label,
    LabelSource,
    Promise,
    Record,
    Route,
    Signal,
    Tier,
    ToolEvidence,
    Verdict,
)
from tests.support.calibrated import a_policy, a_tier
from tests.support.records import record, refund

LATER = "2026-02-01T00:00:00+00:00"


def promised(*, alpha: float = 0.1, tools: tuple[str, ...] = ("refund",), **more: Any) -> CalibratedPolicy:
    """A calibration of the medium tier."""
    known = tuple(
        ToolEvidence(tool=tool, n=50, errors=2, executed=40, executed_errors=1, lower=0.0, upper=0.2) for tool in tools
    )
    tier = replace(a_tier(Tier.MEDIUM, tools=known, **more), alpha=alpha)
    return a_policy(tier, adopted_by="ana", adopted_at="2026-01-01T00:00:00Z")


def ran(
    calibration: CalibratedPolicy,
    identity: str,
    *tools: str,
    audited: float = 0.1,
    route: Route = Route.EXECUTE,
    at: str = "2026-01-02T03:04:05+00:00",
    risk: float | None = None,
    fingerprint: dict[str, str] | None = None,
    tier: Tier = Tier.MEDIUM,
) -> Record:
    """A step whose calls (of these tools; of refund) ran on the promise; audited with that probability (0: not)."""
    one = record(identity, at=at)
    promise = Promise(
        alpha=0.1, delta=0.05, n=150, executed=100, execute_below=0.2, calibration=calibration_digest(calibration)
    )
    verdicts = tuple(
        _verdict(one.verdict.verdicts[0], tool, f"call_{number}", route, tier, promise, risk)
        for number, tool in enumerate(tools or ("refund",), 1)
    )
    step = replace(one.verdict, route=route, verdicts=verdicts, audited=audited > 0, audit_probability=audited)
    return replace(one, verdict=step, fingerprint=one.fingerprint if fingerprint is None else fingerprint)


def _verdict(
    one: Verdict, tool: str, call_id: str, route: Route, tier: Tier, promise: Promise, risk: float | None
) -> Verdict:
    call = replace(refund(), name=tool, id=call_id)
    signals = (*one.signals, *(() if risk is None else (Signal(name="risk", value=risk),)))
    return replace(one, call=call, route=route, tier=tier, promise=promise, calibrated=True, signals=signals)


def said(
    correct: bool,
    call_id: str = "call_1",
    *,
    source: LabelSource = LabelSource.AUDIT,
    by: str = "ana",
    probability: float | None = None,
) -> Label:
    return Label(
        call_id=call_id, correct=correct, source=source, by=by, at="2026-01-03T00:00:00+00:00", probability=probability
    )


def audit(store: Store, calibration: CalibratedPolicy, wrong: str, *, prefix: str = "rec", **more: Any) -> None:
    """One record a character, of which ``x`` is a wrong call and ``.`` a right one."""
    for number, letter in enumerate(wrong):
        store.add_record(ran(calibration, f"{prefix}-{number:06}", **more))
        store.add_label(f"{prefix}-{number:06}", said(letter == "."))
