"""What applies to a call."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.policy import Policy, Rule
from guardrail.types import DecisionType, Route, Tier, ToolCall, ToolSpec

PAY = ToolSpec(
    name="pay",
    parameters={
        "type": "object",
        "properties": {"amount": {"type": "number"}, "fee": {"type": "number", "default": 900}, "memo": {}},
    },
)


def call(name: str = "pay", **arguments: object) -> ToolCall:
    return ToolCall(name=name, arguments=arguments)


def tier(policy: Policy, planned: ToolCall, tool: ToolSpec | None = PAY) -> Tier:
    return policy.resolve(planned, tool).tier


def above_500() -> Policy:
    return Policy.parse(
        {
            "tools": [
                {"match": "pay", "when": {"amount": {"gt": 500}}, "tier": "critical"},
                {"match": "pay", "tier": "low"},
            ]
        }
    )


def test_an_empty_policy_puts_every_tool_into_the_high_tier() -> None:
    found = Policy().resolve(call("anything", x=1), None)
    assert (found.tier, found.rule, found.samples, found.needed) == (Tier.HIGH, "default", 8, 8)
    assert found.unmeasured is Route.REVIEW
    assert found.decisions == tuple(DecisionType)


@pytest.mark.parametrize(
    ("which", "samples", "needed", "retries"),
    [(Tier.LOW, 3, 2, 1), (Tier.MEDIUM, 5, 4, 1), (Tier.HIGH, 8, 8, 1), (Tier.CRITICAL, 8, 8, 0)],
)
def test_defaults_of_each_tier(which: Tier, samples: int, needed: int, retries: int) -> None:
    found = Policy(default=which).resolve(call(), PAY)
    assert (found.samples, found.needed, found.max_retries) == (samples, needed, retries)
    assert found.audit == 0.0
    assert found.logprob == (math.log(0.5) if which is Tier.LOW else None)


def test_the_first_rule_that_matches_decides_and_names_itself() -> None:
    policy = above_500()
    assert policy.resolve(call(amount=501), PAY).rule == "tools[0]: pay when amount > 500"
    assert policy.resolve(call(amount=500), PAY).rule == "tools[1]: pay"


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("read", "read", True),
        ("read", "read_and_delete", False),
        ("read", "unread", False),
        ("read", "Read", False),
        ("read*", "read_and_delete", True),
        ("*", "", True),
        ("*_file", "_file", True),
        ("a*a", "a", False),
        ("a*b*c", "a-b-c", True),
        ("a*b*c", "a-c-b", False),
        ("ab*ba", "aba", False),
        ("rea?", "read", False),
        ("rea?", "rea?", True),
        ("[rd]ead", "read", False),
        ("re.d", "read", False),
        ("a*", "a\nb", True),
    ],
)
def test_only_the_star_is_a_wildcard(pattern: str, name: str, matches: bool) -> None:
    policy = Policy(rules=(Rule(match=pattern, tier=Tier.LOW),))
    assert tier(policy, call(name), None) is (Tier.LOW if matches else Tier.HIGH)


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_wildcards_match_what_the_regular_expression_would(pattern: str, name: str) -> None:
    import re

    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None
    policy = Policy(rules=(Rule(match=pattern or "*", tier=Tier.LOW),))
    assert (tier(policy, call(name), None) is Tier.LOW) is (expected or not pattern)


def test_a_rule_may_name_several_tools() -> None:
    policy = Policy.parse({"tools": [{"match": ["a", "b_*"], "tier": "low"}]})
    assert [tier(policy, call(name), None) for name in ("a", "b_1", "c")] == [Tier.LOW, Tier.LOW, Tier.HIGH]


class TestDoubtOnlyTightens:
    """An argument that cannot be judged is neither a match nor a mismatch."""

    @pytest.mark.parametrize(
        "amount",
        [
            True,
            None,
            "a lot",
            "1,000",
            "1_000",
            "1000 EUR",
            "",
            [1000],
            {"value": 1},
            math.nan,
            math.inf,
            "nan",
            "inf",
            "1e99999",
        ],
    )
    def test_an_amount_that_is_no_number_meets_the_stricter_rule(self, amount: object) -> None:
        found = above_500().resolve(call(amount=amount), PAY)
        assert found.tier is Tier.CRITICAL
        assert "cannot be told" in found.rule

    def test_a_missing_argument_meets_the_stricter_rule(self) -> None:
        assert tier(above_500(), call()) is Tier.CRITICAL

    @pytest.mark.parametrize(
        "amount", ["1000", " 1000 ", "1e3", "1000.0", "+1000", "\uff11\uff10\uff10\uff10", 501, 500.01, 10**30]
    )
    def test_a_number_counts_however_it_is_written(self, amount: object) -> None:
        found = above_500().resolve(call(amount=amount), PAY)
        assert found.rule == "tools[0]: pay when amount > 500"

    @pytest.mark.parametrize("amount", [500, "500", 0, -1, "5e2", "-1e3"])
    def test_a_number_below_does_not_match(self, amount: object) -> None:
        assert tier(above_500(), call(amount=amount)) is Tier.LOW

    def test_a_laxer_rule_is_skipped_where_it_is_unclear(self) -> None:
        policy = Policy.parse(
            {
                "tools": [
                    {"match": "pay", "when": {"amount": {"le": 50}}, "tier": "low"},
                    {"match": "pay", "tier": "medium"},
                ]
            }
        )
        assert tier(policy, call(amount="10")) is Tier.LOW
        assert tier(policy, call(amount="ten")) is Tier.MEDIUM
        assert tier(policy, call()) is Tier.MEDIUM

    def test_the_strictest_of_several_unclear_rules_decides(self) -> None:
        policy = Policy.parse(
            {
                "tools": [
                    {"match": "pay", "when": {"amount": {"gt": 5}}, "tier": "high"},
                    {"match": "pay", "when": {"amount": {"gt": 50}}, "tier": "critical"},
                    {"match": "pay", "tier": "low"},
                ]
            }
        )
        assert tier(policy, call(amount="?")) is Tier.CRITICAL

    def test_a_declared_default_counts_as_given(self) -> None:
        policy = Policy.parse({"tools": [{"match": "pay", "when": {"fee": {"gt": 500}}, "tier": "critical"}]})
        assert policy.resolve(call(), PAY).rule == "tools[0]: pay when fee > 500"
        assert tier(policy, call(fee=1)) is Tier.HIGH

    def test_an_argument_that_the_tool_cannot_have_meets_no_condition(self) -> None:
        policy = Policy.parse(
            {"tools": [{"match": "*", "when": {"amount": {"ne": 5}}, "tier": "critical"}], "default": {"tier": "low"}}
        )
        other = ToolSpec(name="look", parameters={"type": "object", "properties": {"what": {}}})
        assert tier(policy, call("look"), other) is Tier.LOW
        assert tier(policy, call("look"), ToolSpec(name="look")) is Tier.LOW
        assert tier(policy, call("look", amount=6), other) is Tier.CRITICAL
        assert tier(policy, call("look"), None) is Tier.CRITICAL
        assert (
            tier(policy, call("look"), ToolSpec(name="look", parameters={"additionalProperties": True}))
            is Tier.CRITICAL
        )

    @given(
        st.one_of(st.none(), st.booleans(), st.lists(st.integers()), st.dictionaries(st.text(), st.integers())),
        st.sampled_from(list(Tier)),
        st.sampled_from(list(Tier)),
    )
    def test_what_is_no_number_gets_the_stricter_of_both_rules(self, amount: object, first: Tier, second: Tier) -> None:
        rules = (Rule(match="pay", when={"amount": {"gt": 500}}, tier=first), Rule(match="pay", tier=second))
        assert tier(Policy(rules=rules), call(amount=amount)) is max(first, second, key=lambda each: each.rank)


class TestAnnotations:
    """Hints are the tool server's claims."""

    READS = {"match": "*", "annotations": {"readOnlyHint": True}, "tier": "low"}

    def spec(self, name: str = "look", **annotations: object) -> ToolSpec:
        return ToolSpec(name=name, annotations=annotations)

    def test_a_hint_is_believed_where_the_policy_says_nothing_else(self) -> None:
        policy = Policy.parse({"tools": [self.READS]})
        assert tier(policy, call("look"), self.spec(readOnlyHint=True)) is Tier.LOW
        assert tier(policy, call("look"), self.spec(readOnlyHint=False)) is Tier.HIGH

    @pytest.mark.parametrize("annotations", [{}, {"readOnlyHint": "true"}, {"readOnlyHint": 1}, {"readOnlyHint": None}])
    def test_a_missing_or_odd_hint_lowers_nothing(self, annotations: dict[str, object]) -> None:
        assert tier(Policy.parse({"tools": [self.READS]}), call("look"), self.spec(**annotations)) is Tier.HIGH
        assert tier(Policy.parse({"tools": [self.READS]}), call("look"), None) is Tier.HIGH

    def test_a_missing_hint_tightens(self) -> None:
        policy = Policy.parse(
            {
                "default": {"tier": "low"},
                "tools": [{"match": "*", "annotations": {"destructiveHint": True}, "tier": "critical"}],
            }
        )
        assert tier(policy, call("look"), self.spec()) is Tier.CRITICAL
        assert tier(policy, call("look"), self.spec(destructiveHint=False)) is Tier.LOW
        assert tier(policy, call("look"), self.spec(readOnlyHint=True)) is Tier.LOW
        assert tier(policy, call("look"), self.spec(readOnlyHint=True, destructiveHint=True)) is Tier.CRITICAL

    def test_a_hint_yields_to_names_only_not_to_later_patterns(self) -> None:
        policy = Policy.parse({"tools": [self.READS, {"match": "*", "tier": "critical"}]})
        assert tier(policy, call("look"), self.spec(readOnlyHint=True)) is Tier.LOW
        assert tier(policy, call("look"), self.spec()) is Tier.CRITICAL

    def test_a_hint_never_lowers_what_the_policy_says_by_name(self) -> None:
        policy = Policy.parse({"tools": [self.READS, {"match": "wipe", "tier": "critical"}]})
        found = policy.resolve(call("wipe"), self.spec("wipe", readOnlyHint=True))
        assert (found.tier, found.rule) == (Tier.CRITICAL, "tools[1]: wipe")

    def test_an_unclear_rule_by_name_also_holds_against_a_hint(self) -> None:
        named = {"match": "wipe", "when": {"rows": {"gt": 5}}, "tier": "critical"}
        policy = Policy.parse({"tools": [self.READS, named]})
        tool = ToolSpec(name="wipe", annotations={"readOnlyHint": True}, parameters={"properties": {"rows": {}}})
        assert tier(policy, call("wipe", rows="many"), tool) is Tier.CRITICAL
        assert tier(policy, call("wipe", rows=2), tool) is Tier.LOW

    def test_a_hint_may_tighten_what_the_policy_says_by_name(self) -> None:
        policy = Policy.parse(
            {
                "tools": [
                    {"match": "*", "annotations": {"destructiveHint": True}, "tier": "critical"},
                    {"match": "wipe", "tier": "low"},
                ]
            }
        )
        assert tier(policy, call("wipe"), self.spec("wipe", destructiveHint=True)) is Tier.CRITICAL


class TestFunctions:
    """``when`` as a Python function."""

    def test_it_sees_the_call(self) -> None:
        policy = Policy(
            rules=(Rule(match="pay", when=lambda planned: planned.arguments["amount"] > 5, tier=Tier.CRITICAL),)
        )
        assert tier(policy, call(amount=6)) is Tier.CRITICAL
        assert tier(policy, call(amount=5)) is Tier.HIGH

    @pytest.mark.parametrize("rest", list(Tier))
    def test_one_that_fails_asks_a_human(self, rest: Tier) -> None:
        policy = Policy(
            rules=(
                Rule(match="pay", when=lambda planned: planned.arguments["x"], tier=Tier.LOW),
                Rule(match="pay", tier=rest),
            )
        )
        found = policy.resolve(call(), PAY)
        assert found.tier is Tier.CRITICAL
        assert "raised KeyError" in found.rule

    @pytest.mark.parametrize("answer", [1, None, "yes", []])
    def test_one_that_does_not_answer_asks_a_human(self, answer: object) -> None:
        policy = Policy(rules=(Rule(match="pay", when=lambda _: answer, tier=Tier.LOW),))
        assert tier(policy, call()) is Tier.CRITICAL

    def test_it_cannot_change_the_call(self) -> None:
        def greedy(planned: ToolCall) -> bool:
            planned.arguments["amount"] = 1_000_000
            return False

        planned = call(amount=1)
        Policy(rules=(Rule(match="pay", when=greedy, tier=Tier.LOW),)).resolve(planned, PAY)
        assert planned.arguments == {"amount": 1}
