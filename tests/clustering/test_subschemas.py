"""Schemas with references, alternatives, tuples and patterns, in the dialects that pydantic and MCP write."""

from __future__ import annotations

import pytest

from guardrail.clustering import compare_calls, explain_schema
from guardrail.types import ToolCall, ToolSpec

INTEGER = {"type": "integer"}
STRING = {"type": "string"}
EVERY = {"allOf": [{"type": "object"}, {"properties": {"n": INTEGER}}, {"properties": {"m": INTEGER}}]}
EITHER = {
    "anyOf": [
        {"type": "object", "properties": {"kind": {"const": "A"}, "n": INTEGER}},
        {"type": "object", "properties": {"kind": {"const": "B"}, "m": INTEGER}},
    ]
}


def same(parameters, a, b, **options):
    spec = ToolSpec(name="act", parameters={"type": "object", **parameters})
    calls = [ToolCall(name="act", arguments=arguments) for arguments in (a, b)]
    there, back = (compare_calls(*pair, spec, **options).equal() for pair in (calls, calls[::-1]))
    assert there == back
    return there


def argument(schema, **more):
    return {"properties": {"x": schema}, **more}


@pytest.mark.parametrize(
    ("schema", "a", "b"),
    [
        ({"anyOf": [INTEGER, STRING]}, 5, "5"),
        ({"oneOf": [{"type": "number"}, {"type": "null"}]}, "5", 5.0),
        ({"type": ["string", "integer", "null"]}, 5, "5"),
        ({"anyOf": [STRING, {"type": "array", "items": STRING}]}, "solo", ["solo"]),
        (EVERY, {"n": "1", "m": 2}, {"n": 1, "m": "2"}),
        ({"oneOf": [{"const": "Low"}, {"enum": ["High", "Top"]}]}, "top", "Top"),
        ({"const": "Fixed"}, "fixed", "Fixed"),
        ({"type": "array", "prefixItems": [INTEGER, {"enum": ["Up", "Down"]}]}, ["1", "up"], [1, "Up"]),
        ({"type": "array", "items": [INTEGER, INTEGER]}, ["1", "2"], [1, 2]),
        ({"type": "object", "additionalProperties": INTEGER}, {"k": "1"}, {"k": 1}),
        ({"type": "object", "patternProperties": {"^n_": INTEGER}}, {"n_a": "1"}, {"n_a": 1}),
        ({"properties": {"n": INTEGER}}, {"n": "1"}, {"n": 1}),
        (EITHER, {"kind": "a", "n": "1"}, {"kind": "A", "n": 1}),
        (EITHER, {"kind": "b", "m": "1"}, {"kind": "B", "m": 1}),
    ],
)
def test_values_of_any_alternative_are_read(schema, a, b):
    assert same(argument(schema), {"x": a}, {"x": b})
    assert not same(argument({}), {"x": a}, {"x": b})


@pytest.mark.parametrize(
    ("schema", "a", "b"),
    [
        ({"anyOf": [INTEGER, STRING]}, 5, "6"),
        ({"type": "array", "prefixItems": [INTEGER, INTEGER]}, [1, 2], [2, 1]),
        ({"type": "object", "additionalProperties": INTEGER}, {"k": 1}, {"l": 1}),
        ({"anyOf": [{"properties": {"n": INTEGER}}, {"properties": {"m": INTEGER}}]}, {"n": 1}, {"m": 1}),
    ],
)
def test_alternatives_merge_nothing(schema, a, b):
    assert not same(argument(schema), {"x": a}, {"x": b})


def test_references_are_followed_however_they_are_written():
    for holder, reference in (
        ("$defs", "#/$defs/Amount"),
        ("definitions", "#/definitions/Amount"),
        ("$defs", "#/%24defs/Amount"),
        ("$defs", "#amount"),
    ):
        whole = argument({"$ref": reference}, **{holder: {"Amount": {**INTEGER, "$anchor": "amount", "default": 3}}})
        assert same(whole, {"x": "3"}, {"x": 3})
        assert same(whole, {}, {"x": 3})


def test_what_stands_beside_a_reference_comes_first():
    whole = argument({"$ref": "#/$defs/N", "default": 4}, **{"$defs": {"N": {**INTEGER, "default": 3}}})
    assert same(whole, {}, {"x": 4})
    assert not same(whole, {}, {"x": 3})


def test_pydantic_writes_an_optional_model_with_defaults():
    model = {"type": "object", "properties": {"unit": {"enum": ["C", "F"], "default": "C"}, "days": INTEGER}}
    whole = argument({"anyOf": [{"$ref": "#/$defs/M"}, {"type": "null"}], "default": None}, **{"$defs": {"M": model}})
    assert same(whole, {"x": {"days": "2"}}, {"x": {"days": 2, "unit": "c"}})
    assert same(whole, {}, {"x": None})
    assert same(
        argument({"allOf": [{"$ref": "#/$defs/M"}]}, **{"$defs": {"M": model}}), {"x": {"unit": "C"}}, {"x": {}}
    )


def test_a_schema_inside_itself():
    node = {"type": "object", "properties": {"size": INTEGER, "next": {"$ref": "#/$defs/Node"}}}
    whole = argument({"$ref": "#/$defs/Node"}, **{"$defs": {"Node": node}})
    assert same(whole, {"x": {"next": {"next": {"size": "1"}}}}, {"x": {"next": {"next": {"size": 1}}}})
    assert explain_schema(ToolSpec(name="act", parameters=whole))
    itself = {"properties": {"size": INTEGER, "inner": {"$ref": "#"}}}
    assert same(itself, {"inner": {"size": "1"}}, {"inner": {"size": 1}})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/Loop"},
        {"$ref": "#/nowhere"},
        {"$ref": "https://site.org/schema"},
        {"$ref": 5},
        {"$ref": "#/$defs/Loop/0/%zz"},
        {"anyOf": "both"},
        {"anyOf": [1, None, []]},
        {"oneOf": []},
        {"allOf": [{"$ref": "#/$defs/Loop"}]},
        {"type": {"a": 1}},
        {"type": ["string", 5, None]},
        {"enum": "red"},
        {"enum": [[1], {"a": 1}]},
        {"prefixItems": 3},
        {"type": "array", "items": [None, 5]},
        {"patternProperties": {"(a+)+$": INTEGER, "[": INTEGER, "^a": 5}},
        {"additionalProperties": "yes"},
        {"dependentRequired": {"x": "y"}, "dependentSchemas": 4, "if": 1, "then": 2},
        {"properties": {"y": None}, "required": "y"},
        {"description": ["text"], "format": {}, "default": {"a": [1]}},
        True,
        None,
    ],
)
def test_a_broken_schema_is_read_as_far_as_it_goes(schema):
    whole = argument(schema, **{"$defs": {"Loop": {"$ref": "#/$defs/Loop"}}})
    for value in ("a", 1, None, ["a", 1], {"a": "a", "aaaa": 1}):
        assert same(whole, {"x": value}, {"x": value})
    assert not same(whole, {"x": "alpha"}, {"x": "omega"})
    explain_schema(ToolSpec(name="act", parameters=whole))


def test_what_all_alternatives_require_is_never_filled_in():
    one = {"type": "object", "properties": {"n": {**INTEGER, "default": 1}}, "required": ["n"]}
    other = {"type": "object", "properties": {"n": {**INTEGER, "default": 1}, "m": STRING}, "required": ["m"]}
    assert not same(argument({"anyOf": [one]}), {"x": {"m": "a"}}, {"x": {"m": "a", "n": 1}})
    assert same(argument({"anyOf": [one, other]}), {"x": {"m": "a"}}, {"x": {"m": "a", "n": 1}})


def test_a_policy_reaches_places_behind_references():
    whole = argument({"$ref": "#/$defs/M"}, **{"$defs": {"M": {"properties": {"memo": STRING, "at": STRING}}}})
    a, b = ({"x": {"memo": memo, "at": "same"}} for memo in ("one", "two"))
    assert not same(whole, a, b)
    assert same(whole, a, b, comparators={"x.memo": "ignore"})
