"""Laws of the edit form: whatever the schema and the arguments are, what was not touched comes back as it was."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jinja2
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from guardrail.review import check_arguments
from guardrail.types import ToolSpec
from guardrail.web.show import EditForm, Field, edit_form, read_form
from guardrail.web.show.fields import ABSENT, How
from guardrail.web.templating import environment
from tests.support import hostile
from tests.web.forms import buttons, submitted

_NAMES = st.sampled_from(["a", "b", "to", "amount", "", "a.b", "0", "f:mode", "x\u202ey", "<b>"])
_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=12) | st.sampled_from(
    [
        "5",
        "true",
        "null",
        "\n",
        "\na",
        "a\r\nb",
        "\r",
        "\t",
        " a ",
        "a\nb",
        "</textarea>",
        "\u200b",
        "\ud800",
        '"',
        "\\u202e",
    ]
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**64, -(2**70), 10**30])
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT
)
JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES | _TEXT, inner, max_size=4),
    max_leaves=12,
)
_LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "description": "<i>a text</i>", "maxLength": 5},
        {"type": "integer", "minimum": 1},
        {"type": "number"},
        {"type": "boolean"},
        {"type": "null"},
        {"enum": ["EUR", "USD", 5, None]},
        {"const": "x"},
        {"type": ["string", "null"]},
        {"type": ["integer", "string", "null"]},
        {"$ref": "#/$defs/node"},
        {"$ref": "#/$defs/missing"},
        {"$ref": "https://evil.example/schema"},
        {"type": "thing"},
        {"not": {}},
        {"anyOf": "odd"},
        {},
        True,
        False,
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "array", "prefixItems": [{"type": "string"}]},
        {"allOf": [{"$ref": "#/$defs/node"}]},
    ]
)


def _composed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    properties = st.dictionaries(_NAMES, inner, max_size=4)
    return st.one_of(
        st.builds(
            lambda fields, wanted, extra: {
                "type": "object",
                "properties": fields,
                "required": [name for name, keep in zip(fields, wanted, strict=False) if keep],
                **extra,
            },
            properties,
            st.lists(st.booleans(), max_size=4),
            st.sampled_from([{}, {"additionalProperties": False}, {"additionalProperties": True}]),
        ),
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(lambda variants: {"anyOf": variants}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda variants: {"oneOf": variants, "title": "A"}, st.lists(inner, min_size=1, max_size=3)),
    )


_SCHEMAS = st.recursive(_LEAVES, _composed, max_leaves=10)
NODE = {"type": "object", "properties": {"a": {"$ref": "#/$defs/node"}, "b": {"type": "string"}}, "required": ["b"]}
ROOTS = st.one_of(
    st.builds(
        lambda fields, more: {"type": "object", "properties": fields, "$defs": {"node": NODE}, **more},
        st.dictionaries(_NAMES, _SCHEMAS, max_size=4),
        st.sampled_from([{}, {"required": ["a", "to"]}, {"additionalProperties": True}]),
    ),
    _SCHEMAS,
    st.dictionaries(_TEXT, JSON, max_size=3),
)


@st.composite
def calls(draw: st.DrawFn) -> tuple[ToolSpec, dict[str, Any]]:
    """A tool, and arguments that may have nothing to do with it, or something."""
    root = draw(ROOTS)
    arguments = draw(st.dictionaries(_NAMES, JSON, max_size=5))
    if isinstance(root, dict) and isinstance(root.get("properties"), dict):
        for name, schema in root["properties"].items():
            if draw(st.booleans()):
                arguments[name] = draw(_meant(schema))
    return ToolSpec(name="t", parameters=root), arguments


def _meant(schema: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that are likely to be what a schema means."""
    if not isinstance(schema, dict) or depth > 4:
        return JSON
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "const" in schema:
        return st.just(schema["const"])
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list):
            return st.one_of([_meant(one, depth + 1) for one in schema[key]])
    kind = schema.get("type")
    if kind == "object":
        fields = schema.get("properties", {})
        return st.fixed_dictionaries({}, optional={name: _meant(one, depth + 1) for name, one in fields.items()})
    if kind == "array":
        return st.lists(_meant(schema.get("items"), depth + 1), max_size=3)
    if isinstance(kind, list):
        return st.one_of([_meant({"type": one}, depth + 1) for one in kind])
    if "$ref" in schema:
        return _meant(NODE, depth + 1)
    simple = {
        "string": _TEXT,
        "integer": st.integers() | st.just(1.0),
        "number": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return simple.get(str(kind), JSON)


@cache
def _template() -> jinja2.Template:
    return environment().from_string('{% from "_form.html" import edit_form %}{{ edit_form(form) }}')


def page(form: EditForm) -> str:
    """The form as a browser gets it."""
    return _template().render(form=form).encode().decode()


def exact(value: object) -> str:
    """JSON that differs where values do: by type, by order, by every character."""
    return json.dumps(value)


_slow = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


@_slow
@given(calls())
def test_what_is_not_touched_comes_back_as_it_was(call: tuple[ToolSpec, dict[str, Any]]) -> None:
    tool, arguments = call
    reading = read_form(tool, arguments, submitted(page(edit_form(tool, arguments)), do="check"))
    assert exact(reading.form.root.value) == exact(arguments)


@_slow
@given(calls())
def test_json_and_fields_are_the_same_arguments(call: tuple[ToolSpec, dict[str, Any]]) -> None:
    tool, arguments = call
    form = edit_form(tool, arguments)
    for do in ("json", "fields", "json", "fields"):
        form = read_form(tool, arguments, submitted(page(form), do=do)).form
    reading = read_form(tool, arguments, submitted(page(form), do="check"))
    assert exact(reading.form.root.value) == exact(arguments)


def _leaves(found: Field) -> list[Field]:
    return [found] if not found.parts() else [leaf for part in found.parts() for leaf in _leaves(part)]


def _at(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """The value with another one at that path; ABSENT takes the name out."""
    if not path:
        return new
    name, *rest = path
    if isinstance(value, list):
        return [_at(part, tuple(rest), new) if place == name else part for place, part in enumerate(value)]
    changed = dict(value)
    if rest or new is not ABSENT:
        changed[name] = _at(value.get(name), tuple(rest), new)
    else:
        changed.pop(name, None)
    return changed


@_slow
@given(calls(), st.data())
def test_changing_one_field_changes_only_that(call: tuple[ToolSpec, dict[str, Any]], data: st.DataObject) -> None:
    tool, arguments = call
    form = edit_form(tool, arguments)
    typeable = [
        leaf for leaf in _leaves(form.root) if leaf.how in (How.LINE, How.LINES) and not leaf.name.endswith("more")
    ]
    assume(typeable and not form.as_json)
    field = data.draw(st.sampled_from(typeable))
    text, value = ("7", "7") if field.mode == "text" else ('"7"', "7") if field.mode == "json" else ("7", 7)
    changed: dict[str, str | None] = {field.name: text}
    if field.switch:
        changed[f"{field.name}:in"] = "1"
    reading = read_form(tool, arguments, submitted(page(form), do="check", changed=changed))
    expected = _at(arguments, field.path, value)
    assert json.dumps(reading.form.root.value, sort_keys=True) == json.dumps(expected, sort_keys=True)
    if field.switch and field.included:
        gone = read_form(tool, arguments, submitted(page(form), do="check", changed={f"{field.name}:in": None}))
        assert exact(gone.form.root.value) == exact(_at(arguments, field.path, ABSENT))


@_slow
@given(calls(), st.data())
def test_whatever_is_sent_there_is_an_answer(call: tuple[ToolSpec, dict[str, Any]], data: st.DataObject) -> None:
    """A whole form with some of it changed, gone, or twice; and every button pressed that there is."""
    tool, arguments = call
    markup = page(edit_form(tool, arguments))
    pairs: list[tuple[str, object]] = list(submitted(markup, do="edit")[:-1])
    names = [name for name, _ in pairs] + ["f", "f.0", "f.0.0:rows", "f.1.u", "f:more"]
    parts = st.sampled_from(["", "0", "1", "99", "json", "base", "0,0", "0,1,2", "1" * 9, "{", "null"]) | _TEXT
    pressed = [value for _, value in buttons(markup)] + ["edit", "add:f", "remove:f", "add:", "as:f.9", "\ud800"]
    for _ in range(data.draw(st.integers(0, 4))):
        change = data.draw(st.sampled_from(["set", "drop", "add"]))
        if change == "add":
            pairs.append((data.draw(st.sampled_from(names)), data.draw(parts)))
        elif pairs:
            place = data.draw(st.integers(0, len(pairs) - 1))
            pairs[place : place + 1] = [(pairs[place][0], data.draw(parts))] if change == "set" else []
    reading = read_form(tool, arguments, [*pairs, ("do", data.draw(st.sampled_from(pressed)))])
    if reading.send:
        assert reading.arguments is not None
        assert not reading.errors
        assert not [said for said in check_arguments(tool, reading.arguments) if "[hidden" not in said]
    assert read_form(tool, arguments, submitted(page(reading.form), do="json")).form  # it can be sent on


@_slow
@given(
    st.lists(st.tuples(st.text(max_size=9) | st.sampled_from(["f", "f.0", "f:mode", "f:of", "do"]), _TEXT), max_size=8)
)
def test_garbage_decides_nothing(pairs: list[tuple[str, object]]) -> None:
    tool = ToolSpec(name="t", parameters={"type": "object", "properties": {"a": {"type": "string"}}})
    reading = read_form(tool, {"a": "x"}, pairs)
    assert not reading.send
    assert reading.errors
    assert page(reading.form)


@pytest.mark.parametrize("name", hostile.VALUES)
@pytest.mark.parametrize("kind", ["string", "object", "array", "number", None])
def test_hostile_values_come_back_as_they_were(name: str, kind: str | None) -> None:
    arguments = {"a": hostile.VALUES[name]}
    tool = ToolSpec(name="t", parameters={"type": "object", "properties": {"a": {"type": kind} if kind else {}}})
    html = page(edit_form(tool, arguments))
    assert len(html) < 1_000_000
    reading = read_form(tool, arguments, submitted(html, do="check"))
    assert reading.form.root.value == arguments
