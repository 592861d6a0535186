from __future__ import annotations

import socket
from typing import Any

import pytest

from guardrail.review import check_arguments
from guardrail.types import ToolSpec
from tests.support.records import REFUND

GOOD = {"order_id": "A-7", "amount": 20}


def _tool(**parameters: Any) -> ToolSpec:
    return ToolSpec(name="t", parameters=parameters)


@pytest.mark.parametrize(
    "arguments",
    [GOOD, {**GOOD, "note": ""}, {**GOOD, "amount": 0.5}],
)
def test_arguments_that_fit(arguments: dict[str, Any]) -> None:
    assert check_arguments(REFUND, arguments) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"order_id": "A-7"}, "'amount' is a required property"),
        ({**GOOD, "amount": "20"}, "amount: '20' is not of type 'number'"),
        ({**GOOD, "amount": True}, "amount: True is not of type 'number'"),
        ({**GOOD, "amount": -1}, "amount: -1 is less than"),
        ({**GOOD, "amuont": 20}, "'amuont' is not an argument of the tool (it has: order_id, amount, note)"),
        ({**GOOD, "amount": float("nan")}, "they are no JSON"),
        ({**GOOD, "note": object()}, "they are no JSON"),
        ({**GOOD, "note": "x" * 1_000_001}, "the limit is 1000000"),
        ({**GOOD, "note": 5 * ["x" * 1_000]}, "note: ['xxx"),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict[str, Any], said: str) -> None:
    problems = check_arguments(REFUND, arguments)
    assert len(problems) == 1
    assert said in problems[0]
    assert len(problems[0]) < 400


def test_arguments_nested_beyond_reason() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert "no JSON" in check_arguments(REFUND, {**GOOD, "note": deep})[0]


def test_a_failure_inside_an_alternative_names_its_place() -> None:
    tool = _tool(
        type="object",
        properties={"to": {"anyOf": [{"type": "object", "properties": {"id": {"type": "integer"}}}, {"type": "null"}]}},
    )
    assert check_arguments(tool, {"to": None}) == []
    assert check_arguments(tool, {"to": {"id": "x"}}) == ["to.id: 'x' is not of type 'integer'"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"additionalProperties": True, "properties": {"a": {}}},
        {"additionalProperties": {"type": "integer"}},
        {"patternProperties": {"^b": {}}, "properties": {"a": {}}},
        {"allOf": [{"properties": {"b": {"type": "integer"}}}]},
        {"$defs": {"x": {"properties": {"b": {}}}}, "$ref": "#/$defs/x"},
    ],
)
def test_a_schema_that_leaves_its_arguments_open_is_taken_at_its_word(parameters: dict[str, Any]) -> None:
    assert check_arguments(_tool(**parameters), {"b": 1}) == []


@pytest.mark.parametrize("parameters", [{}, {"type": "object"}, {"properties": {}}, {"additionalProperties": False}])
def test_a_tool_without_arguments_takes_none(parameters: dict[str, Any]) -> None:
    assert check_arguments(_tool(**parameters), {}) == []
    assert len(check_arguments(_tool(**parameters), {"b": 1})) == 1


def test_an_older_schema_dialect_is_honoured() -> None:
    pair = {"type": "array", "items": [{"type": "integer"}, {"type": "string"}]}
    tool = _tool(**{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"p": pair}})
    assert check_arguments(tool, {"p": [1, "a"]}) == []
    assert check_arguments(tool, {"p": ["a", 1]}) != []


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "objekt"},
        {"properties": []},
        {"properties": {"a": {"type": 7}}},
        {"properties": {"a": {"pattern": "["}}},
        {"properties": {"a": {"$ref": "#/$defs/missing"}}},
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {"$schema": {}, "properties": {"a": {}}},
        {"$schema": 7, "properties": {"a": {"type": "integer"}}},
    ],
)
def test_a_broken_schema_refuses_every_edit(parameters: dict[str, Any]) -> None:
    problems = check_arguments(_tool(**parameters), {"a": "x"})
    assert len(problems) == 1
    assert "cannot be checked" in problems[0] or "is not of type" in problems[0]


def test_a_schema_cannot_make_us_fetch_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: asked.append(a))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: asked.append(a) or [])
    tool = _tool(properties={"a": {"$ref": "http://169.254.169.254/latest/meta-data"}})
    assert "cannot be checked" in check_arguments(tool, {"a": 1})[0]
    assert asked == []


def test_a_tool_that_is_not_known_refuses_every_edit() -> None:
    assert "cannot be checked" in check_arguments(None, GOOD)[0]
