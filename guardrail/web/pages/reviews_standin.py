"""The edit form as one field of JSON, until there is a better one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from guardrail.review import check_arguments
from guardrail.web.show import show_differences


@dataclass(frozen=True, kw_only=True)
class Reading:
    form: str
    errors: tuple[str, ...]
    arguments: dict[str, Any] | None
    send: bool
    differences: Any


def edit_form(tool: Any, arguments: Any, **_: Any) -> str:
    return json.dumps(arguments, indent=2, ensure_ascii=True)


def read_form(tool: Any, arguments: Any, pairs: Any, *, planned: Any) -> Reading:
    text = dict(pairs).get("f", "")
    try:
        found = json.loads(text)
        errors = tuple(check_arguments(tool, found))
    except ValueError as error:
        return Reading(form=text, errors=(str(error),), arguments=None, send=False, differences=None)
    return Reading(
        form=text,
        errors=errors,
        arguments=None if errors else found,
        send=not errors and dict(pairs).get("do") == "edit",
        differences=show_differences(planned, found),
    )
