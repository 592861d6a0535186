"""Values as the text that stores keep: written and read the short way, and exactly as the long way has it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrail.codec import from_json, from_text, to_json, to_text
from guardrail.errors import ConfigError, StoreError, StoreTooNew
from guardrail.store import rows
from guardrail.types import AuditDraw, Decision, DecisionType, Record, Review, ToolCall
from tests.support.records import record, review

words = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["NaN", "Infinity", "-Infinity", "\x7f", "\x00\x1f", "\ud83d", "\u2028", "é", '"\\/', "1e5"]),
)
numbers = st.one_of(
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([-0.0, 0.1, 1e22, 1e16, 5e-324, 1.7976931348623157e308, 100.0, 2**63, -(2**63) - 1]),
)
keys = words.filter(lambda word: not any("\ud800" <= each <= "\udfff" for each in word))
"""No value has half a character in a key."""
data = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=8,
)


def _long(value: object) -> str:
    return json.dumps(to_json(value), separators=(",", ":"), allow_nan=False)


@st.composite
def reviews(draw: st.DrawFn) -> Review:
    call = ToolCall(name=draw(words), arguments=draw(st.dictionaries(keys, data, max_size=4)), id=draw(words))
    edit = draw(st.one_of(st.none(), st.dictionaries(keys, data, max_size=2)))
    decision = Decision(type=DecisionType.EDIT, by=draw(words), at="", message=draw(words), arguments=edit)
    return replace(
        review(call=call),
        why=draw(words),
        use_within=draw(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))),
        decision=draw(st.sampled_from([None, decision])),
        votes=draw(st.sampled_from([(), (decision,)])),
        priority=draw(st.integers(-(2**31), 2**31)),
    )


@settings(max_examples=300, deadline=None, suppress_health_check=[*HealthCheck])
@given(one=reviews())
def test_the_short_way_is_the_long_way(one: Review) -> None:
    text = to_text(one)
    assert text == _long(one)
    assert text.isascii()
    read = from_text(Review, text)
    assert read == one
    assert repr(read) == repr(from_json(Review, json.loads(text)))


@settings(max_examples=50, deadline=None, suppress_health_check=[*HealthCheck])
@given(arguments=st.dictionaries(keys, data, max_size=4), said=words)
def test_records_too(arguments: dict[str, Any], said: str) -> None:
    one = record(call=ToolCall(name="refund", arguments=arguments, id="c"), text=said)
    text = to_text(one)
    assert text == _long(one)
    assert repr(from_text(Record, text)) == repr(from_json(Record, json.loads(text)))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_refused_and_not_kept_as_nothing(number: float) -> None:
    draw = AuditDraw(record_id="rec-000001", call_id="c", probability=number, batch="b", at="2026-01-01T00:00:00Z")
    for value in (draw, replace(review(), use_within=number)):
        with pytest.raises(StoreError, match="no JSON"):
            rows.encode(value)


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(StoreError, match="no JSON"):
        rows.encode(replace(review(), call=ToolCall(name="x", arguments={"a": object()})))


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "null", "{}", '{"id": 1}'])
def test_a_damaged_text_is_said_to_be_one(text: str) -> None:
    with pytest.raises((ConfigError, ValueError)):
        from_text(Review, text)
    with pytest.raises(StoreError, match="row 7 cannot be read"):
        rows.decode(Review, text, "row 7")
    with pytest.raises(StoreError, match="row 7 cannot be read"):
        rows.decode(Record, text, "row 7")


def test_a_record_of_a_newer_version_says_so_whatever_is_new_in_it() -> None:
    told = {**to_json(record()), "version": 99}
    for newer in (told, {**told, "more": 1}, {"version": 99}):
        with pytest.raises(StoreTooNew, match="row 7 has record version 99"):
            rows.decode(Record, json.dumps(newer), "row 7")
    call = ToolCall(name="refund", arguments={"version": 99})
    assert rows.decode(Record, to_text(record(call=call)), "row 7").planned.calls[0].arguments == {"version": 99}
