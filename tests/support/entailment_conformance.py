"""The laws that every entailment backend keeps.

Subclass ``EntailmentLaws``, give an ``entailment`` fixture, and name texts that this backend holds
equal (None where it never holds differing texts equal). Both the synchronous and the asynchronous
door are tried where the backend has them::

    class TestMine(EntailmentLaws):
        same = ("cancel the order", "please cancel the order")

        @pytest.fixture
        def entailment(self): return MyEntailment()
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from guardrail.clustering import TextPair

Answer = Callable[[Sequence[TextPair]], Awaitable[Sequence[bool]]]


def pair(a: str, b: str, *, argument: str = "memo") -> TextPair:
    """A pair as the comparison makes it: the smaller text first."""
    first, second = sorted((a, b))
    return TextPair(tool="note", argument=argument, a=first, b=second, description="What to write down.")


def swapped(given: TextPair) -> TextPair:
    return TextPair(tool=given.tool, argument=given.argument, a=given.b, b=given.a, description=given.description)


class EntailmentLaws:
    """Base class of a backend's tests; see the module's docstring."""

    same: tuple[str, str] | None = None
    different: tuple[str, str] = ("ship the parcel today", "the museum opens on Monday")

    @pytest.fixture
    def entailment(self) -> Any:
        raise NotImplementedError("give the backend under test")

    @pytest.fixture(params=["equivalent", "aequivalent"])
    def answer(self, request: pytest.FixtureRequest, entailment: Any) -> Answer:
        door = getattr(entailment, request.param, None)
        if door is None:
            pytest.skip(f"{type(entailment).__name__} has no {request.param}")
        if request.param == "aequivalent":
            return door

        async def call(pairs: Sequence[TextPair]) -> Sequence[bool]:
            return door(pairs)

        return call

    def known(self) -> list[tuple[TextPair, bool]]:
        found = [(pair(*self.different), False), (pair("send it", "send it"), True)]
        if self.same is not None:
            found.append((pair(*self.same), True))
        return found

    def test_it_has_a_name(self, entailment: Any) -> None:
        assert isinstance(entailment.name, str)
        assert entailment.name.strip() == entailment.name != ""

    async def test_no_pairs_no_answers(self, answer: Answer) -> None:
        assert list(await answer([])) == []

    async def test_one_plain_boolean_a_pair_in_the_order_of_the_pairs(self, answer: Answer) -> None:
        known = self.known()
        for order in (known, known[::-1], [*known, *known]):
            answers = await answer([asked for asked, _ in order])
            assert [type(one) for one in answers] == [bool] * len(order)
            assert list(answers) == [expected for _, expected in order]

    async def test_a_pair_is_judged_alone_as_among_others(self, answer: Answer) -> None:
        for asked, expected in self.known():
            assert list(await answer([asked])) == [expected]

    async def test_the_order_of_the_two_texts_does_not_matter(self, answer: Answer) -> None:
        pairs = [asked for asked, _ in self.known()]
        assert list(await answer([swapped(one) for one in pairs])) == list(await answer(pairs))

    async def test_identical_texts_are_equal(self, answer: Answer) -> None:
        pairs = [pair(text, text) for text in ("pay", "", "line\nbreak", "日本")]
        assert list(await answer(pairs)) == [True] * len(pairs)

    async def test_a_text_never_equals_an_empty_one(self, answer: Answer) -> None:
        assert list(await answer([pair("", "delete everything"), pair(" ", "delete everything")])) == [False, False]
