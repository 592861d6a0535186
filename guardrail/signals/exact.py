"""When two JSON values are exactly the same."""

from __future__ import annotations


def exact(value: object) -> str:
    """Text that is equal for equal JSON, whatever the order of keys.

    1, 1.0 and True differ; NaN, which models write although JSON has none, equals itself.
    """
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{key!r}:{exact(item)}" for key, item in value.items())) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(exact, value)) + "]"
    return repr(value)
