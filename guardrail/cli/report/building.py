"""A report from a calibrated policy and the labelled calls that it was made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from guardrail.calibration.asked import Cuts
from guardrail.calibration.calibrated_file import calibration_digest
from guardrail.calibration.calls import Calls
from guardrail.calibration.costs import Costs, Retries, cost_view, measured_retries
from guardrail.calibration.libraries import needed
from guardrail.calibration.next_labels import next_steps
from guardrail.calibration.options import Options
from guardrail.calibration.preparing import Prepared, prepare
from guardrail.calibration.review_load import Sampled, review_load
from guardrail.calibration.risk_model import RiskModel
from guardrail.calibration.tier_sample import TierSample, sample_of, stratum
from guardrail.cli.report import advising, measures, words
from guardrail.cli.report.content import Part, Report, TierPart
from guardrail.types import Alarm, CalibratedPolicy, CalibratedTier, LabelledCall, RefusalCode, Threshold, Tier

AGREEMENT = "agreement"


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What was said of costs: of a wrong call by tier (``None``: of every other), of a review and of a retry;
    ``settles`` is the assumed share of retried calls that then run.
    """

    wrong: Mapping[Tier | None, float] = field(default_factory=dict)
    review: float | None = None
    retry: float | None = None
    settles: float | None = None

    def of(self, tier: Tier, retries: Retries | None) -> Costs | None:
        """The prices of a tier; None where they were not given."""
        wrong = self.wrong.get(tier, self.wrong.get(None))
        if wrong is None or self.review is None:
            return None
        if self.retry is None or retries is None:
            return Costs(wrong=wrong, review=self.review)
        return Costs(wrong=wrong, review=self.review, retry=self.retry, retries=retries)

    def retries(self, calls: Calls) -> Retries | None:
        """What retries do, as assumed or else as measured."""
        if self.settles is not None:
            return Retries(settled_at_0=self.settles, settled_at_1=self.settles)
        return measured_retries(calls)


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """The labelled calls behind a calibration, as the store or files have them, and what was left out of them, why."""

    calls: Calls
    unanswered: Sequence[LabelledCall] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
    model: RiskModel | None = None


def build(
    policy: CalibratedPolicy,
    given: Given | None,
    *,
    prices: Prices,
    most_reviews: float | None = None,
    calls_a_day: float | None = None,
    alarms: Sequence[Alarm] = (),
    tell: Callable[[str, float], None] = lambda _what, _share: None,
) -> Report:
    """The report; without calls it has no curves, costs and advice.

    Raises:
        ConfigError: the calls cannot be used, or a price or a number of reviews is none.
    """
    prepared = None if given is None else _prepared(policy, given, tell)
    retries = prices.retries(given.calls) if given is not None else None
    shown = {}
    for tier in policy.tiers:
        tell(f"measuring {tier.tier.value}", 0.6)
        shown[tier.tier] = _Shown.of(tier, prepared, given)
    tiers = tuple(_tier(policy, tier, shown[tier.tier], prices.of(tier.tier, retries)) for tier in policy.tiers)
    load = None
    load_says: tuple[str, ...] = ()
    if most_reviews is not None and calls_a_day is not None and given is not None:
        sampled = {
            tier: one.sampled(prices)
            for tier, one in shown.items()
            if one.sample is not None and len(one.sample.tested)
        }
        load = review_load(sampled, calls_a_day=calls_a_day, most_a_day=most_reviews)
        load_says = words.load(load)
    retry_said = _retry_says(prices, retries)
    return Report(
        calibration=calibration_digest(policy),
        adopted_by=policy.adopted_by,
        adopted_at=policy.adopted_at,
        method=policy.method,
        look=policy.look,
        records=policy.records,
        same_labels=None if prepared is None else prepared.records == policy.records,
        settings=policy.settings,
        summary=words.summary(policy),
        tiers=(*tiers, _critical()),
        advice=advising.advice(tiers, {tier: one.traffic for tier, one in shown.items()}),
        load=load,
        load_says=load_says,
        alarms=tuple(alarms),
        warnings=_warnings(policy, prepared, given),
        assumptions=(
            *policy.assumptions,
            *(words.COST_ASSUMPTIONS if any(part.costs for tier in tiers for part in tier.parts) else ()),
            *retry_said,
        ),
        reading=words.READING,
        limits=words.LIMITS,
    )


def _prepared(policy: CalibratedPolicy, given: Given, tell: Callable[[str, float], None]) -> Prepared:
    options = Options.told(policy.settings, model=given.model)
    return prepare(
        given.calls,
        # nothing is tested here, so nothing is asked of unlabelled traffic
        replace(options, cuts=Cuts.LABELS),
        unanswered=given.unanswered,
        # whether calls ran unjudged has been answered when the policy was made
        ran_unjudged=_ran_unjudged(policy),
        traffic={},
        tell=tell,
    )


def _ran_unjudged(policy: CalibratedPolicy) -> Mapping[Tier, int] | None:
    """What the calibration held of calls that ran unjudged: nothing known where it refused a tier for that."""
    codes = {one.refusal.code for tier in policy.tiers for one in tier.thresholds if one.refusal is not None}
    return None if RefusalCode.LABELS_ONLY_FROM_ESCALATIONS in codes else {}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Shown:
    """A tier with the calls that it was tested on; ``before`` is their number before the fit, and its name."""

    tier: CalibratedTier
    sample: TierSample | None = None
    before: Any = None
    before_name: str = ""
    traffic: float = 0.0

    @classmethod
    def of(cls, tier: CalibratedTier, prepared: Prepared | None, given: Given | None) -> _Shown:
        if prepared is None or given is None or tier.tier not in prepared.tiers:
            return cls(tier=tier)
        np = needed("numpy")
        admitted = prepared.tiers[tier.tier]
        if admitted.refusal is not None or not len(admitted.calls):
            return cls(tier=tier)
        sample = sample_of(admitted, prepared.asked[tier.tier])
        recorded = dict(zip(given.calls.ids.tolist(), given.calls.risk.tolist(), strict=True))
        before = np.array([recorded.get(one, np.nan) for one in sample.tested.ids.tolist()])
        name = "the recorded risk"
        if np.isnan(before).all() or np.array_equal(before, sample.tested.risk, equal_nan=True):
            agreement = sample.tested.signals.get(AGREEMENT)
            before = np.full(len(sample.tested), np.nan) if agreement is None else 1 - agreement
            name = "disagreement of repeated plans"
        return cls(
            tier=tier,
            sample=sample,
            before=before,
            before_name=name,
            traffic=float((1 / admitted.calls.probability).sum()),
        )

    def of_part(self, threshold: Threshold) -> Any:
        """Which of the tested calls a threshold is for."""
        assert self.sample is not None
        return self.sample.allowed & stratum(self.sample.tested, threshold.attempts)

    def sampled(self, prices: Prices) -> Sampled:
        """The tier for the review load: calls of vetoed tools never run."""
        np = needed("numpy")
        assert self.sample is not None
        worth = prices.wrong.get(self.tier.tier, prices.wrong.get(None, 1.0))
        return Sampled(
            risk=np.where(self.sample.allowed, self.sample.tested.risk, np.nan),
            wrong=self.sample.tested.wrong,
            traffic=self.traffic,
            delta=self.tier.delta,
            worth=worth,
        )


def _tier(policy: CalibratedPolicy, tier: CalibratedTier, shown: _Shown, costs: Costs | None) -> TierPart:
    runs = any(one.execute_below is not None for one in tier.thresholds)
    return TierPart(
        tier=tier.tier,
        state="runs" if runs else "review",
        says=words.promise(tier),
        alpha=tier.alpha,
        delta=tier.delta,
        parts=tuple(_part(policy, tier, one, shown, costs) for one in tier.thresholds),
        tools=tier.tools,
        fingerprint=tier.fingerprint,
        sources=tier.sources,
        labels=sum(tier.sources.values()),
        tasks=tier.tasks,
        first_at=tier.first_at,
        last_at=tier.last_at,
        unanswered=tier.unanswered,
        warnings=tier.warnings,
    )


def _part(policy: CalibratedPolicy, tier: CalibratedTier, one: Threshold, shown: _Shown, costs: Costs | None) -> Part:
    np = needed("numpy")
    plain = Part(
        calls=words.OF_ATTEMPTS[one.attempts],
        threshold=one,
        promised=one.execute_below is not None,
        says=words.evidence(one),
    )
    if shown.sample is None or not len(shown.sample.tested):
        return plain
    mine = shown.of_part(one)
    plain = replace(plain, share=float(mine.mean()))
    calls = shown.sample.tested.take(mine)
    if not len(calls) or np.isnan(calls.risk).all():
        return plain
    before = shown.before[mine]
    view = None if costs is None else cost_view(calls.risk, calls.wrong, costs, promised=one.execute_below)
    return replace(
        plain,
        curve=measures.curve(calls.risk, calls.wrong),
        before=measures.quality(shown.before_name, before, calls.wrong),
        after=measures.quality("the risk it was calibrated on", calls.risk, calls.wrong),
        costs=view,
        cost_says=() if view is None else words.costs(view),
        next=next_steps(
            calls.risk,
            calls.wrong,
            alpha=one.alpha,
            delta=advising.next_delta(policy, tier, one),
            now=one.coverage,
            share=len(shown.sample.tested) / len(shown.sample.calls),
        ),
    )


def _critical() -> TierPart:
    return TierPart(tier=Tier.CRITICAL, state="review", says="Every critical-stakes call goes to a human, always.")


def _retry_says(prices: Prices, retries: Retries | None) -> tuple[str, ...]:
    if prices.retry is None or prices.review is None:
        return ()
    if retries is None:
        return (
            (
                "costs: no retried call is labelled, so nothing is known of what retries do, and none is counted "
                "(--retry-settles assumes something)"
            ),
        )
    how = "is assumed" if retries.n == 0 else f"was measured on {words.count(retries.n, 'labelled call')}"
    wrong = "none" if retries.wrong == 0 else words.percent(retries.wrong)
    return (
        (
            f"costs: of calls that are planned again, {words.percent(retries.settled_at_0)} then run, {wrong} of them "
            f"wrong, whatever their risk; this {how}. The others go to a human"
        ),
    )


def _warnings(policy: CalibratedPolicy, prepared: Prepared | None, given: Given | None) -> tuple[str, ...]:
    found = []
    if not policy.adopted_by:
        found.append("this is a proposal: nobody has adopted it, and no guard runs on it")
    if prepared is None:
        found.append("no labelled calls were given: curves, costs and advice are left out")
    elif prepared.records != policy.records:
        found.append(
            "the labelled calls shown here are not those of the calibration: curves, costs and advice are about these, "
            "promises and evidence about those"
        )
    if given is not None:
        found += [f"{words.count(n, 'label was', 'labels were')} left out: {why}" for why, n in given.left_out.items()]
    return tuple(found)
