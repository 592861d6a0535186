"""Which calls of a store's records are evidence, and with which probability."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.calibration import calibrate
from guardrail.calibration.labelled import judged_twice, labelled_calls
from guardrail.types import (
    AuditDraw,
    Label,
    LabelSource,
    Reason,
    Record,
    RefusalCode,
    Route,
    Signal,
    StepVerdict,
    Tier,
    ToolCall,
    Verdict,
)
from tests.support.records import record as any_record

AT = "2026-03-02T12:00:00+00:00"
CALL = ToolCall(name="pay", arguments={"amount": 1}, id="c1")
RISK = Signal(name="risk", value=0.25)


def verdict(**more: Any) -> Verdict:
    given_: dict[str, Any] = {
        "call": CALL,
        "tier": Tier.MEDIUM,
        "route": Route.EXECUTE,
        "reason": Reason.AGREED,
        "why": "",
        "signals": (Signal(name="agreement", value=0.75), Signal(name="p_true", missing="not asked"), RISK),
    }
    return Verdict(**{**given_, **more})


def record(
    *verdicts: Verdict,
    audit: float = 0.5,
    audited: bool = True,
    stopping: str = "lossless",
    labels: Any = (),
    **more: Any,
) -> Record:
    step = StepVerdict(
        record_id="r1",
        step_id="s1",
        route=Route.EXECUTE,
        verdicts=verdicts or (verdict(),),
        audited=audited,
        audit_probability=audit,
        curtailed=more.pop("curtailed", False),
    )
    fingerprint = {"model": "m", "samples": "low=3,medium=5", "stopping": f"low=none,medium={stopping}"}
    given_: dict[str, Any] = {"id": "r1", "at": AT, "thread_id": "t1", "labels": labels, "fingerprint": fingerprint}
    return replace(any_record(), verdict=step, **{**given_, **more})


def label(correct: bool = True, **more: Any) -> Label:
    given_: dict[str, Any] = {"call_id": "c1", "source": LabelSource.AUDIT, "by": "ana", "at": "2026-03-03T00:00:00Z"}
    return Label(**{**given_, "correct": correct, **more})


def draw(probability: float = 0.2, **more: Any) -> AuditDraw:
    given_: dict[str, Any] = {
        "record_id": "r1",
        "call_id": "c1",
        "batch": "w10",
        "at": "2026-03-09T00:00:00Z",
        "since": "2026-03-02T00:00:00Z",
        "until": "2026-03-09T00:00:00Z",
    }
    return AuditDraw(**{**given_, "probability": probability, **more})


def test_an_audited_call_has_the_probability_of_its_draw() -> None:
    (call,) = labelled_calls([record(labels=(label(correct=False),), attempt=1)]).calls
    assert (call.id, call.tier, call.tool, call.correct, call.probability) == ("r1/c1", Tier.MEDIUM, "pay", False, 0.5)
    assert (call.risk, call.signals) == (0.25, {"agreement": 0.75, "p_true": None})
    assert (call.task, call.attempt, call.route, call.at) == ("t1", 1, Route.EXECUTE, "2026-03-03T00:00:00Z")
    assert (call.source, call.by, call.call) == (LabelSource.AUDIT, "ana", CALL)
    assert (call.fingerprint["samples"], call.fingerprint["stopping"], call.fingerprint["model"]) == (
        "5",
        "lossless",
        "m",
    )


def test_a_call_that_was_drawn_and_nobody_judged_stands_as_wrong() -> None:
    found = labelled_calls([record()])
    assert found.calls == ()
    (call,) = found.unanswered
    assert (call.correct, call.probability) == (False, 0.5)


def test_silence_is_no_consent() -> None:
    found = labelled_calls([record(audited=False, id=f"r{k}") for k in range(3)])
    assert (found.calls, found.unanswered, found.left_out, found.ran_unjudged) == ((), (), {}, {})
    assert labelled_calls([record(audited=False, audit=0.0)]).ran_unjudged == {Tier.MEDIUM: 1}


def test_a_judgement_that_nobody_drew_is_counted_and_left_out() -> None:
    picked = record(audited=False, labels=(label(correct=False),))
    found = labelled_calls([picked, record(id="r2", labels=(label(),))])
    assert ([call.id for call in found.calls], list(found.left_out.values())) == (["r2/c1"], [1])
    # alone, it is there without a probability, for a calibration to refuse
    (alone,) = labelled_calls([picked]).calls
    assert (alone.id, alone.probability) == ("r1/c1", None)


REVIEWED = verdict(route=Route.REVIEW, reason=Reason.DISAGREED)


@pytest.mark.parametrize(
    ("given_", "probability"),
    [
        ({"stopping": "none"}, 1.0),
        ({"stopping": "none", "audited": False}, 1.0),
        ({"stopping": "lossless"}, 0.5),
        ({"stopping": "lossless", "audited": False}, None),
    ],
    ids=str,
)
def test_a_reviewed_call_counts_where_it_would_have_been_measured_in_any_case(
    given_: dict[str, Any], probability: float | None
) -> None:
    found = labelled_calls([record(REVIEWED, labels=(label(source=LabelSource.REVIEW),), **given_)])
    assert [call.probability for call in found.calls] == ([] if probability is None else [probability])
    assert sum(found.left_out.values()) == (probability is None)


def test_reviewed_calls_count_without_audits_only_where_no_call_ran_or_was_planned_again() -> None:
    """The reviewed part of a traffic that ran unseen would stand for all of it."""
    plain = {"stopping": "none", "audited": False, "audit": 0.0}
    reviewed = record(REVIEWED, labels=(label(source=LabelSource.REVIEW),), **plain)
    waiting = record(REVIEWED, id="r2", **plain)
    found = labelled_calls([reviewed, waiting])
    assert [(call.id, call.probability) for call in found.calls] == [("r1/c1", 1.0)]
    assert [call.id for call in found.unanswered] == ["r2/c1"]
    assert found.left_out == {}
    ran = record(id="r3", **plain)
    drawn = record(id="r4", labels=(label(),))
    found = labelled_calls([reviewed, waiting, ran, drawn])
    assert [call.id for call in found.calls] == ["r4/c1"]
    assert (found.ran_unjudged, sum(found.left_out.values())) == ({Tier.MEDIUM: 1}, 2)
    # alone, they are there for a calibration to refuse: labels of nothing but escalations
    alone = labelled_calls([reviewed, ran])
    assert ([call.id for call in alone.calls], alone.ran_unjudged) == (["r1/c1"], {Tier.MEDIUM: 1})
    policy = calibrate(alone.calls, ran_unjudged=alone.ran_unjudged, target_error={"medium": 0.1}).policy
    assert policy.tiers[0].thresholds[0].refusal.code is RefusalCode.LABELS_ONLY_FROM_ESCALATIONS
    again = record(verdict(route=Route.RETRY, reason=Reason.DISAGREED), id="r5", **plain)
    assert labelled_calls([reviewed, again]).calls == ()


@pytest.mark.parametrize("reason", [Reason.UNCALIBRATED, Reason.ALARM])
def test_where_a_human_decides_every_call_every_one_counts(reason: Reason) -> None:
    one = record(verdict(route=Route.REVIEW, reason=reason), audited=False, audit=0.0, labels=(label(),))
    assert [call.probability for call in labelled_calls([one]).calls] == [1.0]


def test_a_checker_that_judges_every_call_makes_its_probability_1() -> None:
    every = label(source=LabelSource.CHECKER, probability=1.0)
    assert [c.probability for c in labelled_calls([record(stopping="none", audited=False, labels=(every,))]).calls] == [
        1.0
    ]
    # where samples are saved for what the first ones said, only audited steps have all of them
    assert labelled_calls([record(audited=False, labels=(every,))]).calls == ()
    assert [c.probability for c in labelled_calls([record(labels=(every,))]).calls] == [0.5]


@pytest.mark.parametrize(
    "more",
    [
        {"tier": Tier.CRITICAL, "route": Route.REVIEW, "reason": Reason.CRITICAL},
        {"reason": Reason.FAIL_OPEN_BY_POLICY},
        {"reason": Reason.SIBLING_RETRIED, "route": Route.RETRY},
        {"reason": Reason.NOT_MEASURED, "route": Route.REVIEW},
        {"doubted": True, "route": Route.REVIEW, "reason": Reason.DOUBTFUL},
        {"signals": (Signal(name="agreement", missing="no samples"),)},
    ],
    ids=str,
)
def test_what_no_threshold_is_about_is_left_out(more: dict[str, Any]) -> None:
    found = labelled_calls([record(verdict(**more), labels=(label(),))])
    assert (found.calls, sum(found.left_out.values())) == ((), 1)


def test_invalid_samples_leave_the_end_that_speaks_least_for_the_call() -> None:
    """As at run time, where the greatest risk has to lie below the threshold."""
    signals = (
        Signal(name="agreement", missing="two samples are not valid", bounds=(0.25, 0.75)),
        Signal(name="semantic_entropy", value=0.5, bounds=(0.1, 1.2)),
        Signal(name="somebody's own", value=1.0, bounds=(0.0, 1.0)),
        Signal(name="risk", missing="two samples are not valid", bounds=(0.1, 0.6)),
    )
    one = record(verdict(signals=signals, reason=Reason.INVALID_SAMPLES, route=Route.REVIEW), labels=(label(),))
    (call,) = labelled_calls([one]).calls
    assert (call.risk, call.signals) == (0.6, {"agreement": 0.25, "semantic_entropy": 1.2, "somebody's own": None})


def test_calls_that_share_an_id_are_left_out() -> None:
    found = labelled_calls([record(verdict(), verdict(tier=Tier.HIGH), labels=(label(),))])
    assert (found.calls, found.unanswered, sum(found.left_out.values())) == ((), (), 2)


def test_a_later_word_of_the_same_person_counts() -> None:
    said = (label(correct=False), label(at="2026-03-04T00:00:00Z"))
    assert [call.correct for call in labelled_calls([record(labels=said)]).calls] == [True]


def test_a_stated_probability_counts_where_every_call_is_measured_in_full() -> None:
    stated = label(source=LabelSource.IMPORT, probability=0.3)
    found = labelled_calls([record(stopping="none", audited=False, labels=(stated,))])
    assert [call.probability for call in found.calls] == [0.3]


def test_the_score_is_the_one_that_decided() -> None:
    scored = (Signal(name="agreement", value=1.0), Signal(name="risk", value=0.01))
    (call,) = labelled_calls([record(verdict(scored=scored), labels=(label(),))]).calls
    assert (call.risk, call.signals) == (0.01, {"agreement": 1.0})


def test_a_curtailed_step_has_no_whole_score() -> None:
    found = labelled_calls([record(audited=False, curtailed=True, labels=(label(),))])
    assert found.left_out == {"not all samples were drawn": 1}


def test_of_a_second_draw_the_probabilities_multiply_and_the_rest_need_not_be_judged() -> None:
    drawn, rest, later = (record(id=name, labels=(label(),)) for name in ("r1", "r2", "r3"))
    later = replace(later, at="2026-03-09T00:00:00Z")
    found = labelled_calls([drawn, rest, later], [draw()])
    assert [(call.id, call.probability) for call in found.calls] == [("r1/c1", 0.1), ("r3/c1", 0.5)]
    assert found.left_out == {"audited, and not drawn in its batch": 1}
    silent = labelled_calls([record(), record(id="r2")], [draw()])
    assert [(call.id, call.probability) for call in silent.unanswered] == [("r1/c1", 0.1)]


def test_who_judges_every_call_judges_those_that_were_not_drawn_again_too() -> None:
    every = label(source=LabelSource.CHECKER, probability=1.0)
    found = labelled_calls([record(labels=(every,)), record(id="r2", labels=(every,))], [draw()])
    assert [(call.id, call.probability) for call in found.calls] == [("r1/c1", 0.5), ("r2/c1", 0.5)]


def test_a_reviewer_sees_a_call_whatever_the_second_draw_says() -> None:
    found = labelled_calls([record(REVIEWED, labels=(label(),))], [draw(record_id="other")])
    assert [call.probability for call in found.calls] == [0.5]


def test_two_draws_about_the_same_steps_leave_the_probability_unknown() -> None:
    found = labelled_calls([record(labels=(label(),))], [draw(), draw(batch="w10 again", until="2026-03-08T00:00:00Z")])
    assert (found.calls, sum(found.left_out.values())) == ((), 1)


def test_people_who_contradict_each_other_are_both_heard() -> None:
    one = record(labels=(label(), label(correct=False, by="bo"), label(by="cy", at="2026-03-02T13:00:00Z")))
    assert [(call.correct, call.by) for call in labelled_calls([one]).calls] == [(False, "bo"), (True, "cy")]
    ((_, found, said),) = judged_twice([one, record(id="r2", labels=(label(),))])
    assert (found.call, len(said)) == (CALL, 3)


labels_ = st.lists(
    st.builds(
        label,
        st.booleans(),
        call_id=st.sampled_from(["c1", "other"]),
        source=st.sampled_from(list(LabelSource)),
        by=st.sampled_from(["ana", "bo"]),
        probability=st.sampled_from([None, 0.5, 1.0]),
    ),
    max_size=3,
).map(tuple)
verdicts_ = st.builds(
    verdict,
    route=st.sampled_from(list(Route)),
    reason=st.sampled_from(list(Reason)),
    tier=st.sampled_from(list(Tier)),
)
records_ = st.lists(
    st.builds(
        record,
        verdicts_,
        audit=st.sampled_from([0.0, 0.25, 1.0]),
        audited=st.booleans(),
        curtailed=st.booleans(),
        stopping=st.sampled_from(["none", "lossless"]),
        labels=labels_,
        id=st.uuids().map(str),
    ),
    max_size=6,
    unique_by=lambda one: one.id,
)


@given(records_, st.randoms(use_true_random=False))
def test_nobody_is_ever_taken_for_right_without_having_been_judged_so(records: list[Record], shuffled: Any) -> None:
    found = labelled_calls(records)
    right = {f"{one.id}/{mark.call_id}" for one in records for mark in one.labels if mark.correct}
    judged = {f"{one.id}/{mark.call_id}" for one in records for mark in one.labels}
    assert {call.id for call in found.calls if call.correct} <= right
    assert {call.id for call in found.calls} <= judged
    assert not {call.id for call in found.unanswered} & judged
    assert all(not call.correct for call in found.unanswered)
    sure = {call.tier for call in (*found.calls, *found.unanswered) if call.probability is not None}
    assert all(call.tier not in sure for call in found.calls if call.probability is None)
    assert all(call.probability is not None for call in found.unanswered)
    shuffled.shuffle(records)
    assert labelled_calls(records) == found
