"""Edits of calls with hidden values, in the queue: votes, second clicks, checks that tell nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from guardrail.errors import InvalidDecision, ReviewConflict
from guardrail.redaction import VARIABLE, new_key
from guardrail.review import Queue, check_arguments
from guardrail.types import Principal, Review, ReviewState, ToolCall, ToolSpec
from tests.web.serving import Site

LOGIN = ToolSpec(
    name="login",
    parameters={
        "type": "object",
        "properties": {
            "user": {"type": "string", "minLength": 2},
            "pin": {"type": "integer", "maximum": 999999},
            "rights": {
                "type": "array",
                "items": {"oneOf": [{"type": "integer"}, {"const": "all"}]},
                "uniqueItems": True,
            },
        },
        "required": ["user", "pin"],
    },
)
CALL = ToolCall(name="login", arguments={"user": "bob", "pin": 123456}, id="c1")
ANA, BEN, CAT = (Principal(name=name) for name in ("ana", "ben", "cat"))


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    monkeypatch.setenv(VARIABLE, new_key())
    return Site().queue


@pytest.fixture
def review(queue: Queue) -> Review:
    site = Site(store=queue._store)
    return site.ask(CALL, others=[replace(CALL, arguments={"user": "eve", "pin": 654321})] * 4)


def edit(queue: Queue, review: Review, by: Principal, **changes: Any) -> Review:
    given = {**review.call.arguments, **changes}
    from guardrail.types import Decision, DecisionType

    decision = Decision(type=DecisionType.EDIT, by=by.name, at="2026-01-01T00:00:00Z", arguments=given)
    return queue.decide(review.id, decision, LOGIN, by=by)


def test_a_masked_number_is_no_slip(queue: Queue, review: Review) -> None:
    assert review.call.arguments["pin"] == "[hidden 1: pin]"
    decided = edit(queue, review, ANA, user="bobby")
    assert decided.decision is not None
    assert decided.decision.arguments == {"user": "bobby", "pin": "[hidden 1: pin]"}
    assert decided.decision.hidden == ("/pin",)
    assert decided.decision.typed == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"user": "b"}, "user"),
        ({"user": 7}, "user"),
        ({"extra": 1}, "extra"),
        ({"pin": 7654321}, "hidden value"),
        ({"pin": "no-number"}, "hidden value"),
    ],
)
def test_the_rest_is_checked_and_no_hidden_value_told(
    queue: Queue, review: Review, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidDecision, match=said) as told:
        edit(queue, review, ANA, **changes)
    assert not any(each in str(told.value) for each in ("7654321", "no-number", "123456"))
    assert queue.get(review.id).state is ReviewState.PENDING


def test_the_same_edit_twice_is_one_and_another_one_is_not(queue: Queue, review: Review) -> None:
    once = edit(queue, review, ANA, pin=222222)
    assert edit(queue, review, ANA, pin=222222) == once
    with pytest.raises(ReviewConflict):
        edit(queue, review, ANA, pin=333333)
    assert once.decision is not None
    assert once.decision.arguments == {"user": "bob", "pin": "[hidden e1: pin]"}


def test_votes_count_together_only_where_the_same_was_typed(queue: Queue, review: Review) -> None:
    four_eyes = replace(review, id=review.id[::-1], quorum=2, history=(), revision=0)
    queue._store.add_review(four_eyes)
    assert edit(queue, four_eyes, ANA, pin=222222).state is ReviewState.PENDING
    assert edit(queue, four_eyes, BEN, pin=333333).state is ReviewState.PENDING
    assert edit(queue, four_eyes, CAT).state is ReviewState.PENDING  # keeps what is planned
    decided = edit(queue, four_eyes, CAT, pin=222222)
    assert decided.state is ReviewState.DECIDED
    assert len(queue._store.sealed(four_eyes.id)) == 2


def test_what_a_client_says_of_digests_counts_for_nothing(queue: Queue, review: Review) -> None:
    from guardrail.types import Decision, DecisionType

    forged = Decision(
        type=DecisionType.EDIT,
        by="ana",
        at="2026-01-01T00:00:00Z",
        arguments={"user": "bob", "pin": "[hidden e1: pin]"},
        hidden=("/pin",),
        typed="0" * 64,
        runs=review.raw,
    )
    with pytest.raises(InvalidDecision, match="mark"):
        queue.decide(review.id, forged, LOGIN, by=ANA)
    plain = queue.decide(review.id, replace(forged, arguments={"user": "bob", "pin": "[hidden 1: pin]"}), LOGIN, by=ANA)
    assert plain.decision is not None
    assert (plain.decision.typed, plain.decision.runs) == ("", "")


@pytest.mark.parametrize(
    ("arguments", "hidden", "fits"),
    [
        ({"user": "bob", "pin": "[hidden 1: pin]"}, ("/pin",), True),
        ({"user": "bob", "pin": "[hidden 1: pin]"}, (), False),
        ({"user": "bob", "pin": 5, "rights": ["[hidden 1: x]", 3]}, ("/rights/0",), True),
        ({"user": "bob", "pin": 5, "rights": ["[hidden 1: x]", "some"]}, ("/rights/0",), False),
        ({"user": "bob", "pin": 5, "rights": [3, 3]}, ("/pin",), False),
        ({"pin": "[hidden 1: pin]"}, ("/pin",), False),
        ({"user": "bob", "pin": 5, "rights": "[hidden 1: x]"}, ("/rights",), True),
    ],
)
def test_a_mark_fits_whatever_its_place_asks_for(
    arguments: dict[str, Any], hidden: tuple[str, ...], fits: bool
) -> None:
    assert (check_arguments(LOGIN, arguments, hidden=hidden) == []) is fits
