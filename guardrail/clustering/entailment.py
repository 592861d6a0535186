"""Whether two short texts, given as values of one argument, mean the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class TextPair:
    """Two different texts given for the same argument of the same tool.

    ``argument`` is the argument's path ("memo", "address.street"); ``a`` sorts before ``b``, so that
    equal pairs are equal whatever their order.
    """

    tool: str
    argument: str
    a: str
    b: str
    description: str = ""


class Entailment(Protocol):
    """Judges text pairs, one answer a pair: True where each entails the other and nothing contradicts.

    A backend whose answers depend on the two texts alone may say so by an attribute ``texts_only = True``.

    Raises:
        EntailmentError: no answer could be had; the step takes its fail-closed route.
    """

    name: str

    def equivalent(self, pairs: Sequence[TextPair]) -> Sequence[bool]: ...


class AsyncEntailment(Protocol):
    """The same, asynchronously. One object may offer both."""

    name: str

    async def aequivalent(self, pairs: Sequence[TextPair]) -> Sequence[bool]: ...


class ExactEntailment:
    """Texts that differ are different: the conservative judge that needs no model."""

    name = "exact"

    def equivalent(self, pairs: Sequence[TextPair]) -> Sequence[bool]:
        return [pair.a == pair.b for pair in pairs]

    async def aequivalent(self, pairs: Sequence[TextPair]) -> Sequence[bool]:
        return self.equivalent(pairs)
