from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from guardrail.cli.evidence import evidence, record_view, what_ran
from guardrail.cli.render import records_table
from guardrail.types import (
    Cluster,
    Decision,
    DecisionType,
    MeaningKind,
    ReviewState,
    Route,
    Sample,
    SampleStatus,
    Signal,
    StepVerdict,
    Usage,
    Verdict,
)
from tests.support.records import record, refund, review

D, S = DecisionType, ReviewState


def _text(view: object) -> str:
    out = io.StringIO()
    Console(file=out, width=160).print(view)
    return out.getvalue()


def _verdict(**changes) -> Verdict:
    return replace(record(review_id="rev-000001").verdict.verdicts[0], **changes)


@pytest.mark.parametrize(
    ("state", "decision", "said"),
    [
        (S.PENDING, None, "nothing yet: it waits"),
        (S.CLAIMED, None, "nothing yet: a human is looking"),
        (S.DECIDED, D.APPROVE, "nothing yet: approved"),
        (S.DECIDED, D.REJECT, "nothing yet: rejected"),
        (S.EXECUTING, D.APPROVE, "the call was started; that it ended"),
        (S.DONE, D.APPROVE, "the call, as planned"),
        (S.DONE, D.EDIT, "the call, with edited arguments"),
        (S.DONE, D.REJECT, "nothing: rejected"),
        (S.DONE, D.RESPOND, "nothing: answered"),
        (S.OUTCOME_UNKNOWN, D.EDIT, "the call was started; whether"),
        (S.EXPIRED, None, "nothing: nobody decided in time"),
        (S.SUPERSEDED, D.APPROVE, "nothing: it was called off"),
    ],
)
def test_what_ran_by_the_state_of_the_review(state: ReviewState, decision: DecisionType | None, said: str) -> None:
    taken = Decision(type=decision, by="ana", at="2026-01-01T00:00:00Z") if decision else None
    stands = replace(review(), state=state, decision=taken)
    assert what_ran(_verdict(), [stands], Route.REVIEW).startswith(said)


def test_what_ran_without_a_review() -> None:
    assert what_ran(_verdict(route=Route.EXECUTE), [], Route.EXECUTE).startswith("the call, as planned")
    assert what_ran(_verdict(route=Route.EXECUTE), [], Route.RETRY) == "nothing: the step was planned again"
    assert what_ran(_verdict(), [], Route.REVIEW).startswith("nothing: it waits for a review that is not in this store")


def test_the_last_review_of_a_call_counts() -> None:
    edited = replace(review(), state=S.SUPERSEDED)
    assert what_ran(_verdict(), [edited, review("rev-000002")], Route.REVIEW).startswith("nothing yet")


def test_meanings_of_every_kind() -> None:
    shown = _text(
        evidence(
            _verdict(
                agreeing=0,
                disagreeing=4,
                threshold=None,
                calibrated=True,
                rule="",
                clusters=(
                    Cluster(kind=MeaningKind.CALL, members=(), call=refund(), planned=True),
                    Cluster(kind=MeaningKind.OTHER_TOOL, members=(0, 1), call=replace(refund(), name="ask")),
                    Cluster(kind=MeaningKind.NO_CALL, members=(2, 3), text="Which order do you mean?"),
                ),
            )
        )
    )
    assert "░░░░░░░░░░░░░░░░  0  as planned  refund" in shown
    assert "████████░░░░░░░░  2  another tool  ask(" in shown
    assert "████████░░░░░░░░  2  no such call  Which order do you mean?" in shown
    assert "none, calibrated" in shown
    assert "rule default" in shown


def test_each_call_has_its_own_reviews_and_the_step_its_own_facts() -> None:
    one = record(review_id="rev-000001")
    second = _verdict(call=replace(refund(7), id="call_2"), review_id="rev-000002")
    step: StepVerdict = replace(
        one.verdict,
        verdicts=(*one.verdict.verdicts, second),
        curtailed=True,
        audited=True,
        audit_probability=0.05,
        extra={"notify": 3},
        usage=Usage(requests=2),
    )
    failed = Sample(status=SampleStatus.TRUNCATED, detail="stopped at the token limit", text="I will")
    shown = _text(
        record_view(
            replace(one, verdict=step, samples=(*one.samples, failed)),
            [review("rev-000001"), review("rev-000002", call=replace(refund(7), id="call_2"))],
            full=False,
        )
    )
    first, _, rest = shown.partition("call 2 of 2")
    assert "rev-000001" in first
    assert "rev-000002" not in first
    assert "rev-000002" in rest
    assert "3 of 5 samples also call notify" in shown
    assert "stopped early" in shown
    assert "audited (probability 0.05)" in shown
    assert "2 requests, unknown prompt tokens, unknown completion tokens" in shown
    assert "truncated" in shown
    assert "stopped at the token limit  I will" in shown


def test_a_step_without_samples() -> None:
    one = record()
    bare = _verdict(asked=0, needed=0, agreeing=0, disagreeing=0, clusters=(), signals=())
    shown = _text(record_view(replace(one, samples=(), verdict=replace(one.verdict, verdicts=(bare,))), [], full=False))
    assert "none were drawn" in shown


@pytest.mark.parametrize(
    ("signal", "said"),
    [
        (Signal(name="agreement", value=0.8, unit="share"), "agreement  0.8 share"),
        (Signal(name="x", missing="3 of 8 drawn", bounds=(0.25, 1.0)), "missing: 3 of 8 drawn; between 0.25 and 1, by"),
        (Signal(name="x", value=0.5, credible=(0.2, 0.8)), "0.5; 95 % credible from 0.2 to 0.8"),
        (Signal(name="x", value=1.1, unit="nats", parts={"amount": 1.1, "to\x1b": 0.0}), "1.1 nats; amount 1.1; to"),
    ],
)
def test_a_signal_with_all_that_is_known_beside_it(signal: Signal, said: str) -> None:
    shown = _text(evidence(_verdict(signals=(signal,))))
    assert said in shown
    assert "\x1b" not in shown


def test_the_stage_that_decided_is_named_where_one_did() -> None:
    assert "decided    at stage 2 of its tier" in _text(evidence(_verdict(stage=2)))
    assert "of its tier" not in _text(evidence(_verdict(stage=0)))


def test_counts_of_an_early_stage_do_not_stretch_the_bars_of_all_samples() -> None:
    shown = _text(evidence(_verdict(agreeing=2, disagreeing=0, asked=2)))
    assert "█████████████░░░  4  as planned" in shown


@pytest.mark.parametrize(
    ("stopping", "said"),
    [("lossless", "the rest could not change the verdict"), ("bayesian(0.1;1;1)", "was not likely to change")],
)
def test_why_drawing_stopped_early(stopping: str, said: str) -> None:
    one = record()
    one = replace(one, verdict=replace(one.verdict, curtailed=True), fingerprint={"stopping": stopping})
    assert said in _text(record_view(one, [], full=False))


def test_a_list_shows_the_risk_that_decided() -> None:
    one = record()
    risky = replace(one.verdict.verdicts[0], signals=(Signal(name="risk", value=0.034),))
    assert "risk 0.03" in _text(records_table([(replace(one, verdict=replace(one.verdict, verdicts=(risky,))), [])]))
    assert "risk" not in _text(records_table([(one, [])]))


def test_questions_stand_beside_the_requests() -> None:
    one = record()
    assert "question" not in _text(record_view(one, [], full=False))
    one = replace(one, verdict=replace(one.verdict, questions=2))
    assert "1 request (2 questions about the calls)" in _text(record_view(one, [], full=False))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "nli:small, 0 pairs of texts"),
        ({"pairs": 1}, "nli:small, 1 pair of texts"),
        ({"pairs": 12, "known_pairs": 5}, "nli:small, 12 pairs of texts, 5 of them judged before"),
    ],
)
def test_the_backend_in_use_is_named_with_what_it_was_asked(asked: dict[str, int], said: str) -> None:
    one = record()
    one = replace(one, verdict=replace(one.verdict, entailment="nli:small", **asked))
    assert said in _text(record_view(one, [], full=False))
