"""How the arguments of a tool are compared, and why, can be asked for."""

from __future__ import annotations

import pytest

from guardrail.clustering import COMPARATORS, FieldPlan, compare_calls, explain_schema
from guardrail.errors import ConfigError
from guardrail.types import ToolCall, ToolSpec

STRING = {"type": "string"}
TOOL = ToolSpec(
    name="book",
    parameters={
        "type": "object",
        "properties": {
            "city": STRING,
            "when": {"type": "string", "format": "date-time"},
            "guests": {"type": "integer", "default": 2},
            "email": STRING,
            "extras": {"type": "array", "items": {"enum": ["wifi", "sauna"]}},
            "style": {"type": "string", "description": "Style of the room. Defaults to 'plain'."},
            "room": {"type": "object", "properties": {"width": {"type": "string", "description": "With a unit."}}},
            "order_id": STRING,
            "kind": {"enum": ["single", "double"]},
            "urgent": {"type": "boolean"},
        },
    },
)


def plans(**options):
    return {plan.path: plan for plan in explain_schema(TOOL, **options)}


def test_every_place_has_a_comparator_and_a_reason():
    found = plans()
    assert {path: plan.comparator for path, plan in found.items()} == {
        "city": "place",
        "when": "date",
        "guests": "number",
        "email": "email",
        "extras": "set",
        "style": "text",
        "room": "exact",
        "room.width": "quantity",
        "order_id": "exact",
        "kind": "exact",
        "urgent": "exact",
    }
    assert all(plan.because and plan.comparator in COMPARATORS for plan in found.values())
    assert "city" in found["city"].because


def test_defaults_and_where_they_are_stated():
    found = plans()
    assert (found["guests"].default, found["guests"].default_source) == (2, "declared")
    assert (found["style"].default, found["style"].default_source) == ("plain", "description")
    assert (found["city"].default, found["city"].default_source) == (None, "")
    assert plans(stated_defaults=False)["style"].default_source == ""


def test_the_policy_comes_first():
    found = plans(comparators={"city": "text", "guests": "number:0.5", "room": "ignore"})
    assert (found["city"].comparator, found["city"].because) == ("text", "the policy names it")
    assert found["guests"].comparator == "number:0.5"
    assert found["room.width"].comparator == "ignore"


@pytest.mark.parametrize("name", ["fuzzy", "number:", "number:-1", "number:nan", "number:1e3", "date:1", "", " number"])
def test_a_comparator_that_does_not_exist_is_refused(name):
    with pytest.raises(ConfigError, match="city"):
        explain_schema(TOOL, {"city": name})
    call = ToolCall(name="book", arguments={})
    with pytest.raises(ConfigError, match="city"):
        compare_calls(call, call, TOOL, comparators={"city": name})


@pytest.mark.parametrize("name", [*COMPARATORS, "number:0.01", "number:2", "number:.5"])
def test_every_comparator_can_be_named_and_settles_what_is_equal(name):
    for value in ("5", "Rome", "a@b.org", "", "x" * 300, "\x00", "%", "1 km"):
        calls = [ToolCall(name="book", arguments={"city": value}) for _ in range(2)]
        assert compare_calls(*calls, TOOL, comparators={"city": name}).equal()
    a, b = (ToolCall(name="book", arguments={"city": value}) for value in ("alpha 1", "omega 2"))
    assert compare_calls(a, b, TOOL, comparators={"city": name}).equal() is (name == "ignore")


def test_a_plan_is_a_value():
    assert explain_schema(TOOL) == explain_schema(TOOL)
    assert isinstance(explain_schema(TOOL)[0], FieldPlan)
