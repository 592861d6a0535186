"""Conditions on arguments: three outcomes, and hostile text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.policy import Policy, Rule
from guardrail.types import Tier, ToolCall, ToolSpec

TOOL = ToolSpec(
    name="t",
    parameters={
        "type": "object",
        "properties": {
            "x": {},
            "to": {"$ref": "#/$defs/Address"},
            "maybe": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Address"}]},
        },
        "$defs": {
            "Address": {"type": "object", "properties": {"country": {"type": "string"}, "zip": {"default": "0000"}}}
        },
    },
)


def outcome(condition: dict[str, object], arguments: dict[str, object]) -> bool | None:
    """True, False, or None for unclear: seen from how a stricter and a laxer rule each take it."""
    planned = ToolCall(name="t", arguments=arguments)
    tighter = Policy(default=Tier.MEDIUM, rules=(Rule(match="t", when=condition, tier=Tier.CRITICAL),))
    laxer = Policy(default=Tier.MEDIUM, rules=(Rule(match="t", when=condition, tier=Tier.LOW),))
    tightens = tighter.resolve(planned, TOOL).tier is Tier.CRITICAL
    loosens = laxer.resolve(planned, TOOL).tier is Tier.LOW
    assert not loosens or tightens, "what may loosen must also tighten"
    return None if tightens and not loosens else tightens


@pytest.mark.parametrize(
    ("test", "value", "expected"),
    [
        ({"eq": "prod"}, "prod", True),
        ({"eq": "prod"}, "staging", False),
        ({"eq": "prod"}, "PROD", None),
        ({"eq": "prod"}, " prod ", None),
        ({"eq": "prod"}, "pr\u200bod", None),
        ({"eq": "prod"}, "\uff50rod", None),
        ({"eq": "prod"}, 5, None),
        ({"eq": "prod"}, None, None),
        ({"ne": "prod"}, "prod", False),
        ({"ne": "prod"}, "PROD", None),
        ({"ne": "prod"}, "dev", True),
        ({"eq": 5}, 5.0, True),
        ({"eq": 5}, "5", True),
        ({"eq": 5}, True, None),
        ({"eq": 1}, True, None),
        ({"eq": "5"}, 5, True),
        ({"eq": "10"}, "10.0", None),
        ({"eq": "5"}, "6", False),
        ({"eq": True}, True, True),
        ({"eq": True}, False, False),
        ({"eq": True}, "true", None),
        ({"eq": True}, 1, None),
        ({"ge": 5}, 5, True),
        ({"lt": 5}, 5, False),
        ({"lt": 0.1}, 0.1, False),
        ({"le": 0.1}, "0.1", True),
        ({"in": ["EUR", "USD"]}, "EUR", True),
        ({"in": ["EUR", "USD"]}, "GBP", False),
        ({"in": ["EUR", "USD"]}, "eur", None),
        ({"not_in": ["EUR", "USD"]}, "GBP", True),
        ({"not_in": ["EUR", "USD"]}, "EUR", False),
        ({"not_in": ["EUR", "USD"]}, "eur", None),
        ({"not_in": ["EUR", "USD"]}, ["EUR"], None),
        ({"in": [1, 2]}, "2", True),
        ({"matches": r"[a-z]+@corp\.com"}, "bob@corp.com", True),
        ({"matches": r"[a-z]+@corp\.com"}, "bob@corp.com.evil.org", False),
        ({"matches": r"[a-z]+@corp\.com"}, "eve@evil.org,bob@corp.com", False),
        ({"matches": r"[a-z]+@corp\.com"}, "bob@corp.com\n", None),
        ({"matches": r"[a-z]+@corp\.com"}, "BOB@corp.com", None),
        ({"matches": r".*"}, "x" * 513, None),
        ({"matches": r"\d+"}, 5, None),
        ({"contains": "rm -rf"}, "sudo rm -rf /", True),
        ({"contains": "rm -rf"}, "sudo RM  -rf /", None),
        ({"contains": "rm -rf"}, "ls", False),
        ({"contains": "bob"}, ["al", "bob"], True),
        ({"contains": "bob"}, ["al"], False),
        ({"contains": "bob"}, ["al", 5], None),
        ({"contains": "bob"}, {"bob": 1}, None),
        ({"exists": True}, 0, True),
        ({"exists": True}, None, False),
        ({"exists": False}, None, True),
        ({"gt": 1, "lt": 5}, 3, True),
        ({"gt": 1, "lt": 5}, 7, False),
        ({"gt": 1, "lt": 5}, "x", None),
    ],
)
def test_operators(test: dict[str, object], value: object, expected: bool | None) -> None:
    assert outcome({"x": test}, {"x": value}) is expected


def test_all_conditions_must_hold_and_a_mismatch_outweighs_doubt() -> None:
    both = {"x": {"gt": 5}, "to.country": {"eq": "DE"}}
    assert outcome(both, {"x": 6, "to": {"country": "DE"}}) is True
    assert outcome(both, {"x": 6, "to": {"country": "FR"}}) is False
    assert outcome(both, {"x": "?", "to": {"country": "DE"}}) is None
    assert outcome(both, {"x": "?", "to": {"country": "FR"}}) is False


class TestPaths:
    def test_dotted(self) -> None:
        assert outcome({"to.country": {"eq": "DE"}}, {"to": {"country": "DE"}}) is True

    def test_a_text_where_an_object_belongs_is_unclear(self) -> None:
        assert outcome({"to.country": {"eq": "DE"}}, {"to": '{"country": "DE"}'}) is None
        assert outcome({"to.country": {"eq": "DE"}}, {"to": [{"country": "DE"}]}) is None

    def test_a_key_with_dots_beside_the_nested_one_is_unclear(self) -> None:
        assert outcome({"to.country": {"eq": "DE"}}, {"to.country": "DE"}) is True
        assert outcome({"to.country": {"eq": "DE"}}, {"to.country": "FR", "to": {"country": "DE"}}) is None

    def test_a_missing_nested_argument(self) -> None:
        assert outcome({"to.country": {"eq": "DE"}}, {"to": {}}) is None
        assert outcome({"to.zip": {"eq": "0000"}}, {"to": {}}) is True
        assert outcome({"maybe.zip": {"eq": "0000"}}, {}) is True
        assert outcome({"to.nothing": {"eq": "DE"}}, {"to": {}}) is False

    def test_exists_says_whether_it_was_given(self) -> None:
        assert outcome({"x": {"exists": True}}, {}) is False
        assert outcome({"x": {"exists": False}}, {}) is True
        assert outcome({"to.zip": {"exists": True}}, {"to": 5}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(
    JSON,
    st.sampled_from(
        [
            {"eq": 5},
            {"eq": "a"},
            {"eq": True},
            {"ne": "a"},
            {"gt": 1},
            {"le": 1},
            {"in": [1, "a"]},
            {"not_in": ["a"]},
            {"matches": "a.*"},
            {"contains": "a"},
        ]
    ),
)
def test_no_argument_makes_a_condition_fail(value: object, test: dict[str, object]) -> None:
    assert outcome({"x": test}, {"x": value}) in (True, False, None)


@given(JSON, st.text(min_size=1))
def test_not_equal_is_the_opposite_of_equal(value: object, operand: str) -> None:
    equal, unequal = outcome({"x": {"eq": operand}}, {"x": value}), outcome({"x": {"ne": operand}}, {"x": value})
    assert (equal is None) == (unequal is None)
    assert equal is None or equal is not unequal
