"""The joint log-probability from the first call to the end of the turn."""

from __future__ import annotations

import pytest

from guardrail.signals import Evidence, Registry
from guardrail.types import Sample, Signal, Token, ToolCall

CALLS = (ToolCall(name="pay", arguments={"to": "bob"}), ToolCall(name="note", arguments={"text": "x"}))
WRITTEN = [
    ("Sure", -1.0),
    (' {"name": "', -2.0),
    ("pay", -0.1),
    ('", "arguments": {"to": "', -0.2),
    ("bob", -0.3),
    ('"}}\n', -0.4),
    ('{"name": "', -0.5),
    ("note", -0.6),
    ('", "arguments": {"text": "', 0.0000001),
    ("x", -0.7),
    ('"}}', -0.8),
    ("", -0.9),
]


def turn(written: list[tuple[str, float]], index: int = 0, calls: tuple[ToolCall, ...] = CALLS) -> Signal:
    tokens = tuple(Token(text=text, logprob=logprob) for text, logprob in written)
    (found,) = Registry().measure(["logprob_turn"], Evidence(planned=Sample(calls=calls, tokens=tokens), index=index))
    return found


@pytest.mark.parametrize("index", [0, 1])
def test_it_counts_from_the_first_name_to_the_end_for_every_call(index: int) -> None:
    assert turn(WRITTEN, index).value == pytest.approx(-0.1 - 0.2 - 0.3 - 0.4 - 0.5 - 0.6 - 0.7 - 0.8 - 0.9)


def test_a_second_turn_of_the_same_tokens_starts_at_its_own_first_name() -> None:
    same = [("pay", -5.0), *WRITTEN]
    assert turn(same).value == turn(WRITTEN).value


def test_words_in_front_do_not_count_and_words_behind_do() -> None:
    assert turn([("Well, ", -3.0), *WRITTEN]).value == turn(WRITTEN).value
    later = turn([*WRITTEN, ("done", -1.5)]).value
    assert later == pytest.approx((turn(WRITTEN).value or 0.0) - 1.5)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ([], "no log-probabilities"),
        (WRITTEN[:6], "do not spell"),
        ([*WRITTEN[:-1], ("", float("nan"))], "not a log-probability"),
        ([*WRITTEN[:-1], ("", -9999.0)], "only said to be below"),
    ],
)
def test_it_is_missing_where_the_tokens_are_not_known(written: list[tuple[str, float]], says: str) -> None:
    found = turn(written)
    assert found.value is None
    assert says in (found.missing or "")
