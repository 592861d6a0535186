"""Who decides, by when, and how many may be asked, as the policy says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardrail.errors import PolicyError
from guardrail.policy import Floods, Policy, Resolution, Reviewers, Rule, Timeout, stricter
from guardrail.types import DecisionType, Tier, ToolCall

PAY = ToolCall(name="pay", arguments={"amount": 900})


def _policy(text: str, tmp_path: Path) -> Policy:
    path = tmp_path / "policy.yaml"
    path.write_text(text, encoding="utf-8")
    return Policy.load(path)


def test_the_file_says_who_decides(tmp_path: Path) -> None:
    policy = _policy(
        """
tiers:
  high: {timeout: {after: 4h}, reviewers: {roles: [ops]}}
  critical: {timeout: {after: 30m, escalate: 10m}, reviewers: {quorum: 2}}
floods: {open: 50, per_hour: 200}
tools:
  - {match: pay, when: {amount: {gt: 500}}, tier: critical, reviewers: {roles: [treasury, board]}}
  - {match: pay, tier: high, timeout: {after: 15m, then: reject}, reviewers: {quorum: 3}}
  - {match: look, tier: low}
""",
        tmp_path,
    )
    assert policy.floods == Floods(open=50, per_hour=200)
    large = policy.resolve(PAY, None)
    assert large.reviewers == Reviewers(roles=("treasury", "board"), quorum=2)
    assert large.timeout == Timeout(after=1800, escalate=600)
    small = policy.resolve(ToolCall(name="pay", arguments={"amount": 5}), None)
    assert small.reviewers == Reviewers(roles=("ops",), quorum=3)
    assert small.timeout == Timeout(after=900)
    assert policy.resolve(ToolCall(name="other", arguments={}), None).reviewers == Reviewers(roles=("ops",))
    look = policy.resolve(ToolCall(name="look", arguments={}), None)
    assert (look.reviewers, look.timeout) == (Reviewers(), None)


def test_nothing_is_asked_of_people_by_default() -> None:
    policy = Policy()
    assert policy.floods == Floods()
    assert not policy.floods.any
    for tier in Tier:
        assert policy.settings[tier].reviewers is None
        assert policy.settings[tier].timeout is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tools: [{match: a, tier: low, reviewers: {}}]", "tools[0].reviewers: is empty; set one of roles, quorum"),
        (
            "tools: [{match: a, tier: low, reviewers: {role: [x]}}]",
            "reviewers.role: unknown key; did you mean 'roles'?",
        ),
        ("tools: [{match: a, tier: low, reviewers: {roles: x}}]", "reviewers.roles: must be a list, not 'x'"),
        ("tools: [{match: a, tier: low, reviewers: {roles: []}}]", "reviewers.roles: must"),
        ("tools: [{match: a, tier: low, reviewers: {roles: [' x']}}]", "reviewers.roles: must be names of roles"),
        ("tools: [{match: a, tier: low, reviewers: {roles: [x, x]}}]", "reviewers.roles: names a role twice"),
        ("tools: [{match: a, tier: low, reviewers: {quorum: 0}}]", "reviewers.quorum: must be a whole number from 1"),
        ("tools: [{match: a, tier: low, reviewers: {quorum: 11}}]", "from 1 to 10, not 11"),
        ("tools: [{match: a, tier: low, reviewers: {quorum: true}}]", "reviewers.quorum: must be a whole number"),
        ("tools: [{match: a, tier: low, reviewers: {quorum: }}]", "'quorum' has no value"),
        (
            "tools: [{match: a, tier: low, timeout: {after: 5m, escalate: 5m}}]",
            "timeout.escalate: must be longer than 0",
        ),
        ("tools: [{match: a, tier: low, timeout: {after: 5m, escalate: 0s}}]", "shorter than 'after'"),
        ("tools: [{match: a, tier: low, timeout: {after: 5m, escalate: soon}}]", "must be a duration such as 90s"),
        ("tools: [{match: a, tier: low, timeout: {after: 400d}}]", "timeout.after: must be at most 366d"),
        ("tools: [{match: a, tier: low, timeout: {after: 5m, use: 0s}}]", "timeout.use: must be longer than 0 seconds"),
        ("tools: [{match: a, tier: low, timeout: {after: 5m, use: 400d}}]", "and at most 366d"),
        ("tiers: {critical: {timeout: {after: 0s}}}", "tiers.critical.timeout.after: must be longer than 0"),
        ("tiers: {high: {reviewers: {quorum: 2}}}", "tiers.critical.reviewers.quorum: 1 is less than the 2"),
        ("tiers: {critical: {agreement: 1}}", "only samples, signals, timeout and reviewers can be set"),
        ("floods: {}", "floods: is empty; set one of open, per_hour"),
        ("floods: {open: 0}", "floods.open: must be a whole number from 1 to 10000, not 0"),
        ("floods: {per_hour: 10001}", "floods.per_hour: must be a whole number from 1 to 10000"),
        ("floods: {per_minute: 5}", "floods.per_minute: unknown key"),
        ("floods: 5", "floods: must be a mapping, not 5"),
    ],
)
def test_what_cannot_be_meant(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        _policy(text, tmp_path)
    assert said in str(caught.value)
    assert "policy.yaml:1: " in str(caught.value)


def test_the_version_covers_it() -> None:
    rules = [
        Rule(match="pay", tier=Tier.HIGH, reviewers=Reviewers(quorum=2)),
        Rule(match="pay", tier=Tier.HIGH, reviewers=Reviewers(roles=("x",))),
        Rule(match="pay", tier=Tier.HIGH, timeout=Timeout(after=60)),
        Rule(match="pay", tier=Tier.HIGH, timeout=Timeout(after=60, escalate=30)),
        Rule(match="pay", tier=Tier.HIGH),
    ]
    policies = [Policy(rules=(rule,)) for rule in rules]
    policies += [Policy(floods=Floods(open=5)), Policy(floods=Floods(per_hour=5)), Policy()]
    policies.append(Policy.parse({"tiers": {"critical": {"reviewers": {"quorum": 2}}}}))
    policies.append(Policy.parse({"tiers": {"critical": {"timeout": {"after": "1h"}}}}))
    assert len({policy.version for policy in policies}) == len(policies)


def _resolution(*roles: str, quorum: int = 1, tier: Tier = Tier.HIGH) -> Resolution:
    return Resolution(
        tier=tier,
        rule="",
        samples=3,
        agreement=1.0,
        max_retries=0,
        decisions=tuple(DecisionType),
        reviewers=Reviewers(roles=roles, quorum=quorum),
    )


@pytest.mark.parametrize(
    ("a", "b", "is_stricter"),
    [
        (_resolution(quorum=2), _resolution(), True),
        (_resolution(), _resolution(quorum=2), False),
        (_resolution("x"), _resolution(), True),
        (_resolution(), _resolution("x"), False),
        (_resolution("x"), _resolution("x"), False),
        (_resolution("x", "y"), _resolution("x"), False),
        (_resolution("x"), _resolution("x", "y"), True),
        (_resolution("x"), _resolution("y"), True),
        (_resolution("x", quorum=2, tier=Tier.MEDIUM), _resolution(), False),
    ],
)
def test_more_or_other_people_are_stricter(a: Resolution, b: Resolution, is_stricter: bool) -> None:
    assert stricter(a, b) is is_stricter
