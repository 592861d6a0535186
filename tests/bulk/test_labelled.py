"""Replayed calls as calibration reads them: each judgement with the probability that it had."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from guardrail.bulk import Job, PlannerOptions, local
from guardrail.bulk.labelled import labelled
from guardrail.calibration import Labelled
from guardrail.types import SCORE_KEYS, AuditDraw, Case, Label, LabelSource, Route, StepVerdict, Tier
from tests.support import bulk
from tests.support.bulk import case


def audit(correct: bool, **more: Any) -> Label:
    return Label(call_id="call_1", correct=correct, source=LabelSource.AUDIT, by="ana", at="2026-01-05", **more)


def audited(number: int, probability: float | None, *labels: Label) -> Case:
    """A step of a store; audited with that probability."""
    verdict = StepVerdict(
        record_id="r",
        step_id="s",
        route=Route.EXECUTE,
        verdicts=(),
        audited=probability is not None,
        audit_probability=probability or 0.0,
    )
    correct = labels[0].correct if labels else None
    return case(number, correct=correct, labels=labels, verdict=verdict)


def rows(
    cases: list[Case], *, draws: tuple[AuditDraw, ...] = (), probability: float | None = None, **more: Any
) -> Labelled:
    done: dict[str, Case] = {}
    options = PlannerOptions(settings=more.pop("settings", {}))
    job = Job(planner=bulk.steady, options=options, started="2026-02-03T00:00:00+00:00", **more)
    asyncio.run(local.run(cases, job, lambda one: done.update({one.id: one})))
    return labelled([(one, done[one.id]) for one in cases], draws=draws, probability=probability)


def checked(check: Callable[[Case], Any]) -> dict[str, Any]:
    return {"checker": lambda: check, "named": {"checker": "right"}}


def test_what_a_checker_judged_has_probability_1_and_the_new_score() -> None:
    found = rows([case(number) for number in range(1, 7)], **checked(bulk.right))
    assert len(found.calls) == 6
    assert {(one.id, one.correct) for one in found.calls} >= {("case 0003/call_1", False), ("case 0004/call_1", True)}
    for one in found.calls:
        assert (one.probability, one.source, one.by) == (1.0, LabelSource.CHECKER, "right")
        assert one.at == "2026-02-03T00:00:00+00:00"
        assert one.signals["agreement"] is not None
        assert one.fingerprint.keys() == set(SCORE_KEYS)
        assert (one.tier, one.tool) == (Tier.HIGH, "pay")
    assert found.unanswered == ()


def test_where_the_checker_could_not_tell_the_call_is_unanswered_and_not_left_out() -> None:
    found = rows([case(1), case(2)], **checked(lambda one: None if bulk.wanted(one) == 1 else True))
    assert [one.id for one in found.calls] == ["case 0002/call_1"]
    assert [(one.id, one.correct, one.probability) for one in found.unanswered] == [("case 0001/call_1", False, 1.0)]


def test_new_plans_nobody_judged_are_no_evidence() -> None:
    found = rows([case(1)], probability=1.0)
    assert (found.calls, found.unanswered) == ((), ())


def test_a_kept_label_keeps_the_probability_of_its_audit() -> None:
    cases = [audited(1, 0.25, audit(True)), audited(2, 0.25), audited(3, None, audit(False)), audited(4, None)]
    found = rows(cases, keep_plan=True)
    assert [(one.id, one.correct, one.probability) for one in found.calls] == [("case 0001/call_1", True, 0.25)]
    # drawn for an audit, and not judged
    assert [(one.id, one.probability) for one in found.unanswered] == [("case 0002/call_1", 0.25)]
    assert sum(found.left_out.values()) == 1


def test_a_second_draw_counts_as_it_does_in_the_store() -> None:
    cases = [audited(1, 0.5, audit(True)), audited(2, 0.5, audit(True))]
    draw = AuditDraw(
        record_id="case 0001",
        call_id="call_1",
        probability=0.5,
        batch="b",
        at="2026-01-04",
        since="2026-01-01T00:00:00+00:00",
    )
    found = rows(cases, keep_plan=True, draws=(draw,))
    assert [(one.id, one.probability) for one in found.calls] == [("case 0001/call_1", 0.25)]


@pytest.mark.parametrize("stated", [None, 1.0, 0.5])
def test_a_label_of_unknown_probability_has_the_one_that_is_stated_or_none(stated: float | None) -> None:
    found = rows([case(1), case(4), case(2, correct=None)], keep_plan=True, probability=stated)
    assert [(one.correct, one.probability) for one in found.calls] == [(True, stated), (False, stated)]
    # what nobody judged was not drawn
    assert found.unanswered == ()


def test_failed_ones_and_critical_calls_are_not_among_them() -> None:
    from guardrail.policy import Policy

    assert rows([case(1)], settings={"failing": [1]}, **checked(bulk.right)) == Labelled()
    critical = Policy.parse({"default": {"tier": "critical"}})
    found = rows([case(1)], policy=critical, **checked(bulk.right))
    assert found.calls == ()
    assert sum(found.left_out.values()) == 1


def test_a_label_kept_beside_a_checker_is_not_the_checkers() -> None:
    (found,) = rows([replace(case(1), correct=False)], keep_plan=True, **checked(bulk.right)).calls
    assert (found.correct, found.source, found.probability) == (False, LabelSource.IMPORT, None)
