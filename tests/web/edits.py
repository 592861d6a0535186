"""A tool with an argument of each kind, and its edit form as somebody fills it in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardrail.types import ToolSpec
from guardrail.web.show import EditForm, Field, Reading, edit_form, read_form
from tests.web.forms import submitted
from tests.web.rendered import html

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "to": {"type": "string", "description": "The account."},
        "amount": {"type": "number", "minimum": 0},
        "currency": {"enum": ["EUR", "USD"]},
        "urgent": {"type": "boolean"},
        "count": {"type": "integer"},
        "memo": {"type": ["string", "null"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "who": {"$ref": "#/$defs/person"},
        "target": {"anyOf": [{"$ref": "#/$defs/mail"}, {"$ref": "#/$defs/phone"}]},
    },
    "required": ["to", "amount"],
    "$defs": {
        "person": {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}, "required": ["name"]},
        "mail": {"type": "object", "title": "Mail", "properties": {"kind": {"const": "mail"}, "address": {"type": "string"}}, "required": ["kind", "address"]},
        "phone": {"type": "object", "title": "Phone", "properties": {"kind": {"const": "phone"}, "number": {"type": "string"}}, "required": ["kind", "number"]},
    },
}  # fmt: skip
TOOL = ToolSpec(name="transfer", parameters=SCHEMA)
CALL: dict[str, Any] = {"to": "DE02", "amount": 250}


def one(schema: Any, **more: Any) -> ToolSpec:
    return ToolSpec(name="t", parameters={"type": "object", "properties": {"a": schema}, **more})


def field(form: EditForm, *path: str | int) -> Field:
    """The field of that path; of a union, the one that is chosen is in its ``fields``."""
    waiting = [form.root]
    while waiting:
        found = waiting.pop(0)
        if found.path == path:
            return found
        waiting += found.fields
    raise AssertionError(path)


def sent(
    tool: ToolSpec | None,
    arguments: dict[str, Any],
    changed: Mapping[str, str | None] | None = None,
    *,
    do: str = "edit",
    form: EditForm | None = None,
) -> Reading:
    """The form is drawn, changed, and sent."""
    page = html(form or edit_form(tool, arguments))
    return read_form(tool, arguments, submitted(page, do=do, changed=changed))
