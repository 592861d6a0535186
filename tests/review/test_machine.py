from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.errors import ReviewConflict
from guardrail.review import FINAL, RUNS, UNFINISHED, WAITING
from guardrail.review.machine import advance, allowed
from guardrail.types import Decision, DecisionType, ReviewState
from guardrail.types.forms import changed
from tests.support.records import review

S = ReviewState
AT = "2026-01-02T04:00:00+00:00"


def _decided(kind: DecisionType) -> Decision:
    return Decision(type=kind, by="ana", at=AT)


def _standing(state: ReviewState, kind: DecisionType | None):
    return replace(review(), state=state, decision=_decided(kind) if kind else None)


# Written out, so that a slip in the table shows.
LEGAL = {
    (S.PENDING, S.CLAIMED),
    (S.PENDING, S.DECIDED),
    (S.PENDING, S.SUPERSEDED),
    (S.PENDING, S.EXPIRED),
    (S.CLAIMED, S.PENDING),
    (S.CLAIMED, S.CLAIMED),
    (S.CLAIMED, S.DECIDED),
    (S.CLAIMED, S.SUPERSEDED),
    (S.CLAIMED, S.EXPIRED),
    (S.DECIDED, S.SUPERSEDED),
    (S.EXPIRED, S.DONE),
    (S.EXPIRED, S.SUPERSEDED),
    (S.EXECUTING, S.DONE),
    (S.EXECUTING, S.OUTCOME_UNKNOWN),
}


@pytest.mark.parametrize("start", ReviewState)
@pytest.mark.parametrize("to", ReviewState)
@pytest.mark.parametrize("kind", DecisionType)
def test_the_ways_between_states(start: ReviewState, to: ReviewState, kind: DecisionType) -> None:
    legal = (start, to) in LEGAL or (
        start is S.DECIDED and to is (S.EXECUTING if kind in (DecisionType.APPROVE, DecisionType.EDIT) else S.DONE)
    )
    before = _standing(start, kind if start not in WAITING else None)
    assert allowed(before, to) is legal
    if legal:
        after = advance(before, to, at=AT, by="ana", note="because")
        assert (after.state, after.revision) == (to, 1)
        assert (after.history[-1].by, after.history[-1].note, after.history[-1].state) == ("ana", "because", to)
    else:
        with pytest.raises(ReviewConflict) as caught:
            advance(before, to, at=AT, by="ana")
        assert f"is {start.value}" in str(caught.value)


def test_a_decided_review_without_a_decision_never_runs() -> None:
    assert not allowed(_standing(S.DECIDED, None), S.EXECUTING)


def test_a_conflict_names_who_decided_what_and_when() -> None:
    with pytest.raises(ReviewConflict, match=f"reject by ana at {AT[:10]}"):
        advance(_standing(S.DECIDED, DecisionType.REJECT), S.EXECUTING, at=AT, by="dispatch")


def test_the_groups_of_states() -> None:
    assert {S.PENDING, S.CLAIMED} == WAITING
    assert {S.DONE, S.OUTCOME_UNKNOWN, S.SUPERSEDED} == FINAL
    assert set(ReviewState) == FINAL | UNFINISHED
    assert {DecisionType.APPROVE, DecisionType.EDIT} == RUNS


@given(st.lists(st.tuples(st.sampled_from(ReviewState), st.sampled_from(DecisionType)), max_size=12))
def test_on_no_path_is_a_call_executed_twice_or_without_approval(path) -> None:
    now = review()
    for to, kind in path:
        if allowed(now, to):
            now = advance(now, to, at=AT, by="x", decision=_decided(kind) if to is S.DECIDED else None)
    states = [event.state for event in now.history]
    assert states.count(S.EXECUTING) <= 1
    assert all(states.count(once) <= 1 for once in set(ReviewState) - WAITING)
    assert not set(states[states.index(S.DECIDED) :] if S.DECIDED in states else []) & WAITING
    if S.EXECUTING in states:
        assert now.decision is not None
        assert now.decision.type in RUNS
    assert now.revision == len(now.history)


def test_a_changed_review_is_another_one() -> None:
    one = review()
    other = changed(one, revision=7, why="because")
    assert other == replace(one, revision=7, why="because")
    assert one == review()
    assert changed(one) == one


def test_what_a_review_has_not_got_is_not_changed() -> None:
    with pytest.raises(TypeError, match="has not got all of these fields: reason"):
        changed(review(), reason="because")
