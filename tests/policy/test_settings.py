"""What a tier asks for, as a number of samples, as YAML and as Python, and the version that names it all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.policy import TIER_DEFAULTS, Policy, Resolution, Rule, TierSettings, stricter
from guardrail.types import DecisionType, Route, Tier, ToolCall, ToolSpec

PAY = ToolSpec(name="pay", parameters={"type": "object", "properties": {"amount": {"type": "number"}, "memo": {}}})


def call(name: str = "pay") -> ToolCall:
    return ToolCall(name=name, arguments={})


class TestNeeded:
    @pytest.mark.parametrize(
        ("agreement", "n", "needed"),
        [
            (2 / 3, 3, 2),
            (2 / 3, 6, 4),
            (2 / 3, 8, 6),
            (4 / 5, 5, 4),
            (0.8, 10, 8),
            (0.1, 3, 1),
            (1.0, 8, 8),
            (0.7, 10, 7),
            (0.07, 100, 7),
            (11 / 20, 100, 55),
            (1.0, 0, 1),
            (1e-9, 5, 1),
        ],
    )
    def test_smallest_number_that_reaches_the_share(self, agreement: float, n: int, needed: int) -> None:
        found = Resolution(tier=Tier.LOW, rule="", samples=n, agreement=agreement, max_retries=0)
        assert found.needed == found.needed_of(n) == needed

    @given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 100))
    def test_exact_for_every_fraction(self, numerator: int, denominator: int, n: int) -> None:
        numerator = min(numerator, denominator)
        found = Resolution(tier=Tier.LOW, rule="", samples=3, agreement=numerator / denominator, max_retries=0)
        assert found.needed_of(n) == -(-numerator * n // denominator)


class TestStricter:
    def resolution(self, which: Tier, *decisions: DecisionType) -> Resolution:
        return Resolution(
            tier=which, rule="", samples=3, agreement=1, max_retries=0, decisions=decisions or tuple(DecisionType)
        )

    def test_by_tier(self) -> None:
        assert stricter(self.resolution(Tier.CRITICAL), self.resolution(Tier.HIGH))
        assert not stricter(self.resolution(Tier.HIGH), self.resolution(Tier.CRITICAL, DecisionType.REJECT))
        assert not stricter(self.resolution(Tier.HIGH), self.resolution(Tier.HIGH))

    def test_by_a_decision_that_is_withheld(self) -> None:
        reject_only = self.resolution(Tier.CRITICAL, DecisionType.REJECT)
        assert stricter(reject_only, self.resolution(Tier.CRITICAL))
        assert not stricter(self.resolution(Tier.CRITICAL), reject_only)


class TestSettings:
    def test_a_tier_can_be_set(self) -> None:
        policy = Policy.parse(
            {
                "tiers": {
                    "low": {"samples": 4, "agreement": "1/2", "unmeasured": "execute", "logprob": None, "audit": 0.1},
                    "critical": {"samples": 0},
                },
                "default": {"tier": "low"},
                "tools": [{"match": "pay", "tier": "critical"}],
            }
        )
        found = policy.resolve(call("look"), None)
        assert (found.samples, found.needed, found.unmeasured, found.logprob, found.audit) == (
            4,
            2,
            Route.EXECUTE,
            None,
            0.1,
        )
        assert policy.resolve(call(), PAY).samples == 0
        assert policy.resolve(call(), PAY).needed == 1

    def test_python_and_yaml_forms_are_one_policy(self) -> None:
        yaml = Policy.parse(
            {
                "tiers": {"medium": {"samples": 6}},
                "tools": [
                    {
                        "match": "pay",
                        "tier": "medium",
                        "when": {"amount": {"in": [1, 2]}},
                        "arguments": {"memo": "text"},
                    }
                ],
            }
        )
        python = Policy(
            tiers={Tier.MEDIUM: TierSettings(samples=6, agreement=TIER_DEFAULTS[Tier.MEDIUM].agreement)},
            rules=(
                Rule(match=("pay",), tier=Tier.MEDIUM, when={"amount": {"in": [1, 2]}}, arguments={"memo": "text"}),
            ),
        )
        assert yaml.version == python.version

    def test_a_rule_gives_decisions_comparators_and_timeout(self) -> None:
        policy = Policy.parse(
            {
                "tools": [
                    {
                        "match": "pay",
                        "tier": "high",
                        "decisions": ["approve", "reject"],
                        "timeout": {"after": "15m", "then": "reject"},
                        "arguments": {"memo": "ignore"},
                    }
                ]
            }
        )
        found = policy.resolve(call(), PAY)
        assert found.decisions == (DecisionType.APPROVE, DecisionType.REJECT)
        assert found.comparators == {"memo": "ignore"}
        assert found.timeout is not None
        assert (found.timeout.after, found.timeout.then) == (900.0, DecisionType.REJECT)

    @pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1.5h", 5400), ("2 d", 172800), (30, 30)])
    def test_durations(self, text: object, seconds: float) -> None:
        policy = Policy.parse({"tools": [{"match": "pay", "tier": "high", "timeout": {"after": text}}]})
        timeout = policy.resolve(call(), PAY).timeout
        assert timeout is not None
        assert timeout.after == seconds


def test_the_version_says_what_the_policy_says() -> None:
    first = Policy.parse({"default": {"tier": "high"}})
    assert first.version == Policy().version
    assert first.version != Policy(default=Tier.LOW).version
    assert (
        Policy(rules=(Rule(match="a", tier=Tier.LOW, when=len),)).version
        != Policy(rules=(Rule(match="a", tier=Tier.LOW, when=any),)).version
    )
