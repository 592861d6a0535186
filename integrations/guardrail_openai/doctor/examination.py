"""All checks, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from guardrail.errors import ConfigError
from guardrail.policy import Policy
from guardrail.types import Need, PlanningStep, Sample, ToolSpec, Usage
from guardrail_openai.doctor import canaries, choices, costs, endpoint, independence, likelihood, rules
from guardrail_openai.doctor.findings import Blocked, Finding, Level, exit_code
from guardrail_openai.doctor.probes import Drawn, Probes


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was found, what it cost to find it, and what a step will cost. ``prompt`` and ``completion`` are the
    tokens of the canaries that the estimate is made from.
    """

    findings: tuple[Finding, ...]
    blocked: bool
    spent: Usage
    tiers: tuple[rules.ToolTier, ...] = ()
    costs: tuple[costs.TierCost, ...] = ()
    prompt: int | None = None
    completion: float | None = None
    rate_limits: dict[str, str] = field(default_factory=dict)

    @property
    def code(self) -> int:
        """The exit code."""
        return exit_code(self.findings, blocked=self.blocked)


def examine(
    probes: Probes,
    *,
    policy: Policy,
    tools: Sequence[ToolSpec],
    samples: int,
    judge: str,
    tell: Callable[[Finding], None] = lambda _: None,
) -> Report:
    """Run every check; ``tell`` hears each finding as it is made.

    What is on this machine is looked at first: it costs nothing.
    """
    findings: list[Finding] = []

    def note(*found: Finding) -> None:
        for one in found:
            findings.append(one)
            tell(one)

    note(rules.fits(policy, tools), rules.judge(judge), rules.libraries())
    own = rules.tiers(policy, tools) if findings[0].level is not Level.FAILURE else ()
    estimate = _Estimate()
    try:
        _endpoint(probes, policy, tools, samples=samples, note=note, estimate=estimate)
    except Blocked as blocked:
        note(blocked.finding)
    return Report(
        findings=tuple(findings),
        blocked=not estimate.made,
        spent=probes.spent,
        tiers=own,
        costs=estimate.costs,
        prompt=estimate.prompt,
        completion=estimate.completion,
        rate_limits=probes.rate_limits,
    )


class _Estimate:
    """What steps will cost, once the endpoint has been looked at to the end."""

    made = False
    costs: tuple[costs.TierCost, ...] = ()
    prompt: int | None = None
    completion: float | None = None


def _endpoint(
    probes: Probes,
    policy: Policy,
    tools: Sequence[ToolSpec],
    *,
    samples: int,
    note: Callable[..., None],
    estimate: _Estimate,
) -> None:
    found, plain = endpoint.reached(probes)
    note(found)
    likely, drawn, needs = likelihood.log_probabilities(probes)
    plans = [plain, drawn] if drawn.samples else [plain]
    note(endpoint.tool_calls(probes, plans))
    if tools:
        note(endpoint.own_tools(probes, tools))
    note(likely)
    free = choices.ladder(probes, samples, logprobs=Need.LOGPROBS in needs)
    note(choices.several(probes, free, samples), choices.usage(free))
    drawings = independence.independence(probes, choices.most_choices(free))
    note(*drawings, independence.variety(free, independent=_sound(drawings)))
    lettered, has_letters, question = likelihood.letters(probes, plans)
    note(lettered)
    available = needs | ({Need.QUESTION} if has_letters else frozenset())
    note(rules.calibration(policy, available, probes.model), _limits(probes))
    prices = costs.Prices(free, question)
    step = probes.step(probes.request(canaries.PLAIN), _planned(plans))
    if step.planned.calls:
        estimate.costs = _costs(policy, prices, step)
    estimate.prompt, estimate.completion, estimate.made = prices.prompt, prices.completion, True


def _sound(findings: Sequence[Finding]) -> bool:
    return all(finding.level is not Level.FAILURE for finding in findings)


def _planned(plans: Sequence[Drawn]) -> Sample:
    """A plan that came, with log-probabilities if any did."""
    called = [sample for one in plans for sample in one.samples if sample.valid and sample.calls]
    return next((sample for sample in called if sample.tokens), called[0] if called else Sample())


def _costs(policy: Policy, prices: costs.Prices, step: PlanningStep) -> tuple[costs.TierCost, ...]:
    try:
        return costs.costs(policy, prices, step)
    except ConfigError:
        # the risk model cannot be read, which is a finding of its own
        return ()


def _limits(probes: Probes) -> Finding:
    seen = {name.lower().removeprefix("x-ratelimit-"): value for name, value in probes.rate_limits.items()}
    shown = ", ".join(f"{name} {seen[name]}" for name in sorted(seen) if name.startswith(("limit", "remaining")))
    return Finding(
        check="rate limits",
        level=Level.OK,
        found=f"Announced: {shown}." if shown else "None announced.",
        data=seen,
    )
