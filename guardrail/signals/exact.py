"""When two JSON values are exactly the same."""

from __future__ import annotations


class TooDeep(ValueError):
    """A value is nested too deeply to be compared."""


def exact(value: object) -> str:
    """Text that is equal for equal JSON, whatever the order of keys.

    1, 1.0 and True differ; NaN, which models write although JSON has none, equals itself.

    Raises:
        TooDeep: the value is nested deeper than Python can follow.
    """
    try:
        return _exact(value)
    except RecursionError as error:
        raise TooDeep("nested too deeply to compare") from error


def _exact(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{key!r}:{_exact(item)}" for key, item in value.items())) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_exact, value)) + "]"
    return repr(value)
