"""Everything that can be wrong in a policy is one message: where, what, and what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guardrail.errors import PolicyError
from guardrail.policy import TIER_DEFAULTS, Policy, Rule, TierSettings, Timeout
from guardrail.types import DecisionType, Route, Tier, ToolCall, ToolSpec

Complaint = Callable[[str | bytes], str]


def rule(**more: Any) -> str:
    parts = {"match": "pay", "tier": "low", **more}
    return "tools:\n  - " + "\n    ".join(f"{key}: {value}" for key, value in parts.items())


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["is empty", "default: {tier: high}"]),
        ("# only a comment", ["is empty"]),
        ("- a", [":1:", "must be a mapping", "not a list"]),
        ("tols: []", [":1: tols: unknown key", "did you mean 'tools'?"]),
        ("tools:\n  - match: pay\n    teir: low", [":3: tools[0].teir: unknown key", "did you mean 'tier'?"]),
        ("tools:\n  - match: pay", [":2: tools[0]: has no 'tier'"]),
        ("tools:\n  - tier: low", [":2: tools[0]: has no 'match'"]),
        (rule(tier="hihg"), [":3: tools[0].tier: unknown tier 'hihg'; did you mean 'high'?"]),
        (rule(tier=5), [":3: tools[0].tier: unknown tier 5; use one of low, medium, high, critical"]),
        (rule(match=5), [":2: tools[0].match: must be a tool's name", "not 5"]),
        (rule(match="[pay, 5]"), [":2: tools[0].match[1]: must be a text, not 5"]),
        (rule(match="[]"), ["tools[0].match: must be a tool's name"]),
        (rule(when="5"), [":4: tools[0].when: must be a mapping, not 5"]),
        (rule(when=""), ["'when' has no value"]),
        (rule(when="{}"), ["tools[0].when: is empty"]),
        (rule(when="{amount: 5}"), [":4: tools[0].when.amount: must say how to compare, such as {eq: 5}"]),
        (rule(when="{amount: {gtt: 5}}"), ["tools[0].when.amount.gtt: unknown operator 'gtt'; did you mean 'gt'?"]),
        (rule(when="{amount: {gt: '500'}}"), ["tools[0].when.amount.gt: must be a number, not '500'"]),
        (rule(when="{amount: {gt: true}}"), ["must be a number, not True"]),
        (rule(when="{amount: {gt: .nan}}"), ["must be a number, not '.nan'"]),
        (rule(when="{amount: {gt: 1e999}}"), ["must be a number, not inf"]),
        (rule(when=f"{{amount: {{gt: {'9' * 5000}}}}}"), ["must be a number"]),
        (rule(when="{amount: {in: 5}}"), ["must be a list"]),
        (rule(when="{amount: {in: []}}"), ["must be a list"]),
        (rule(when="{amount: {eq: [1]}}"), ["must be a text, a number or a boolean"]),
        (rule(when="{amount: {exists: 1}}"), ["must be true or false"]),
        (rule(when="{memo: {matches: 5}}"), ["must be a regular expression, not 5"]),
        (rule(when="{memo: {matches: '(a'}}"), ["is not a regular expression"]),
        (rule(when="{memo: {matches: '(a+)+b'}}"), ["repeats a group that itself repeats"]),
        (rule(when="{memo: {matches: '(a|aa)*b'}}"), ["repeats a group that itself repeats"]),
        (rule(when="{memo: {matches: '((?:x[)+]|y)z){2,}'}}"), ["repeats a group that itself repeats"]),
        (
            rule(annotations="{readonlyHint: true}"),
            ["annotations.readonlyHint: unknown key; did you mean 'readOnlyHint'?"],
        ),
        (rule(annotations="{readOnlyHint: 1}"), ["must be true or false, not 1"]),
        (rule(decisions="[aprove]"), ["tools[0].decisions[0]: unknown decision 'aprove'; did you mean 'approve'?"]),
        (rule(decisions="[]"), ["tools[0].decisions: is empty"]),
        (rule(decisions="[reject, reject]"), ["names a decision twice"]),
        (rule(timeout="15m"), ["tools[0].timeout: must be a mapping, not '15m'"]),
        (rule(timeout="{after: soon}"), ["tools[0].timeout.after: must be a duration such as 90s"]),
        (rule(timeout="{after: 0s}"), ["must be longer than 0 seconds"]),
        (rule(timeout="{after: 15m, then: approve}"), ["tools[0].timeout.then: must be 'reject', not 'approve'"]),
        (rule(arguments="{memo: txt}"), ["tools[0].arguments.memo: unknown comparator 'txt'; did you mean 'text'?"]),
        ("default: high", ["default: must be a mapping, not 'high'"]),
        ("default: {teir: low}", ["default.teir: unknown key; did you mean 'tier'?"]),
        ("default:", ["'default' has no value"]),
        ("stated_defaults: 'yes'", ["stated_defaults: must be true or false"]),
        ("tiers: {lwo: {}}", ["tiers.lwo: unknown key; did you mean 'low'?"]),
        ("tiers: {low: {sample: 3}}", ["tiers.low.sample: unknown key; did you mean 'samples'?"]),
        ("tiers: {low: {samples: 1}}", ["tiers.low.samples: must be a whole number from 2 to 100, not 1"]),
        ("tiers: {low: {samples: 2.5}}", ["tiers.low.samples: must be a whole number"]),
        ("tiers: {low: {samples: true}}", ["tiers.low.samples: must be a whole number"]),
        ("tiers: {low: {samples: }}", ["'samples' has no value"]),
        ("tiers: {low: {agreement: 0}}", ["tiers.low.agreement: must be a share above 0, at most 1"]),
        ("tiers: {low: {agreement: 3/2}}", ["tiers.low.agreement: must be a share above 0, at most 1"]),
        ("tiers: {low: {agreement: 2/0}}", ["must be a share such as 0.8 or 4/5"]),
        ("tiers: {low: {agreement: true}}", ["must be a share such as 0.8 or 4/5"]),
        ("tiers: {low: {max_retries: -1}}", ["tiers.low.max_retries: must be a whole number from 0"]),
        ("tiers: {low: {audit: 2}}", ["tiers.low.audit: must be a probability"]),
        ("tiers: {low: {logprob: 0.5}}", ["tiers.low.logprob: must be a log-probability"]),
        ("tiers: {low: {unmeasured: retry}}", ["tiers.low.unmeasured: must be 'review' or 'execute', not 'retry'"]),
        ("tiers: {low: {signals: [agreemnt]}}", ["unknown signal 'agreemnt'; did you mean 'agreement'?"]),
        ("a: [1, 2", [":1: is not YAML"]),
        ("a: b: c", [":1: is not YAML"]),
        ("a: 1\na: 2", [":2: a is given twice"]),
        ("tools:\n  - match: a\n    match: b\n    tier: low", [":3: tools[0].match is given twice"]),
        ("a: &x [1]\nb: *x", [":2: aliases"]),
        ("a: &x {b: 1}\nc:\n  <<: *x", [":3: aliases"]),
        ("a: !!python/object/apply:os.system [ls]", [":1: the tag", "not allowed"]),
        ("a: !mine x", ["the tag '!mine' is not allowed"]),
        ("? [a]\n: 1", ["a key must be a text"]),
        ("a: 1\n---\nb: 2", ["is not YAML"]),
        ("[" * 3000, ["nested too deeply"]),
        ("a: \x01", ["is not YAML"]),
        (b"\xff\xfe\x00", ["is not UTF-8 text"]),
        (b"#" * 1_000_001, ["has more than 1000000 bytes"]),
    ],
)
def test_files(complaint: Complaint, text: str | bytes, parts: list[str]) -> None:
    message = complaint(text)
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("tier", "setting", "says"),
    [
        ("critical", "agreement: 0.5", "critical calls always wait for a human"),
        ("critical", "unmeasured: review", "critical calls always wait for a human"),
        ("critical", "max_retries: 1", "critical calls always wait for a human"),
        ("high", "unmeasured: execute", "must be 'review'"),
        ("medium", "logprob: -1", "only low-tier calls may run on log-probability alone"),
        ("low", "signals: [verbalized_confidence]", "cannot stand on it"),
        ("low", "signals: [p_true, verbalized_confidence]", "cannot stand on it"),
        ("low", "signals: [semantic_entropy]", "'agreement' decides"),
        ("low", "agreement: 0.9", "less than the 0.9 that the low tier asks for"),
    ],
)
def test_a_policy_cannot_loosen_what_must_hold(complaint: Complaint, tier: str, setting: str, says: str) -> None:
    assert says in complaint(f"tiers: {{{tier}: {{{setting}}}}}")


def settings(tier: Tier, **changes: Any) -> Policy:
    return Policy(tiers={tier: TierSettings(**{"samples": 8, "agreement": 1.0, "max_retries": 0, **changes})})


@pytest.mark.parametrize(
    "make",
    [
        lambda: settings(Tier.CRITICAL, agreement=0.5),
        lambda: settings(Tier.CRITICAL, unmeasured=Route.EXECUTE),
        lambda: settings(Tier.HIGH, unmeasured=Route.EXECUTE),
        lambda: settings(Tier.HIGH, unmeasured=Route.RETRY),
        lambda: settings(Tier.HIGH, logprob=-1.0),
        lambda: settings(Tier.HIGH, agreement=float("nan")),
        lambda: settings(Tier.HIGH, audit=float("nan")),
        lambda: settings(Tier.HIGH, samples=1),
        lambda: settings(Tier.HIGH, samples=True),
        lambda: settings(Tier.HIGH, signals=("verbalized_confidence",)),
        lambda: settings(Tier.HIGH, agreement=0.5),
        lambda: Policy(tiers={"lowest": TIER_DEFAULTS[Tier.LOW]}),  # type: ignore[dict-item]
        lambda: Policy(default="low"),  # type: ignore[arg-type]
        lambda: Policy(rules=(Rule(match="pay", tier="low"),)),  # type: ignore[arg-type]
        lambda: Policy(rules=(Rule(match="", tier=Tier.LOW),)),
        lambda: Policy(rules=(Rule(match=(), tier=Tier.LOW),)),
        lambda: Policy(rules=(Rule(match="pay", tier=Tier.LOW, when={"a": {"gt": "b"}}),)),
        lambda: Policy(rules=(Rule(match="pay", tier=Tier.LOW, when=5),)),  # type: ignore[arg-type]
        lambda: Policy(rules=(Rule(match="pay", tier=Tier.LOW, annotations={"readOnly": True}),)),
        lambda: Policy(rules=(Rule(match="pay", tier=Tier.LOW, decisions=("approve",)),)),  # type: ignore[arg-type]
        lambda: Policy(rules=(Rule(match="pay", tier=Tier.LOW, timeout=Timeout(after=float("inf"))),)),
        lambda: Policy(rules=(Rule(match="pay", tier=Tier.LOW, timeout=Timeout(after=9, then=DecisionType.APPROVE)),)),
    ],
)
def test_python_policies_are_checked_too(make: Any) -> None:
    with pytest.raises(PolicyError):
        make()


async def _asynchronous(call: ToolCall) -> bool:
    return False


class _Asynchronous:
    async def __call__(self, call: ToolCall) -> bool:
        return False


@pytest.mark.parametrize("when", [_asynchronous, _Asynchronous()])
def test_an_async_function_is_refused(when: Any) -> None:
    with pytest.raises(PolicyError, match="is async"):
        Policy(rules=(Rule(match="pay", tier=Tier.LOW, when=when),))


@pytest.mark.parametrize(
    "pattern",
    [
        r"(\d{1,3}\.){3}\d{1,3}",
        r"(a+)?b",
        r"[(+)]+",
        r"(?i:abc)+",
        r"\(a+\)+",
        r"(foo|bar)",
        r"[]a*]+",
        r"(?P<n>a)+",
        r"[^]+*]+",
    ],
)
def test_harmless_patterns_are_accepted(pattern: str) -> None:
    Policy(rules=(Rule(match="pay", tier=Tier.LOW, when={"memo": {"matches": pattern}}),))


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_what_is_not_a_readable_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(PolicyError, match="cannot be read"):
        Policy.load(tmp_path / name)


@pytest.mark.parametrize("data", [{}, None, [], "text", 5])
def test_what_is_not_a_policy(data: Any) -> None:
    with pytest.raises(PolicyError, match=r"^policy: "):
        Policy.parse(data)


def test_yaml_means_what_it_looks_like(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(
        "\ufefftools:\n  - match: pay\n    tier: critical\n    when: {country: {in: [NO, SE, on, 2024-01-01, 12:30]}}\n"
    )
    policy = Policy.load(path)
    for country in ("NO", "on", "2024-01-01", "12:30"):
        assert policy.resolve(ToolCall(name="pay", arguments={"country": country}), None).tier is Tier.CRITICAL
    assert policy.resolve(ToolCall(name="pay", arguments={"country": "DE"}), None).tier is Tier.HIGH
    path.write_text("tools:\n  - {match: pay, tier: critical, when: {amount: {gt: 010}}}")
    with pytest.raises(PolicyError, match="must be a number"):
        Policy.load(path)


class TestRegisteredTools:
    TOOLS = (
        ToolSpec(
            name="pay", parameters={"type": "object", "properties": {"amount": {}, "to": {"properties": {"iban": {}}}}}
        ),
        ToolSpec(
            name="search_web",
            parameters={"type": "object", "properties": {"query": {}}},
            annotations={"readOnlyHint": False},
        ),
    )

    def problem(self, *rules: Rule, tools: tuple[ToolSpec, ...] = TOOLS) -> str:
        with pytest.raises(PolicyError) as caught:
            Policy(rules=rules).check(tools)
        return str(caught.value)

    def test_a_policy_that_fits(self) -> None:
        Policy(
            rules=(
                Rule(match="search_*", tier=Tier.LOW),
                Rule(match="pay", tier=Tier.CRITICAL, when={"amount": {"gt": 5}, "to.iban": {"exists": True}}),
                Rule(match="pay", tier=Tier.HIGH, arguments={"to.iban": "exact"}),
            )
        ).check(self.TOOLS)

    def test_no_tools(self) -> None:
        assert "no tools" in self.problem(tools=())

    def test_a_misspelt_tool(self) -> None:
        found = self.problem(Rule(match="search_*", tier=Tier.LOW), Rule(match="pya", tier=Tier.CRITICAL))
        assert found == "tools[1].match: no registered tool matches 'pya'; did you mean 'pay'?"

    def test_one_misspelt_name_among_several(self) -> None:
        assert "no registered tool matches 'x_*' (there are: pay, search_web)" in self.problem(
            Rule(match=("pay", "x_*"), tier=Tier.LOW)
        )

    def test_an_annotation_that_no_tool_has(self) -> None:
        rule = Rule(match="search_*", tier=Tier.LOW, annotations={"readOnlyHint": True})
        assert "every tool that it matches says it is not readOnlyHint: true" in self.problem(rule)

    def test_a_rule_that_an_earlier_one_hides(self) -> None:
        found = self.problem(
            Rule(match="pay", tier=Tier.LOW),
            Rule(match="search_web", tier=Tier.LOW),
            Rule(match=("*a*",), tier=Tier.CRITICAL),
        )
        assert found.startswith("tools[2]: can never apply: tools[0], tools[1] comes first")

    @pytest.mark.parametrize("where", ["when", "arguments"])
    def test_an_argument_that_the_tool_does_not_have(self, where: str) -> None:
        more: dict[str, Any] = (
            {"when": {"ammount": {"gt": 5}}} if where == "when" else {"arguments": {"ammount": "number"}}
        )
        found = self.problem(Rule(match="pay", tier=Tier.LOW, **more))
        assert found == f"tools[0].{where}.ammount: pay has no argument 'ammount'; did you mean 'amount'?"

    def test_a_nested_argument_that_the_tool_does_not_have(self) -> None:
        assert "has no argument 'to.bic'" in self.problem(
            Rule(match="pay", tier=Tier.LOW, when={"to.bic": {"exists": True}})
        )

    def test_a_wildcard_rule_needs_one_tool_that_has_the_argument(self) -> None:
        Policy(rules=(Rule(match="*", tier=Tier.CRITICAL, when={"amount": {"gt": 5}}),)).check(self.TOOLS)

    def test_an_open_schema_may_have_any_argument(self) -> None:
        tool = ToolSpec(name="pay", parameters={"type": "object", "properties": {}, "additionalProperties": True})
        Policy(rules=(Rule(match="pay", tier=Tier.LOW, when={"amount": {"gt": 5}}),)).check((tool,))


@pytest.mark.parametrize(
    ("first", "second"),
    [("*", "pay"), ("pay", "pay"), ("pay_*", "pay_now"), ("pay_*", "pay_*_now"), ("*a*", "*ab*"), ("*", ("a", "b"))],
)
def test_a_rule_that_can_never_apply_is_refused_without_tools(first: str, second: Any) -> None:
    with pytest.raises(PolicyError, match=r"tools\[1\]: can never apply: tools\[0\] comes first"):
        Policy(rules=(Rule(match=first, tier=Tier.LOW), Rule(match=second, tier=Tier.HIGH)))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Rule(match="pay", tier=Tier.LOW), Rule(match="*", tier=Tier.HIGH)),
        (Rule(match="pay", tier=Tier.LOW, when={"a": {"gt": 1}}), Rule(match="pay", tier=Tier.HIGH)),
        (Rule(match="*", tier=Tier.LOW, annotations={"readOnlyHint": True}), Rule(match="pay", tier=Tier.HIGH)),
        (Rule(match="a*", tier=Tier.LOW), Rule(match="*a", tier=Tier.HIGH)),
        (Rule(match="pay", tier=Tier.LOW), Rule(match=("pay", "refund"), tier=Tier.HIGH)),
    ],
)
def test_rules_that_may_apply_are_kept(first: Rule, second: Rule) -> None:
    Policy(rules=(first, second))


def test_the_same_condition_twice_is_refused() -> None:
    same = {"amount": {"gt": 5}}
    with pytest.raises(PolicyError, match="can never apply"):
        Policy(rules=(Rule(match="pay", tier=Tier.LOW, when=same), Rule(match="pay", tier=Tier.HIGH, when=dict(same))))
