"""The edit form: odd schemas, what does not fit the tool, and what is no form of this call."""

from __future__ import annotations

from typing import Any

import pytest

from guardrail.review import check_arguments
from guardrail.types import ToolSpec
from guardrail.web.show import edit_form, read_form
from tests.support import hostile
from tests.web.edits import CALL, TOOL, sent
from tests.web.forms import buttons, controls, submitted
from tests.web.rendered import attribute, check_harmless, html


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"type": "string"},
        {"$ref": "#"},
        {"$ref": "#/nowhere"},
        {"$ref": "https://evil.example/x"},
        {"type": "object", "properties": []},
        {"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}},
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {
            "type": "object",
            "properties": {f"p{n}": {"$ref": "#"} for n in range(30)},
            "required": [f"p{n}" for n in range(30)],
        },
        {"type": "object", "properties": {"a": {"anyOf": [{"$ref": "#/properties/a"}, {"type": "null"}]}}},
        {"type": "object", "properties": {f"p{n}": {} for n in range(500)}},
        {"allOf": [{"type": "object"}, {"properties": {}}]},
        {"type": "object", "properties": {"a": {"enum": list(range(600))}}},
    ],
)
def test_schemas_that_are_odd_or_go_round_in_circles(parameters: dict[str, Any]) -> None:
    tool = ToolSpec(name="t", parameters=parameters)
    for given in ({}, {"a": 1}, {"a": {"a": {"a": {"a": {}}}}}, {"a": hostile.nested(500)}):
        page = html(edit_form(tool, given))
        assert len(page) < 1_000_000
        assert len(controls(page)) < 1_500
        assert read_form(tool, given, submitted(page, do="check")).form.root.value == given
        for name, value in buttons(page)[:5]:
            assert name == "do"
            assert read_form(tool, given, submitted(page, do=value)).send is False


def test_without_a_schema_there_is_one_json_text() -> None:
    form = edit_form(None, CALL)
    assert (form.as_json, form.both) == (True, False)
    reading = sent(None, CALL)
    assert (reading.send, reading.arguments) == (False, None)
    assert "schema is not known" in reading.errors[0]


def test_all_arguments_as_json() -> None:
    form = sent(TOOL, CALL, {"f.0": "new"}, do="json").form
    assert form.as_json
    assert sent(TOOL, CALL, form=form).arguments == {"to": "new", "amount": 250}
    changed = sent(TOOL, CALL, {"f": '{"to": "b", "amount": 1.0}'}, form=form)
    assert repr(changed.arguments) == "{'to': 'b', 'amount': 1.0}"
    fields = sent(TOOL, CALL, {"f": '{"to": "b", "amount": 1.0, "tags": ["x"]}'}, form=form, do="fields").form
    assert not fields.as_json
    assert repr(sent(TOOL, CALL, form=fields).arguments) == "{'to': 'b', 'amount': 1.0, 'tags': ['x']}"
    for text, said in (
        ("[]", "one JSON object"),
        ('{"to": 1, "to": 2}', "twice"),
        ('{"to": NaN}', "NaN"),
        ("", "no JSON"),
    ):
        wrong = sent(TOOL, CALL, {"f": text}, form=form)
        assert said in wrong.errors[0]
        assert wrong.form.root.text == text
    assert sent(TOOL, CALL, {"f.1": "much"}, do="json").form.as_json is False
    assert "too long" in sent(TOOL, CALL, {"f": '{"to": "' + "x" * 300_000 + '"}'}, form=form).errors[0]


def test_what_is_hidden_is_sent_back_as_its_mark() -> None:
    given = {"to": "[hidden 1: account]", "amount": "[hidden 2: number]"}
    reading = sent(TOOL, given)
    assert (reading.send, reading.arguments) == (True, given)
    assert "is not of type" in sent(TOOL, {"to": "x", "amount": "many"}).errors[0]


def test_an_edit_must_fit_the_tool() -> None:
    given = {**CALL, "unknown": 1}
    reading = sent(TOOL, given)
    assert "not an argument of the tool" in reading.errors[0]
    assert check_arguments(TOOL, given)
    inner = sent(TOOL, {**CALL, "who": {"name": "x", "age": 1}}, {"f.7.1": "2"})
    assert inner.arguments == {**CALL, "who": {"name": "x", "age": 2}}


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("do", "edit")],
        [("f:mode", "fields")],
        [("f:mode", "other"), ("f", "{}")],
        [("f:mode", "json")],
        [("f:mode", "json"), ("f", "{}"), ("f", "{}")],
        [("f:mode", "json"), ("f", "{}"), ("f.0", "x")],
        [("f:mode", "fields"), ("f:base", "{")],
        [("f:mode", "fields"), ("f:base", "[]")],
        [("f:mode", "json"), ("f", object())],
        [("f:mode", "fields"), *((f"f.{n}", "") for n in range(6_000))],
    ],
)
def test_what_is_no_whole_form_decides_nothing(pairs: list[tuple[str, object]]) -> None:
    reading = read_form(TOOL, CALL, [*pairs, ("do", "edit")])
    assert (reading.send, reading.arguments) == (False, None)
    assert reading.errors
    assert html(reading.form)


@pytest.mark.parametrize("name", ["f.99", "f.0.0", "f.1:how", "f.2:in", "f:other", "f.6.0"])
def test_nothing_is_sent_that_nobody_reads(name: str) -> None:
    reading = sent(TOOL, CALL, {name: "x"})
    assert (reading.send, reading.arguments) == (False, None)
    assert "did not arrive whole" in reading.errors[0]


def test_nothing_is_sent_twice_or_beside_what_was_taken_out() -> None:
    twice = read_form(TOOL, CALL, [("f.0", "DE99"), *submitted(html(edit_form(TOOL, CALL)))])
    assert (twice.send, twice.errors[0]) == (False, "a field was sent twice")
    switched = {**CALL, "memo": "x"}
    assert sent(TOOL, switched, {"f.5:as": "1"}).arguments == {**CALL, "memo": None}
    assert not sent(TOOL, switched, {"f.5:as": "1", "f.99": "x"}).send


def test_a_form_of_another_call_is_refused() -> None:
    pairs = submitted(html(edit_form(TOOL, {**CALL, "tags": ["a", "b"]})))
    reading = read_form(TOOL, CALL, pairs)
    assert not reading.send
    assert "belongs to another call" in " ".join(reading.errors)


@pytest.mark.parametrize("name", hostile.VALUES)
def test_hostile_arguments_and_schemas_do_nothing(name: str) -> None:
    value = hostile.VALUES[name]
    text = value if isinstance(value, str) else "x"
    schema = {
        "type": "object",
        "properties": {
            text[:2_000]: {"type": "string", "title": text, "description": text, "pattern": text},
            "e": {"enum": [text[:2_000], 1], "description": text},
            "v": {"anyOf": [{"title": text, "type": "string"}, {"type": "array"}]},
        },
    }
    given = {text[:2_000]: text, "e": value, "v": value}
    tool = ToolSpec(name="t", parameters=schema)
    page = html(edit_form(tool, given))
    check_harmless(page)
    assert len(page) < 400_000
    assert set(attribute(page, "name")) <= {n for n in attribute(page, "name") if n == "do" or n.startswith("f")}
    assert read_form(tool, given, submitted(page, do="check")).form.root.value == given
