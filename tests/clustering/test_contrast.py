"""Words that rule each other out separate two texts, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.clustering import narrows, never_same, wording
from tests.clustering.calls import asked

STRING = {"type": "string"}

CONTRASTS = [
    ("a trip of 5 kilometres", "a trip of 5 miles"),
    ("twenty dollars", "twenty euros"),
    ("20 degrees Celsius", "20 degrees Fahrenheit"),
    ("50 micrograms daily", "50 milligrams daily"),
    ("take it weekly", "take it monthly"),
    ("a red bicycle", "a green bicycle"),
    ("the third chapter", "the fourth chapter"),
    ("pay half of it", "pay a quarter of it"),
    ("contact every supplier", "contact one supplier"),
    ("at least five samples", "at most five samples"),
    ("raise it by 5", "raise it to 5"),
    ("hire the candidate", "fire the candidate"),
    ("she agreed to it", "she refused it"),
    ("upgrade the database", "downgrade the database"),
    ("encrypt the disk", "decrypt the disk"),
    ("vertebrate animals", "invertebrate animals"),
    ("careful handling", "careless handling"),
    ("the employer signed", "the employee signed"),
    ("my wife", "my ex-wife"),
    ("the minister", "the former minister"),
    ("Emma Clarke", "Emily Clarke"),
    ("Portland, Maine", "Portland, Oregon"),
    ("Springfield, IL", "Springfield, MO"),
    ("Dundee United", "Dundee Rovers"),
    ("meet Anna at the station", "meet Clara at the station"),
    ("section b of the act", "section c of the act"),
    ("dog bites man", "man bites dog"),
    ("have the actor paint the poet", "have the poet paint the actor"),
]

OPEN = [
    ("fix the printer", "repair the printer"),
    ("the parcel arrived", "the parcel has arrived"),
    ("Berlin weather forecast", "weather forecast for Berlin"),
    ("water the plants each morning", "each morning water the plants"),
    ("apples and pears", "pears and apples"),
    ("Denver, CO", "Denver, Colorado"),
    ("Toronto, Canada", "Toronto, CA"),
    ("New York City, USA", "New York City, United States"),
    ("Fix the printer", "Repair the printer"),
    ("light gray", "light grey"),
    ("5 kilometres", "5 kilometers"),
    ("Lionel Messi", "Messi"),
    ("three chairs", "3 chairs"),
    ("the customer is angry", "the customer is furious"),
]


@pytest.mark.parametrize(("a", "b"), CONTRASTS)
def test_words_that_rule_each_other_out_separate_and_nobody_is_asked(a, b):
    assert never_same(a, b)
    assert never_same(b, a)
    assert asked(STRING, a, b, name="memo") == []


@pytest.mark.parametrize(("a", "b"), OPEN)
def test_other_differences_are_left_to_the_judge(a, b):
    assert not never_same(a, b)
    assert not never_same(b, a)


@pytest.mark.parametrize(
    ("a", "b", "argument", "expected"),
    [
        ("coconut", "coconut milk", "item", True),
        ("nurse", "head nurse", "title", True),
        ("Messi", "Lionel Messi", "player", False),
        ("renewable", "renewable energy", "energy_type", False),
        ("Treaty of Lisbon", "signing of the Treaty of Lisbon", "event", False),
        ("Coconut", "Coconut milk", "item", True),
        ("coconut", "palm", "item", False),
        ("coconut milk", "coconut cream", "item", False),
        ("send the invoice to the customer", "send the invoice to the customer again soon today", "note", False),
    ],
)
def test_a_common_word_more_narrows_a_short_value(a, b, argument, expected):
    assert narrows(a, b, said=argument) is expected
    assert narrows(b, a, said=argument) is expected


@pytest.mark.parametrize(
    ("a", "b", "only_a", "only_b"),
    [
        ("Please cancel the orders", "cancel my order", (), ()),
        ("organisational behaviour", "organizational behavior", (), ()),
        ("the metres of cable", "meters of cables", (), ()),
        ("parties planned", "a party planning", (), ()),
        ("onion soup", "onions", ("soup",), ()),
        ("Find information on tides", "tides", (), ()),
        ("find", "search", ("find",), ("search",)),
        ("ship it to the US", "ship it to us", ("us",), ()),
        ("rice", "noodles", ("rice",), ("noodl",)),
    ],
)
def test_the_wording_ignores_form_and_courtesy(a, b, only_a, only_b):
    found = wording(a, b)
    assert (found.only_a, found.only_b) == (only_a, only_b)


def test_what_is_said_beside_the_texts_is_not_missing_in_either():
    found = wording("Paris", "The capital is Paris", said="What is the capital of France?")
    assert (found.only_a, found.only_b, found.shared) == ((), (), ("paris",))
    assert wording("Paris", "The capital is Paris").adds


WORDS = st.lists(
    st.sampled_from(
        ["pay", "Ann", "Bob", "the", "to", "from", "red", "blue", "and", "order", "orders", "unfair", "fair"]
    ),
    max_size=6,
)
TEXTS = st.one_of(WORDS.map(" ".join), st.text(max_size=30))


@given(a=TEXTS, b=TEXTS)
def test_the_order_of_the_texts_changes_nothing_and_no_text_contrasts_with_itself(a, b):
    assert never_same(a, b) == never_same(b, a)
    assert not never_same(a, a)
    assert narrows(a, b) == narrows(b, a)
    turned = wording(b, a)
    assert (wording(a, b).only_a, wording(a, b).only_b) == (turned.only_b, turned.only_a)
