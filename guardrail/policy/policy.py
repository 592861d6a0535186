"""The policy: ordered rules, of which the first that matches a call decides its tier."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

from guardrail import codec
from guardrail import comparing as foreign
from guardrail.comparing import Comparator
from guardrail.errors import ConfigError
from guardrail.policy.budget_checks import check_budget
from guardrail.policy.coverage import check_reachable, check_tools
from guardrail.policy.defaults import TIER_DEFAULTS, TierSettings, is_comparator
from guardrail.policy.problems import PolicyProblem, unknown
from guardrail.policy.redaction import Redaction, check_paths, check_redaction
from guardrail.policy.resolution import Resolution, stages_of
from guardrail.policy.reviewing import Floods, joined
from guardrail.policy.reviewing_checks import check_floods
from guardrail.policy.rule_checks import check_rule
from guardrail.policy.rules import PredicateFailed, Rule
from guardrail.policy.stages import Budget, Stage
from guardrail.policy.tier_checks import check_calibration, check_tiers
from guardrail.types import DecisionType, Tier, ToolCall, ToolSpec


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Ordered rules, settings per tier, and the tier of calls that no rule matches.

    ``tiers`` replaces the defaults of the tiers it names. ``stated_defaults`` says whether a default that
    a tool's author states in words ("defaults to 10") counts as given when calls are compared.
    ``judge_fallback`` "exact" lets texts count as different where their judge fails (its weights are missing,
    its server is down); with "none" such a step goes to its fail-closed route. ``budget`` limits what measuring may
    cost. ``risk_model`` is the path of the risk model's file, for tiers with ``max_risk`` or a condition on ``risk``,
    and for the thresholds of ``calibration``, the path of an adopted calibration. ``uncalibrated`` says what becomes of
    calls that none of these thresholds is for: they are reviewed, or the tier's own rule decides ("defaults").
    ``floods`` limits how many reviews one requester may ask for. ``redaction`` says what is hidden where calls are
    written down. ``comparators`` are of the caller's own, by the names under which rules give them to arguments.

    Raises:
        PolicyError: something in it cannot be used; the message says where.
    """

    rules: tuple[Rule, ...] = ()
    default: Tier = Tier.HIGH
    tiers: Mapping[Tier, TierSettings] = field(default_factory=dict)
    stated_defaults: bool = True
    judge_fallback: Literal["none", "exact"] = "none"
    budget: Budget = field(default_factory=Budget)
    risk_model: str | None = None
    calibration: str | None = None
    uncalibrated: Literal["review", "defaults"] = "review"
    floods: Floods = field(default_factory=Floods)
    redaction: Redaction = field(default_factory=Redaction)
    comparators: Mapping[str, Comparator] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.default, Tier):
            raise PolicyProblem("default.tier", unknown("tier", self.default, Tier))
        for tier in self.tiers:
            if not isinstance(tier, Tier):
                raise PolicyProblem(f"tiers.{tier}", unknown("tier", tier, Tier))
        if self.judge_fallback not in ("none", "exact"):
            raise PolicyProblem("judge_fallback", unknown("judge_fallback", self.judge_fallback, ("none", "exact")))
        check_tiers(self.settings, self.risk_model, calibrated=self.calibration is not None)
        check_calibration(self.calibration, self.uncalibrated, self.risk_model)
        check_budget(self.budget)
        check_floods(self.floods)
        check_redaction(self.redaction)
        for index, rule in enumerate(self.rules):
            check_rule(rule, f"tools[{index}]", (*self.comparators, *foreign.names()))
        _ = self._own
        check_reachable(self.rules)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, comparators: Mapping[str, Comparator] | None = None) -> Policy:
        """The policy in a YAML file, with comparators of the caller's own.

        Raises:
            PolicyError: the file cannot be read or used; the message has the file, the line and the remedy.
        """
        from guardrail.policy.loader import load

        return load(path, partial(cls, comparators=comparators or {}))

    @classmethod
    def of(cls, policy: Policy | str | os.PathLike[str] | None) -> Policy:
        """What an adapter is given as its policy: one, the path of a file, or None for the one without rules.

        Raises:
            PolicyError: the file cannot be read or used.
        """
        if policy is None:
            return cls()
        return policy if isinstance(policy, Policy) else cls.load(policy)

    @classmethod
    def parse(cls, data: Mapping[str, Any], *, comparators: Mapping[str, Comparator] | None = None) -> Policy:
        """The policy in a mapping of the file's form, with comparators of the caller's own.

        Raises:
            PolicyError: it cannot be used.
        """
        from guardrail.policy.loader import parse

        return parse(data, partial(cls, comparators=comparators or {}))

    @classmethod
    def from_interrupt_on(cls, interrupt_on: Mapping[str, Any]) -> Policy:
        """The policy that LangChain's ``interrupt_on`` asks for, read cautiously.

        See ``guardrail.policy.interrupt_on`` for what each form becomes.

        Raises:
            PolicyError: an entry cannot be used.
        """
        from guardrail.policy.interrupt_on import rules_of

        return cls(rules=rules_of(interrupt_on))

    @cached_property
    def settings(self) -> Mapping[Tier, TierSettings]:
        """What each tier asks for, defaults filled in."""
        return {**TIER_DEFAULTS, **self.tiers}

    def stages(self, tier: Tier) -> tuple[Stage, ...]:
        """The stages of a tier in order, the last with all its samples."""
        return stages_of(self.settings[tier])

    @cached_property
    def version(self) -> str:
        """SHA-256, in hex, of everything the policy says, however it was written.

        Functions enter by qualified name: a change inside one is not seen. Risk model and calibration enter by the
        content that their files have when the version is first asked for.
        """
        calibration = {}
        if self.calibration is not None:
            calibration = {"calibration": _content(self.calibration), "uncalibrated": self.uncalibrated}
        return codec.digest(
            {
                **calibration,
                **({"floods": codec.to_json(self.floods)} if self.floods.any else {}),
                **({"comparators": foreign.versions(self._own)} if self._own else {}),
                **({"redaction": codec.to_json(self.redaction)} if self.redaction != Redaction() else {}),
                "default": self.default.value,
                "stated_defaults": self.stated_defaults,
                "judge_fallback": self.judge_fallback,
                "budget": codec.to_json(self.budget),
                "risk_model": None if self.risk_model is None else _content(self.risk_model),
                "tiers": {tier.value: _of_tier(settings) for tier, settings in self.settings.items()},
                "tools": [rule.content() for rule in self.rules],
            }
        )

    @cached_property
    def _own(self) -> Mapping[str, foreign.Own]:
        """The comparators of somebody else that rules name."""
        used = {name for rule in self.rules for name in rule.arguments.values() if not is_comparator(name)}
        try:
            given = {name: foreign.own(name, one) for name, one in self.comparators.items()}
            return {name: given.get(name) or foreign.plugin(name) for name in sorted(used)}
        except ConfigError as error:
            raise PolicyProblem("", str(error)) from error

    @cached_property
    def comparing(self) -> str:
        """SHA-256, in hex, of all by which the policy changes what counts as the same call; empty: of nothing."""
        rules = [content for content in (rule.content() for rule in self.rules) if content["arguments"]]
        if not rules and self.stated_defaults:
            return ""
        said = [[one["match"], one["when"], one["arguments"]] for one in rules]
        return codec.digest(self.stated_defaults, said, *([foreign.versions(self._own)] if self._own else []))

    def check(self, tools: Sequence[ToolSpec]) -> None:
        """Whether every rule is about a tool that exists, can apply, and names arguments that exist.

        Raises:
            PolicyError: no; or there are no tools.
        """
        check_tools(self.rules, tools)
        check_paths(self.redaction, tools)

    def resolve(self, call: ToolCall, tool: ToolSpec | None) -> Resolution:
        """What applies to a call; ``tool`` is None if the model was not offered one of that name.

        The first rule that matches decides. Three things only ever tighten that:

        - A rule of which it cannot be told whether it matches (an argument is missing or of the wrong
          type, an annotation is not given) decides if its tier is higher than what otherwise applies.
        - A rule that matched by annotations, which are the tool server's claims, yields to a later rule
          of a higher tier that names the tool exactly and asks for no annotations.
        - A rule whose function fails makes the call critical.
        """
        doubts: list[int] = []
        hinted: int | None = None
        found: int | None = None
        for index, rule in self._about(call.name):
            if hinted is not None and (rule.annotations or call.name not in rule.patterns):
                continue
            hint = rule.hinted(tool)
            if hint is False:
                continue
            try:
                holds = rule.holds(call, tool)
            except PredicateFailed as failure:
                return self._resolution(index, Tier.CRITICAL, f"{failure}; a human decides")
            if holds is False:
                continue
            if holds is None or hint is None:
                doubts.append(index)
            elif rule.annotations:
                hinted = index
            else:
                found = index
                break
        certain = self._stricter_of(hinted, found) if hinted is not None and found is not None else hinted
        certain = found if certain is None else certain
        tier = self.default if certain is None else self.rules[certain].tier
        doubtful = max(doubts, key=lambda index: self.rules[index].tier.rank, default=None)
        if doubtful is not None and self.rules[doubtful].tier.rank > tier.rank:
            return self._resolution(doubtful, self.rules[doubtful].tier, "cannot be told, so the stricter rule holds")
        return self._resolution(certain, tier)

    def _about(self, name: str) -> Iterator[tuple[int, Rule]]:
        return ((index, rule) for index, rule in enumerate(self.rules) if rule.names(name))

    def _stricter_of(self, hinted: int, named: int) -> int:
        return named if self.rules[named].tier.rank > self.rules[hinted].tier.rank else hinted

    def _resolution(self, index: int | None, tier: Tier, note: str = "") -> Resolution:
        rule = None if index is None else self.rules[index]
        settings = self.settings[tier]
        text = "default" if rule is None else f"tools[{index}]: {rule.describe()}"
        decisions: tuple[DecisionType, ...] = tuple(DecisionType)
        timeout, reviewers = settings.timeout, settings.reviewers
        if rule is not None:
            decisions, timeout = rule.decisions or decisions, rule.timeout or timeout
        return Resolution(
            tier=tier,
            rule=f"{text} ({note})" if note else text,
            samples=settings.samples,
            agreement=settings.agreement,
            max_retries=settings.max_retries,
            unmeasured=settings.unmeasured,
            logprob=settings.logprob,
            max_risk=settings.max_risk,
            cascade=settings.cascade,
            stopping=settings.stopping,
            waves=settings.waves,
            audit=settings.audit,
            signals=settings.signals,
            decisions=decisions,
            comparators={} if rule is None else {at: self._own.get(name, name) for at, name in rule.arguments.items()},
            timeout=timeout,
            reviewers=joined(None if rule is None else rule.reviewers, reviewers),
        )


def _of_tier(settings: TierSettings) -> dict[str, Any]:
    """The settings as JSON data, for the policy's version; without what they say nothing of, as in earlier ones."""
    content = codec.to_json(_ordered(settings))
    return {
        name: content[name] for name in content if name not in ("timeout", "reviewers") or content[name] is not None
    }


def _ordered(settings: TierSettings) -> TierSettings:
    """The same settings with the conditions of each stage in one order: it means nothing."""
    cascade = tuple(
        replace(stage, execute=tuple(sorted(stage.execute, key=str)), doubt=tuple(sorted(stage.doubt, key=str)))
        for stage in settings.cascade
    )
    return replace(settings, cascade=cascade)


def _content(path: str) -> str:
    """Names what is in a file; the file itself, where it cannot be read."""
    try:
        return "sha256 " + hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return "unread " + path
