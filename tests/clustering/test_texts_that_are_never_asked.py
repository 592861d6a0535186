"""Texts that a deterministic guard separates, so that no judge of language can merge them."""

from __future__ import annotations

import pytest

from tests.clustering.calls import asked, same

STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("refund 50 euros to the customer", "refund 500 euros to the customer"),
        ("invite three people to lunch", "invite four people to lunch"),
        ("pay 5 from account 7", "pay 7 from account 5"),
        ("raise the limit to 1.5 percent", "raise the limit to 15 percent"),
        ("it costs $20", "it costs €20"),
        ("invoice INV-1042 is wrong", "invoice ORD-1042 is wrong"),
        ("meet on 2024-05-01 in the office", "meet on 2024-05-02 in the office"),
        ("meet on May 1, 2024 in the office", "meet on May 2, 2024 in the office"),
        ("deliver it on Monday please", "deliver it on Tuesday please"),
        ("the report for June", "the report for July"),
        ("call me tomorrow", "call me today"),
        ("write to ann@site.org about it", "write to anne@site.org about it"),
        ("see https://site.org/a for more", "see https://site.org/b for more"),
        ("delete the file /tmp/a now", "delete the file /tmp/b now"),
        ("ask @ann to look at it", "ask @bob to look at it"),
        ("please cancel my order", "please do not cancel my order"),
        ("the customer agreed", "the customer never agreed"),
        ("the customer didn't agree", "the customer did agree"),
        ("pizza with cheese", "pizza without cheese"),
        ("the invoice is paid", "the invoice is unpaid"),
        ("a legal request", "an illegal request"),
        ("turn the heating on", "turn the heating off"),
        ("buy the shares", "sell the shares"),
        ("unlock the door", "lock the door"),
        ("move money from savings to checking", "move money from checking to savings"),
        ("Ann owes more than Bob", "Bob owes more than Ann"),
        ("watch Rocky II tonight", "watch Rocky III tonight"),
        ("total - discount", "discount - total"),
        ("weight / height", "height / weight"),
        ("any", "maroon"),
        ("all", "drafts"),
    ],
)
def test_separated_before_anybody_is_asked(a, b):
    assert not same(STRING, a, b, name="memo")
    assert asked(STRING, a, b, name="memo") == []
    assert asked(STRING, a, b, name="memo", comparators={"memo": "text"}) == []


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("cancel the order", "please cancel my order"),
        ("meet on 2024-05-01 at the office", "meet at the office on May 1, 2024"),
        ("invite 3 people", "invite three guests"),
        ("do not ship it", "don't ship it"),
        ("the invoice isn't paid yet", "the invoice is not paid so far"),
        ("weather in India", "India weather"),
    ],
)
def test_put_to_a_judge(a, b):
    assert not same(STRING, a, b, name="memo")
    assert asked(STRING, a, b, name="memo") == [tuple(sorted((a, b)))]
