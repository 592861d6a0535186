"""Replayed calls with their judgements, as calibration reads them.

Which judgement counts, and with which probability, is decided where it is for the records of a store.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from guardrail.calibration import Labelled, labelled_calls
from guardrail.types import AuditDraw, Case, Label, LabelSource, Record, StepVerdict


def labelled(
    pairs: Iterable[tuple[Case, Case]], *, draws: Iterable[AuditDraw] = (), probability: float | None = None
) -> Labelled:
    """The judged calls of replayed cases, each beside the case that was recorded, with the scores that they have now.

    A checker was asked about every plan, which has probability 1: where it could not tell, the call is unanswered. A
    label that was kept has the probability of the recorded step's audit, and of ``draws`` among audited ones; else
    ``probability``, which the caller states; without that, none, and it is no evidence. A plan that is wrong, nobody
    says where, is wrong in every call.
    """
    ready = [(recorded, case) for recorded, case in pairs if case.verdict is not None and not case.failure]
    return labelled_calls([_record(recorded, case, probability) for recorded, case in ready], draws)


def _record(recorded: Case, case: Case, stated: float | None) -> Record:
    """The record that a guard would have of the replayed step, had it been drawn for an audit as this one was."""
    labels = case.labels or tuple(_of_plan(case))
    kept = bool(recorded.labels) or recorded.correct is not None
    known = recorded.verdict
    chance = 0.0
    if case.run.get("checker") and not (kept and case.run.get("plan") == "kept"):
        chance = 1.0
    elif known is not None and known.audited:
        chance = known.audit_probability
    elif labels:
        chance = stated or 0.0
    return Record(
        id=case.id,
        at=case.at,
        thread_id=case.group,
        namespace="",
        step_id=case.id,
        attempt=case.attempt,
        model=case.model,
        request_digest="",
        planned=case.planned,
        samples=case.samples,
        verdict=_drawn(case, chance),
        fingerprint=case.fingerprint,
        tools=case.tools,
        labels=labels,
    )


def _drawn(case: Case, chance: float) -> StepVerdict:
    assert case.verdict is not None
    return replace(case.verdict, audited=chance > 0, audit_probability=chance)


def _of_plan(case: Case) -> Iterable[Label]:
    if case.correct is not None:
        for identity in dict.fromkeys(call.id for call in case.planned.calls):
            yield Label(call_id=identity, correct=case.correct, source=LabelSource.IMPORT, by="", at=case.at)
