"""The promise of one tier: its thresholds, tested, with all the evidence; or why there is none, and the way out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from guardrail.calibration.admission import Admitted
from guardrail.calibration.asked import STRATA, Asked
from guardrail.calibration.calls import SOURCES, Calls
from guardrail.calibration.libraries import needed
from guardrail.calibration.promise import fixed_sequence, labels_for_power, labels_needed, traffic_cuts
from guardrail.calibration.tier_sample import TierSample, sample_of, stratum
from guardrail.calibration.tool_evidence import surely_worse, tool_evidence
from guardrail.types import Attempts, CalibratedTier, Refusal, RefusalCode, Threshold

QUANTILES: Final = 101


def fit_tier(admitted: Admitted, asked: Asked) -> CalibratedTier:
    """The tier's promise from the calls that count (with the risk they are sorted by), or why there is none."""
    sample = sample_of(admitted, asked)
    thresholds, runs = _thresholds(sample, asked)
    evidence = tool_evidence(sample.tested, runs, sample.calls.tool.names, sample.vetoed, delta=asked.delta)
    about = _described(admitted)
    warnings = [*admitted.warnings, *sample.warnings]
    if about["unanswered"]:
        warnings.append(f"{about['unanswered']} calls that were drawn are not judged, and count as wrong: judge them")
    warnings += [
        f"{one.executed_errors} of {one.executed} calls of {one.tool} below the threshold were wrong, at least "
        f"{lower:.0%} of what it does: the tier keeps its promise, this tool by itself does not. Send it to review in "
        "the policy, or label more of its calls"
        for one, lower in surely_worse(evidence, alpha=asked.alpha, delta=asked.delta)
    ]
    return CalibratedTier(
        tier=admitted.tier,
        alpha=asked.alpha,
        delta=asked.delta,
        thresholds=thresholds,
        tools=evidence,
        **about,
        scores=_quantiles(sample.calls.risk),
        warnings=tuple(warnings),
    )


def refused(admitted: Admitted, asked: Asked, refusal: Refusal) -> CalibratedTier:
    """A tier without a promise, and why."""
    calls = admitted.calls
    wanted = STRATA[asked.retries]
    return CalibratedTier(
        tier=admitted.tier,
        alpha=asked.alpha,
        delta=asked.delta,
        thresholds=tuple(
            Threshold(
                attempts=attempts,
                alpha=asked.alpha,
                delta=asked.spend / len(wanted),
                n=int(mine.sum()),
                errors=int(calls.wrong[mine].sum()),
                floor=asked.floor,
                refusal=refusal,
            )
            for attempts in wanted
            for mine in [stratum(calls, attempts)]
        ),
        **_described(admitted),
        warnings=admitted.warnings,
    )


def _described(admitted: Admitted) -> dict[str, Any]:
    """Where a tier's labels come from."""
    np = needed("numpy")
    calls = admitted.calls
    counts = np.bincount(calls.source[calls.answered], minlength=len(SOURCES)).tolist()
    at = sorted({str(one) for one in calls.at} - {""})
    return {
        "fingerprint": admitted.fingerprint,
        "sources": {source.value: count for source, count in zip(SOURCES, counts, strict=True) if count},
        "first_at": at[0] if at else "",
        "last_at": at[-1] if at else "",
        "tasks": len(np.unique(calls.kin)),
        "unanswered": int((~calls.answered).sum()),
    }


def _quantiles(risk: Any) -> tuple[float, ...]:
    np = needed("numpy")
    known = risk[~np.isnan(risk)]
    if not len(known):
        return ()
    return tuple(map(float, np.quantile(known, np.linspace(0, 1, QUANTILES), method="inverted_cdf")))


def _thresholds(sample: TierSample, asked: Asked) -> tuple[tuple[Threshold, ...], Any]:
    """The threshold of each kind of attempt, and which of the tested calls lie below theirs, whatever their tool."""
    np = needed("numpy")
    wanted = STRATA[asked.retries]
    parts = {attempts: sample.allowed & stratum(sample.tested, attempts) for attempts in wanted}
    least = labels_needed(asked.alpha, asked.spend / len(wanted))
    # delta goes to those that have enough labels to be tested at all; to see that, no label's answer is looked at
    able = [attempts for attempts in wanted if parts[attempts].sum() >= least]
    able = able or [max(wanted, key=lambda attempts: int(parts[attempts].sum()))]
    found = []
    runs = np.zeros(len(sample.tested), dtype=bool)
    for attempts in wanted:
        delta = asked.spend / (len(able) if attempts in able else len(wanted))
        one = _threshold(sample, sample.tested.take(parts[attempts]), attempts, asked, delta, testable=attempts in able)
        found.append(one)
        if one.execute_below is not None:
            runs |= stratum(sample.tested, attempts) & (sample.tested.risk < one.execute_below)
    return tuple(found), runs


def _threshold(
    sample: TierSample, calls: Calls, attempts: Attempts, asked: Asked, delta: float, *, testable: bool
) -> Threshold:
    base = Threshold(
        attempts=attempts,
        alpha=asked.alpha,
        delta=delta,
        n=len(calls),
        errors=int(calls.wrong.sum()),
        floor=asked.floor,
    )
    if attempts is Attempts.RETRIED and not (sample.calls.attempt > 0).any():
        return replace(base, refusal=_NO_RETRIES)
    if not testable:
        return replace(base, refusal=_too_few(sample, len(calls), asked.alpha, delta))
    cuts: Any = "labels"
    if asked.traffic is not None:
        cuts = traffic_cuts(asked.traffic, n=len(calls), alpha=asked.alpha, delta=delta, floor=asked.floor)
    found = fixed_sequence(
        calls.risk, calls.wrong, alpha=asked.alpha, delta=delta, floor=asked.floor, cuts=cuts, attempts=attempts
    )
    if found.refusal is not None and found.refusal.code is RefusalCode.TOO_FEW_LABELS:
        return replace(found, refusal=_too_few(sample, len(calls), asked.alpha, delta, said=found.refusal))
    return found


_NO_RETRIES: Final = Refusal(
    code=RefusalCode.RETRY_NOT_IN_RECORDS,
    message="no call of a retried step is labelled, and retrying changes the risk: retried calls go to review. Label "
    "some (draw audits among them), or calibrate with attempts 'all' if the policy retries nothing",
)


def _too_few(sample: TierSample, n: int, alpha: float, delta: float, said: Refusal | None = None) -> Refusal:
    """How many labels are missing, without the hope that every one of them will be right."""
    least, one = (labels_needed(alpha, delta, errors=errors) for errors in range(2))
    target = f"at most {100 * alpha:.4g} % wrong at {100 * (1 - delta):.4g} % confidence"
    about = (
        f"{n} labelled calls; {target} needs {least} labels in the executed region without an error: label "
        f"{least - n} more, {one} if one is wrong (in all)"
    )
    if said is not None:
        about = said.message
    likely = labels_for_power(alpha / 4, alpha, delta)
    power = "" if likely is None else f". With {likely} it passes 8 times in 10 where a quarter of that is wrong"
    aside = f". {sample.aside} more were set aside to decide which tools go to review" if sample.aside else ""
    gone = ""
    if sample.vetoed:
        tools = list(sample.vetoed)
        more = f" and {len(tools) - 3} more" if len(tools) > 3 else ""
        gone = f". Not counted: {', '.join(tools[:3])}{more}, whose calls go to review"
    return Refusal(code=RefusalCode.TOO_FEW_LABELS, message=f"{about}{power}{aside}{gone}")
