from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.errors import ReviewError
from guardrail.review import call_digest, review_id
from guardrail.types import ToolCall
from tests.support.records import REFUND, refund

ONE = {"thread_id": "t", "namespace": "n", "step_id": "s", "call_id": "c", "attempt": 0}


def test_a_review_id_is_the_same_wherever_it_is_made() -> None:
    assert review_id(**ONE) == hashlib.sha256(b'["review","t","n","s","c",0]').hexdigest()


@pytest.mark.parametrize("part", list(ONE))
def test_every_part_tells_reviews_apart(part: str) -> None:
    other: dict[str, Any] = {**ONE, part: 1 if part == "attempt" else "x"}
    assert review_id(**other) != review_id(**ONE)


@given(st.lists(st.text(max_size=3), min_size=4, max_size=4), st.lists(st.text(max_size=3), min_size=4, max_size=4))
def test_no_two_origins_share_an_id(first: list[str], second: list[str]) -> None:
    names = ("thread_id", "namespace", "step_id", "call_id")
    same = review_id(**dict(zip(names, first, strict=True)), attempt=0) == review_id(
        **dict(zip(names, second, strict=True)), attempt=0
    )
    assert same == (first == second)


def _digest(call: ToolCall, thread: str = "t", policy: str = "p1", tool: Any = REFUND) -> str:
    return call_digest(call, thread, policy, tool)


def test_an_approval_is_bound_to_all_that_it_covers() -> None:
    call = refund(100)
    changed = [
        _digest(refund(1000)),
        _digest(refund(100.0)),
        _digest(refund(True)),
        _digest(refund("100")),
        _digest(refund(100, note="")),
        _digest(replace(call, name="refund_all")),
        _digest(replace(call, id="call_2")),
        _digest(call, thread="u"),
        _digest(call, policy="p2"),
        _digest(call, tool=replace(REFUND, parameters={"type": "object"})),
        _digest(call, tool=None),
    ]
    assert len({_digest(call), *changed}) == len(changed) + 1


def test_the_order_of_arguments_does_not_matter() -> None:
    one = ToolCall(name="t", arguments={"a": 1, "b": {"c": 2, "d": 3}})
    other = ToolCall(name="t", arguments={"b": {"d": 3, "c": 2}, "a": 1})
    assert _digest(one) == _digest(other)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), object(), b"bytes"])
def test_what_is_no_json_cannot_be_approved(bad: object) -> None:
    with pytest.raises(ReviewError, match="do not run it"):
        _digest(refund(100, extra=bad))
