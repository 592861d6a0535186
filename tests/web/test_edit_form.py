"""The edit form: what each kind of field is, and what comes back of it."""

from __future__ import annotations

from typing import Any

import pytest

from guardrail.types import ToolSpec
from guardrail.web.show import edit_form, read_form
from tests.web.edits import CALL, TOOL, field, one, sent
from tests.web.forms import buttons, controls, submitted
from tests.web.rendered import html, seen, words


def test_the_form_has_a_field_for_each_argument() -> None:
    form = edit_form(TOOL, CALL)
    assert {str(part.path[0]): part.how.value for part in form.root.fields} == {
        "to": "line",
        "amount": "line",
        "currency": "select",
        "urgent": "select",
        "count": "line",
        "memo": "select",
        "tags": "rows",
        "who": "group",
        "target": "select",
    }
    text = words(html(form))
    assert "to text, required The account." in text
    assert "at least 0" in text
    assert [option.code for option in field(form, "urgent").options] == ["", "0", "1"]


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"description": "In cents.", "minimum": 0, "maximum": 9}, "In cents. At least 0; at most 9"),
        ({"description": "in cents", "minimum": 0}, "in cents; at least 0"),
        ({"description": "In cents. "}, "In cents."),
        ({"description": " ", "minimum": 0}, "at least 0"),
    ],
    ids=["sentence", "words", "alone", "nothing"],
)
def test_a_hint_reads_as_a_sentence(schema: dict[str, Any], said: str) -> None:
    tool = ToolSpec(name="pay", parameters={"type": "object", "properties": {"amount": {"type": "number", **schema}}})
    assert field(edit_form(tool, {"amount": 1}), "amount").hint == said


def test_each_control_has_a_label_and_what_describes_it() -> None:
    reading = sent(TOOL, {**CALL, "who": {"name": "x"}, "tags": ["a"], "memo": None}, {"f.1": "much"})
    page = seen(html(reading.form))
    labels = {given["for"] for tag, given in page.tags if tag == "label"}
    ids = [given["id"] for _, given in page.tags if "id" in given]
    assert len(ids) == len(set(ids))
    for tag, given in page.tags:
        if tag in ("textarea", "select") or (tag == "input" and given["type"] != "hidden"):
            assert given["id"] in labels, given
        for described in (given.get("aria-describedby") or "").split():
            assert described in ids
    wrong = [given for _, given in page.tags if given.get("aria-invalid")]
    assert [given["aria-describedby"] for given in wrong] == ["edit-f.1-hint edit-f.1-error"]


def test_sending_decides_and_looking_does_not() -> None:
    assert sent(TOOL, CALL, {"f.0": "DE03"}).send
    looked = sent(TOOL, CALL, {"f.0": "DE03"}, do="check")
    assert (looked.send, looked.arguments) == (False, {"to": "DE03", "amount": 250})
    for do in ("", "Edit", "edit ", "approve", "add:f.6", "json"):
        assert not sent(TOOL, CALL, do=do).send


def test_the_first_button_is_the_one_that_only_looks() -> None:
    """The Enter key presses it."""
    assert buttons(html(edit_form(TOOL, CALL)))[0] == ("do", "check")


def test_differences_to_the_planned_call_are_told_before_it_is_sent() -> None:
    taken = {**CALL, "amount": 25}
    reading = read_form(TOOL, taken, submitted(html(edit_form(TOOL, taken)), do="check"), planned=CALL)
    assert reading.differences is not None
    assert reading.differences.paths == (("amount",),)
    assert sent(TOOL, CALL, {"f.0": "pay\u200bpal"}, do="check").warnings


@pytest.mark.parametrize(
    ("schema", "typed", "value"),
    [
        ({"type": "string"}, "x", "x"),
        ({"type": "string"}, "", ""),
        ({"type": "string"}, "5", "5"),
        ({"type": "string"}, " a\nb ", " a\nb "),
        ({"type": "string"}, "\u200b", "\u200b"),
        ({"type": "integer"}, " 12 ", 12),
        ({"type": "integer"}, "-0", 0),
        ({"type": "integer"}, "123456789012345678901234567890", 123456789012345678901234567890),
        ({"type": "number"}, "5", 5),
        ({"type": "number"}, "5.0", 5.0),
        ({"type": "number"}, "0.1", 0.1),
        ({"type": "number"}, "-1.5e-3", -0.0015),
        ({}, '{"a": [1, 1.0, "x", null, true]}', {"a": [1, 1.0, "x", None, True]}),
        ({}, '"\\u202e"', "\u202e"),
    ],
)
@pytest.mark.parametrize("before", [True, False], ids=["given", "not given"])
def test_what_is_typed_keeps_its_type(schema: dict[str, Any], typed: str, value: object, before: bool) -> None:
    planned = {"a": {"string": "old", "integer": 1, "number": 1.5}.get(str(schema.get("type")), [0])} if before else {}
    reading = sent(one(schema), planned, {"f.0": typed, "f.0:in": "1"})
    assert reading.send, reading.errors
    assert repr(reading.arguments) == repr({"a": value})


@pytest.mark.parametrize(
    ("schema", "typed", "said"),
    [
        ({"type": "integer"}, "", "a whole number is missing"),
        ({"type": "integer"}, "1.0", "a whole number is wanted"),
        ({"type": "integer"}, "1,000", "a whole number is wanted"),
        ({"type": "integer"}, "\u0661", "a whole number is wanted"),
        ({"type": "integer"}, "0x10", "a whole number is wanted"),
        ({"type": "integer"}, "1_0", "a whole number is wanted"),
        ({"type": "integer"}, "9" * 5_000, "too long"),
        ({"type": "number"}, "NaN", "a number is wanted"),
        ({"type": "number"}, "Infinity", "a number is wanted"),
        ({"type": "number"}, "1,5", "a number is wanted"),
        ({"type": "number"}, "1e400", "beyond the numbers"),
        ({"type": "number"}, "1e-400", "more digits than are kept"),
        ({"type": "number"}, "0.12345678901234567890", "more digits than are kept"),
        ({"type": "number"}, "9007199254740993.0", "more digits than are kept"),
        ({"type": "number"}, "1e" + "9" * 30, "beyond the numbers"),
        ({}, "", "empty"),
        ({}, "{", "no JSON"),
        ({}, '{"a": 1, "a": 2}', "stands twice"),
        ({}, "[NaN]", "NaN is not a JSON number"),
        ({}, "-Infinity", "-Infinity is not a JSON number"),
        ({}, "1e999", "beyond the numbers"),
        ({}, "[" * 100_000, "too deep"),
        ({}, "9" * 5_000, "too long"),
        ({"type": "string", "maxLength": 3}, "four", "too long"),
        ({"type": "number", "minimum": 0}, "-1", "less than the minimum"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_stays_typed(schema: dict[str, Any], typed: str, said: str) -> None:
    reading = sent(
        one(schema),
        {"a": {"string": "old", "integer": 1, "number": 1.5}.get(str(schema.get("type")), [0])},
        {"f.0": typed},
    )
    assert (reading.send, reading.arguments) == (False, None)
    found = field(reading.form, "a")
    assert said in found.error
    assert found.text == typed
    assert any(said in error and error.startswith("a: ") for error in reading.errors)


def test_an_optional_argument_may_be_absent_which_is_not_empty() -> None:
    tool = one({"type": "string"})
    assert sent(tool, {}).arguments == {}
    assert sent(tool, {}, {"f.0:in": "1"}).arguments == {"a": ""}
    assert sent(tool, {"a": ""}).arguments == {"a": ""}
    assert sent(tool, {"a": ""}, {"f.0:in": None}).arguments == {}
    assert sent(tool, {"a": "x"}, {"f.0:in": None}).arguments == {}
    refused = sent(tool, {}, {"f.0": "typed"})
    assert "not ticked to be sent" in refused.errors[0]
    assert field(refused.form, "a").text == "typed"


def test_a_required_argument_that_is_missing_is_not_made_up() -> None:
    tool = one({"type": "string"}, required=["a"])
    reading = sent(tool, {})
    assert reading.arguments is None
    assert "'a' is a required property" in reading.errors[0]
    assert sent(tool, {}, {"f.0:in": "1", "f.0": "x"}).arguments == {"a": "x"}
    assert "f.0:in" not in dict(controls(html(edit_form(tool, {"a": "x"}))))


def test_booleans_have_three_states_where_they_are_optional() -> None:
    tool = one({"type": "boolean"})
    assert [sent(tool, {}, {"f.0": code}).arguments for code in ("", "0", "1")] == [{}, {"a": True}, {"a": False}]
    assert sent(tool, {"a": False}).arguments == {"a": False}
    must = one({"type": "boolean"}, required=["a"])
    assert [option.code for option in field(edit_form(must, {"a": True}), "a").options] == ["0", "1"]
    assert sent(tool, {"a": True}, {"f.0": "2"}).errors


def test_a_choice_keeps_the_types_of_its_values() -> None:
    tool = one({"enum": ["5", 5, 5.0, None, True, [1], {"a": 1}]})
    for number, value in enumerate(["5", 5, 5.0, None, True, [1], {"a": 1}]):
        assert repr(sent(tool, {"a": "5"}, {"f.0": str(number)}).arguments) == repr({"a": value})
    assert [words(html_label) for html_label in ("".join(p.text for p in o.label) for o in field(edit_form(tool, {"a": "5"}), "a").options)][1:4] == ['"5"', "5", "5.0"]  # fmt: skip
    planned = sent(tool, {"a": "not one of them"}, do="check")
    assert planned.form.root.value == {"a": "not one of them"}
    assert "as planned" in html(planned.form)
    assert "choice did not arrive" in sent(tool, {"a": 5}, {"f.0": "99"}).errors[0]
    assert sent(one({"const": "x"}), {}, {"f.0": "0"}).arguments == {"a": "x"}


def test_null_and_another_type() -> None:
    tool = one({"type": ["string", "null"]})
    assert sent(tool, {"a": None}).arguments == {"a": None}
    assert sent(tool, {"a": "x"}, {"f.0:as": "1"}).arguments == {"a": None}
    assert sent(tool, {"a": None}, {"f.0:as": ""}).arguments == {}
    switched = sent(tool, {"a": None}, {"f.0:as": "0"}, do="as:f.0")
    assert switched.errors == ()
    filled = sent(tool, {"a": None}, {"f.0.u": "new"}, form=switched.form)
    assert filled.arguments == {"a": "new"}


def test_a_number_that_may_be_a_text_keeps_what_was_typed() -> None:
    tool = one({"anyOf": [{"type": "string"}, {"type": "integer"}]})
    assert sent(tool, {"a": "5"}, {"f.0:as": "1"}).arguments == {"a": 5}
    assert sent(tool, {"a": 5}, {"f.0:as": "0"}).arguments == {"a": "5"}
    assert "whole number is wanted" in sent(tool, {"a": "x"}, {"f.0:as": "1"}).errors[0]


def test_one_of_several_objects() -> None:
    given = {**CALL, "target": {"kind": "phone", "number": "+49"}}
    form = edit_form(TOOL, given)
    assert ["".join(p.text for p in o.label) for o in field(form, "target").options] == [
        "(not given)",
        "Mail, kind mail",
        "Phone, kind phone",
        "as JSON",
    ]
    assert sent(TOOL, given).arguments == given
    other = sent(TOOL, given, {"f.8:as": "0"}, do="as:f.8")
    assert other.errors == ()
    assert sent(TOOL, given, form=other.form).arguments == {**CALL, "target": {"kind": "mail", "address": ""}}
    back = sent(TOOL, given, {"f.8:as": "1"}, form=other.form, do="as:f.8")
    assert sent(TOOL, given, form=back.form).arguments == given


def test_rows_are_added_and_removed_without_a_script() -> None:
    given = {**CALL, "tags": ["a\u200b", "b", "c"]}
    form = sent(TOOL, given, do="remove:f.6.1").form
    form = sent(TOOL, given, do="add:f.6", form=form).form
    assert sent(TOOL, given, {"f.6.3": "new"}, form=form).arguments == {**CALL, "tags": ["a\u200b", "c", "new"]}
    gone = sent(TOOL, given, do="remove:f.6", form=form).form
    assert sent(TOOL, given, form=gone).arguments == CALL
    back = sent(TOOL, given, do="add:f.6", form=gone).form
    assert [row.text for row in field(back, "tags").fields] == ['"a\\u200b"', "b", "c", ""]


def test_a_list_or_an_object_that_was_left_out_can_be_put_in() -> None:
    form = sent(TOOL, CALL, do="add:f.7").form
    assert sent(TOOL, CALL, {"f.7.0": "Ana"}, form=form).arguments == {**CALL, "who": {"name": "Ana"}}
    form = sent(TOOL, CALL, do="add:f.6").form
    assert sent(TOOL, CALL, {"f.6.0": "t"}, form=form).arguments == {**CALL, "tags": ["t"]}
    empty = sent(TOOL, CALL, do="remove:f.6.0", form=form).form
    assert sent(TOOL, CALL, form=empty).arguments == {**CALL, "tags": []}


def test_buttons_that_change_the_form_keep_what_is_typed_and_complain_of_nothing() -> None:
    reading = sent(TOOL, CALL, {"f.1": "much", "f.0": "new"}, do="add:f.6")
    assert (reading.errors, reading.send) == ((), False)
    assert (field(reading.form, "amount").text, field(reading.form, "to").text) == ("much", "new")


def test_only_so_many_rows() -> None:
    given = {"a": [str(n) for n in range(200)]}
    tool = one({"type": "array", "items": {"type": "string"}})
    reading = sent(tool, given, do="add:f.0")
    assert "no more than 200 rows" in html(reading.form)
    assert len(field(reading.form, "a").fields) == 200


def test_names_that_the_tool_does_not_list_are_kept_as_json() -> None:
    tool = one({"type": "string"}, additionalProperties=True)
    given = {"zz": {"b": [1.0]}, "a": "x"}
    assert list(sent(tool, given, {"f.0": "y"}).arguments or {}) == ["zz", "a"]
    assert sent(tool, given, {"f.1": "[2]"}).arguments == {"zz": [2], "a": "x"}
    assert sent(tool, given, {"f.1:in": None}).arguments == {"a": "x"}
    assert sent(tool, given, {"f:more": '{"new": 1}'}).arguments == {**given, "new": 1}
    assert "stands above" in sent(tool, given, {"f:more": '{"a": 1}'}).errors[0]
    assert "JSON object" in sent(tool, given, {"f:more": "[]"}).errors[0]
    typed = one({"type": "string"}, additionalProperties={"type": "integer"})
    assert "a whole number is wanted" in sent(typed, {"n": 1}, {"f.1": "x"}).errors[0]


@pytest.mark.parametrize("text", ["a\r\nb", "\ttab\u200b", "\u202e", "\x00", "\ud800", "x" + "\u0301" * 9, "\u2028"])
def test_a_text_that_a_browser_would_change_is_edited_as_json(text: str) -> None:
    form = edit_form(one({"type": "string"}), {"a": text})
    assert field(form, "a").as_json
    assert "cannot be seen" in field(form, "a").note
    assert sent(one({"type": "string"}), {"a": text}, {"f.0": '"new\\r\\n"'}).arguments == {"a": "new\r\n"}
    assert "in quotes" in sent(one({"type": "string"}), {"a": text}, {"f.0": "5"}).errors[0]


def test_hidden_characters_that_were_typed_are_kept_and_made_visible() -> None:
    reading = sent(one({"type": "string"}), {"a": "x"}, {"f.0": "pay\u200bpal"}, do="check")
    assert reading.arguments == {"a": "pay\u200bpal"}
    assert field(reading.form, "a").text == '"pay\\u200bpal"'
    assert sent(one({"type": "string"}), {"a": "x"}, form=reading.form).arguments == {"a": "pay\u200bpal"}


def test_a_value_of_another_type_than_described_is_edited_as_json() -> None:
    reading = sent(one({"type": "integer"}), {"a": "5"}, do="check")
    assert field(reading.form, "a").text == '"5"'
    assert "not of the kind" in field(reading.form, "a").note
    assert reading.form.root.value == {"a": "5"}
    assert sent(one({"type": "integer"}), {"a": "5"}, {"f.0": "5"}).arguments == {"a": 5}


def test_a_huge_value_is_kept_or_replaced_whole() -> None:
    text = "y" * 900_000
    for schema, new in (({"type": "string"}, "short"), ({}, '"short"')):
        page = html(edit_form(one(schema), {"a": text}))
        assert len(page) < 10_000
        assert "kept as planned: 900,00" in page
        assert sent(one(schema), {"a": text}).arguments == {"a": text}
        assert sent(one(schema), {"a": text}, {"f.0": new, "f.0:replace": "1"}).arguments == {"a": "short"}
        assert "not ticked to replace" in sent(one(schema), {"a": text}, {"f.0": new}).errors[0]
        assert sent(one(schema), {"a": text}, {"f.0:in": None}).arguments == {}


def test_a_choice_that_was_not_touched_keeps_the_order_of_its_names() -> None:
    given = {"a": {"x": 1, "y": 2}}
    reading = sent(one({"enum": [{"y": 2, "x": 1}]}), given)
    assert repr(reading.arguments) == repr(given)
