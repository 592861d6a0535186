"""What a comparator knows of the argument whose values it compares."""

from __future__ import annotations

from dataclasses import dataclass

from guardrail.comparing import Own


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A comparator of a field, and why it is one. ``option`` is what follows its name ("0.01").

    ``own`` is the comparator itself where it is not one of this package.
    """

    name: str
    because: str
    option: str = ""
    own: Own | None = None


@dataclass(frozen=True, kw_only=True)
class About:
    """An argument's name and description.

    ``order`` is that of day, month and year, ``now`` a date in ISO form, ``beside`` the words that the
    rest of both calls says.
    """

    name: str = ""
    description: str = ""
    tool: str = ""
    kind: str = ""
    order: str = ""
    now: str = ""
    option: str = ""
    beside: frozenset[str] = frozenset()
