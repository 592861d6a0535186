"""Numbers and sentences of the report, for readers who are no statisticians."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from guardrail.calibration.calibrated_file import EVERYTHING
from guardrail.calibration.costs import CostView
from guardrail.calibration.review_load import ReviewLoad
from guardrail.types import Attempts, CalibratedPolicy, CalibratedTier, LabelSource, Threshold, Tier

STAKES: Final = {tier: f"{tier.value} stakes" for tier in Tier}
OF_ATTEMPTS: Final = {
    Attempts.ALL: "all calls",
    Attempts.FIRST: "calls planned for the first time",
    Attempts.RETRIED: "calls that were planned again",
}
SOURCES: Final = {
    LabelSource.REVIEW.value: "reviews before the call ran",
    LabelSource.AUDIT.value: "audits of calls drawn at random",
    LabelSource.CHECKER.value: "a checker that knows the right answer",
    LabelSource.IMPORT.value: "imported judgements",
}
READING: Final = tuple(
    """\
Risk is an estimate, from 0 to 1, of how likely a planned call is wrong. It comes from measurements such as how far \
repeated plans agree. A call runs by itself when its risk is below the threshold; otherwise it is planned again or a \
human decides.
The promise is about the calls that run without a human, taken together: at most the stated share of them is wrong.
Confidence is about luck in labelling. If fresh calls were drawn and labelled, and the threshold found again, over and \
over, then at 95 % confidence at most 5 of 100 rounds would find a threshold that lets more wrong calls run than \
stated. This is one such round.
The shaded bands show what the labels leave open at one threshold, with 95 % confidence. They are not the promise: \
whoever picks a threshold off such a curve picks luck along with it.
Coverage is the share of calls that run without a human.""".splitlines()
)
LIMITS: Final = tuple(
    """\
It is about each tier as a whole. One tool, one user or one kind of task can do worse while the tier keeps its \
promise; the tables by tool show where.
It holds for calls like those that could have been drawn for labelling. Other tasks, users or attacks are not covered: \
watch for drift.
It holds for the model, prompt, tools and settings listed under "What it holds for". With any other, calls are \
uncalibrated until such calls are labelled.
It is only as right as the labels. A judgement that is wrong, or that followed the risk instead of the facts, counts \
as it stands.
Nothing is promised of a single call, nor of how bad a wrong one is.
A call that ran and that nobody judged is no evidence that it was right.""".splitlines()
)
COST_ASSUMPTIONS: Final = (
    "costs: a review costs the same whether it was needed or not, and the reviewer finds every wrong call",
    "costs: the calls to come are like the labelled ones, and their risk is calibrated",
)


def percent(share: float) -> str:
    """A share with as many digits as tell something."""
    value = 100 * share
    if 99.5 <= value < 100:
        return f"{math.floor(10 * value) / 10:.1f} %"
    text = f"{value:.0f}" if value >= 10 or value == round(value) else f"{value:.2g}"
    return f"{text} %"


def confidence(delta: float) -> str:
    """How sure a promise is that may fail with a probability of delta."""
    return f"{100 * (1 - delta):.4g} %"


def amount(value: float) -> str:
    """A cost in its currency."""
    return f"{value:,.2f}" if value >= 0.1 or value == 0 else f"{value:.2g}"


def count(n: int, one: str, many: str | None = None) -> str:
    """``1 call``, ``2,000 calls``."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def risk(below: float) -> str:
    """A threshold in words."""
    return "at any risk" if below == EVERYTHING else f"at a risk below {below:.4g}"


def promise(tier: CalibratedTier) -> str:
    """The one sentence about a tier."""
    stakes = f"{tier.tier.value}-stakes"
    if any(one.execute_below is not None for one in tier.thresholds):
        return (
            f"At most {percent(tier.alpha)} of the {stakes} calls that run without a human are wrong; this is "
            f"promised with {confidence(tier.delta)} confidence."
        )
    return (
        f"Every {stakes} call goes to a human: there is no threshold that shows at most "
        f"{percent(tier.alpha)} wrong calls with {confidence(tier.delta)} confidence."
    )


def evidence(one: Threshold) -> tuple[str, ...]:
    """What a threshold rests on, or what is missing."""
    if one.execute_below is None:
        said = one.refusal.message if one.refusal is not None else ""
        return (f"No threshold: {said}{'' if said.endswith('.') else '.'}",)
    upper = "" if one.upper is None else f"; with {confidence(one.delta)} confidence at most {percent(one.upper)}"
    found = [
        f"A call runs {risk(one.execute_below)}.",
        (
            f"Of {count(one.n, 'labelled call')}, {one.executed:,} lie below it ({percent(one.coverage)}), and "
            f"{one.executed_errors:,} of these {'was' if one.executed_errors == 1 else 'were'} wrong "
            f"({percent(one.executed_errors / one.executed)}{upper})."
        ),
    ]
    if one.floor is not None:
        found.append(f"Labels were drawn only at risks below {one.floor:.4g}, and so the threshold reaches no further.")
    return tuple(found)


def summary(policy: CalibratedPolicy) -> tuple[str, ...]:
    """What the page opens with."""
    running = [
        tier.tier.value for tier in policy.tiers if any(one.execute_below is not None for one in tier.thresholds)
    ]
    asked = [tier.tier.value for tier in policy.tiers if tier.tier.value not in running]
    found = []
    if running:
        found.append(f"Some calls of {_and(running)} stakes run without a human, under a promise.")
    if asked:
        found.append(f"Calls of {_and(asked)} stakes all go to a human: see below what is missing.")
    found.append("Critical calls always go to a human.")
    return tuple(found)


def costs(view: CostView) -> tuple[str, ...]:
    """What the thresholds cost, in sentences."""
    advised, promised, prices = view.advised, view.promised, view.costs
    retry = ""
    if view.bayes.retry_below is not None:
        retry = " A doubtful call is " + (
            "planned again" if view.bayes.retry_below >= 1 else f"planned again below {view.bayes.retry_below:.4g}"
        )
        retry += ", otherwise a human decides." if view.bayes.retry_below < 1 else "."
    found = [
        (
            f"At these prices ({amount(prices.wrong)} for a wrong call that ran, {amount(prices.review)} for a review"
            f"{'' if prices.retry is None else f', {amount(prices.retry)} for a retry'}) it would be cheapest to let a "
            f"call run {risk(view.bayes.execute_below)}.{retry} That advice is no promise."
        ),
        (
            f"Per call it comes to {amount(advised.cost)} ({amount(advised.low)} to {amount(advised.high)}), where "
            f"{percent(advised.coverage)} run."
        ),
    ]
    if promised.executed:
        found.append(
            f"The threshold with the promise comes to {amount(promised.cost)} ({amount(promised.low)} to "
            f"{amount(promised.high)}), where {percent(promised.coverage)} run."
        )
    found.append(
        f"Asking a human about every call comes to {amount(view.nothing_runs.cost)}, asking about none to "
        f"{amount(view.everything_runs.cost)}. The lowest point of the curve, {amount(view.cheapest.cost)} at "
        f"{percent(view.cheapest.coverage)}, was found by these same labels and is lower than it will turn out."
    )
    return tuple(found)


def load(found: ReviewLoad) -> tuple[str, ...]:
    """What few reviewers leave of the promise, in sentences."""
    said = [
        (
            f"At {found.calls:,.0f} calls a day (critical ones aside) and at most {found.most:,.0f} reviews, those "
            f"calls are reviewed of which most is to be feared: {found.reviews:,.1f} a day on average, and at most "
            f"{found.busy_day:,} on 19 of 20 days."
        )
    ]
    if not found.fits:
        said.append("That is more than asked for: calls of tools that may not run by themselves are too many.")
    said += [
        f"{tier.value.capitalize()} stakes: calls run {risk(one.execute_below)}, {percent(one.coverage)} of "
        f"{one.calls:,.0f} a day. Of {count(one.executed, 'labelled call')} there {one.errors:,} "
        f"{'was' if one.errors == 1 else 'were'} wrong: what can be promised is at most {percent(one.alpha)} wrong, "
        f"with {confidence(one.delta)} confidence."
        for tier, one in found.tiers.items()
    ]
    said.append(
        "This promise stands by itself, because the number of reviews was fixed and no label chose the threshold. It "
        "does not hold for the best of several numbers that were tried."
    )
    return tuple(said)


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
