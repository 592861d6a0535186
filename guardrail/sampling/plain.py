"""SDK objects as the JSON that they stand for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

_NOT_SENT = frozenset({"NotGiven", "Omit"})


def snapshot(value: Any) -> Any:
    """A copy that later changes to the original do not reach: objects of the SDK as they would be sent, the rest as
    it is. Arguments that stand for "not given" are left out.
    """
    if isinstance(value, BaseModel):
        excluded = getattr(value, "__api_exclude__", None)
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude=excluded, warnings=False)
    if isinstance(value, Mapping):
        return {str(key): snapshot(item) for key, item in value.items() if type(item).__name__ not in _NOT_SENT}
    if isinstance(value, list | tuple):
        return [snapshot(item) for item in value]
    return value


def identity(value: Any) -> Any:
    """JSON data that is equal for equal requests, also across processes."""
    if isinstance(value, BaseModel | Mapping | list | tuple):
        value = snapshot(value)
    if isinstance(value, dict):
        return {key: identity(item) for key, item in value.items()}
    if isinstance(value, list):
        return [identity(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, type) and issubclass(value, BaseModel):
        return value.model_json_schema()
    kind = value if isinstance(value, type) or hasattr(value, "__qualname__") else type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is an object of JSON, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[Mapping[str, Any]]:
    """The objects in a list of JSON; nothing where it is none."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def count(value: object) -> int | None:
    """The value if it is a number of tokens."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def text(value: object) -> str:
    """The value if it is text, else nothing."""
    return value if isinstance(value, str) else ""
