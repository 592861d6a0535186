"""Thresholds from labelled calls, with a promise: or what exactly is missing for one.

Of each tier: with probability at least 1 - delta over the labels drawn, at most alpha of the calls that it executes
without a human are wrong. Nothing here falls back to a threshold that is not calibrated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from guardrail.calibration.asked import Cuts, Retries, Unit
from guardrail.calibration.calibrated_file import save_calibration
from guardrail.calibration.calls import Calls
from guardrail.calibration.ledger import Ledger, Look
from guardrail.calibration.options import TARGETS, Combiner, Options
from guardrail.calibration.preparing import Prepared, Traffic, prepare
from guardrail.calibration.promise import METHOD
from guardrail.calibration.risk_model import RiskModel
from guardrail.calibration.tier_fit import fit_tier, refused
from guardrail.calibration.tier_sample import Tested, tested_of
from guardrail.codec import digest
from guardrail.errors import ConfigError
from guardrail.types import Attempts, CalibratedPolicy, CalibratedTier, LabelledCall, Refusal, Tier


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A proposal: the promise of each tier, the risk model that its thresholds are about, the ledger after the look.

    ``model`` is None where the recorded risk was used, and where no model could be fitted. Nothing is adopted by it.
    """

    policy: CalibratedPolicy
    model: RiskModel | None
    ledger: Ledger
    prepared: Prepared = field(repr=False, compare=False)

    @property
    def tested(self) -> dict[tuple[Tier, Attempts], Tested]:
        """The calls on which each threshold was tested, with the risk they were sorted by."""
        return _tested(self.prepared)

    @property
    def promises(self) -> bool:
        """Whether at least one tier has a threshold."""
        return any(one.execute_below is not None for tier in self.policy.tiers for one in tier.thresholds)

    def save(self, policy: Path | str, model: Path | str) -> None:
        """Write the policy and its model together: the one is worth nothing without the other.

        Raises:
            ConfigError: one of the files cannot be written.
        """
        if self.model is not None:
            try:
                self.model.save(model)
            except OSError as error:
                raise ConfigError(f"cannot write the risk model {model}: {error.strerror}") from error
        save_calibration(self.policy, policy)


def calibrate(
    records: Iterable[LabelledCall] | Calls,
    *,
    target_error: Mapping[str, float] = TARGETS,
    confidence: float = 0.95,
    unit: Unit | Literal["call", "task"] = Unit.CALL,
    simultaneous: bool = False,
    cuts: Cuts | Literal["labels", "traffic"] = Cuts.LABELS,
    combiner: Combiner | RiskModel | Literal["cross-fit", "recorded"] = Combiner.CROSS_FIT,
    signals: Sequence[str] | None = None,
    attempts: Retries | Literal["strata", "loop", "all"] = Retries.STRATA,
    ledger: Ledger | None = None,
    seed: int = 0,
    unanswered: Iterable[LabelledCall] = (),
    ran_unjudged: Mapping[Tier, int] | None = None,
    where: Mapping[str, str] = MappingProxyType({}),
    fingerprint: Mapping[str, str] = MappingProxyType({}),
    floor: Mapping[str, float] = MappingProxyType({}),
    traffic: Traffic = MappingProxyType({}),
    vetoes: bool = True,
    progress: Callable[[str, float], None] | None = None,
) -> Calibration:
    """Thresholds of each tier from labelled calls, as a proposal with all its evidence.

    The same calls and settings give the same value, byte for byte, whatever their order.

    Args:
        records: the labelled calls, or ``read_calls`` of files.
        target_error: by tier, the share of the executed calls that may be wrong (alpha), in (0, 1).
        confidence: 1 - delta, in (0, 1): how sure the promise of each tier is.
        simultaneous: all tiers keep their promises together with that confidence: delta is split between them.
        unit: ``task`` takes one call a task, for calls that go wrong together.
        cuts: ``traffic`` tests at risks fixed beforehand, quantiles of ``traffic``; then a risk that does not rise with
            the error breaks no promise.
        combiner: where the risk comes from; a ``RiskModel`` was fitted on other calls.
        signals: the inputs of a cross-fitted model; without, the usual ones.
        attempts: ``strata`` has a threshold for first attempts and one for retried ones, ``loop`` one for the calls
            that finally ran, ``all`` one where the policy retries nothing.
        ledger: the looks at these labels so far; None: this is the one and only, with all of delta.
        seed: of all draws (folds, thinning, tasks set aside).
        unanswered: calls that were drawn and that nobody judged; they count as wrong.
        ran_unjudged: by tier, how many calls ran without any chance of being judged; None: nobody knows.
        where: what to select where scores are of several kinds, by key of the fingerprint, or ``tier.key``.
        fingerprint: what the scores depend on, for calls that do not say so themselves.
        floor: by tier, the risk below which alone labels were drawn; the threshold stays below it too.
        traffic: calls without labels, for ``cuts="traffic"``.
        vetoes: whether a part of the tasks decides which tools go to review.
        progress: told what is going on, and the share that is done.

    Raises:
        ConfigError: an option or a call cannot be used; the message has its place and the fix.
        MissingExtra: the packages of the extra ``calibration`` are not installed.
    """
    tell = progress or (lambda _what, _share: None)
    options = Options.of(
        target_error=target_error,
        confidence=confidence,
        unit=unit,
        simultaneous=simultaneous,
        cuts=cuts,
        combiner=combiner,
        signals=signals,
        attempts=attempts,
        seed=seed,
        where=where,
        fingerprint=fingerprint,
        floor=floor,
        vetoes=vetoes,
    )
    prepared = prepare(records, options, unanswered=unanswered, ran_unjudged=ran_unjudged, traffic=traffic, tell=tell)
    tell("testing thresholds", 0.9)
    settings = options.settings()
    key = digest([prepared.records, settings])
    after, look = ledger or Ledger(), 1
    found: list[CalibratedTier] = []
    for tier in options.alphas:
        fitted, after, number = _tier(prepared, tier, key, ledger, after)
        found.append(fitted)
        look = max(look, number)
    tell("done", 1.0)
    policy = CalibratedPolicy(
        tiers=tuple(found),
        method=METHOD,
        settings=settings,
        records=prepared.records,
        look=look,
        risk_model=prepared.model.digest if prepared.model is not None else _recorded_model(found),
        assumptions=options.assumptions(prepared.assumption),
    )
    return Calibration(policy=policy, model=prepared.model, ledger=after, prepared=prepared)


def calls_tested(
    records: Iterable[LabelledCall] | Calls,
    *,
    target_error: Mapping[str, float] = TARGETS,
    unanswered: Iterable[LabelledCall] = (),
    ran_unjudged: Mapping[Tier, int] | None = None,
    **options: Any,
) -> dict[tuple[Tier, Attempts], Tested]:
    """The calls on which ``calibrate`` would test each threshold, with their risk: the step before, and no look.

    ``options`` are those of ``calibrate``.

    Raises:
        ConfigError, MissingExtra: as ``calibrate`` does.
    """
    given = {**_DEFAULTS, **options}
    return _tested(
        prepare(
            records,
            Options.of(target_error=target_error, **given),
            unanswered=unanswered,
            ran_unjudged=ran_unjudged,
            traffic={},
            tell=lambda _what, _share: None,
        )
    )


_DEFAULTS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "confidence": 0.95,
        "unit": Unit.CALL,
        "simultaneous": False,
        "cuts": Cuts.LABELS,
        "combiner": Combiner.CROSS_FIT,
        "signals": None,
        "attempts": Retries.STRATA,
        "seed": 0,
        "where": {},
        "fingerprint": {},
        "floor": {},
        "vetoes": True,
    }
)


def _tested(prepared: Prepared) -> dict[tuple[Tier, Attempts], Tested]:
    return {
        (tier, attempts): found
        for tier, one in prepared.tiers.items()
        for attempts, found in tested_of(one, prepared.asked[tier]).items()
    }


def _tier(
    prepared: Prepared, tier: Tier, key: str, given: Ledger | None, after: Ledger
) -> tuple[CalibratedTier, Ledger, int]:
    """The tier's promise, the ledger after it, and which look at its labels it was."""
    one, asked = prepared.tiers[tier], prepared.asked[tier]
    number = 1 if given is None else given.number(tier, key)
    if one.refusal is not None:
        return refused(one, asked, one.refusal), after, number
    if given is not None:
        spend = given.delta(tier, key, n=len(one.calls), delta=asked.delta)
        if isinstance(spend, Refusal):
            return refused(one, asked, spend), after, number
        asked = replace(asked, spend=spend)
    found = fit_tier(one, asked)
    if any(threshold.start for threshold in found.thresholds):
        # a refusal before any test has looked at nothing
        after = after.with_look(tier, Look(key=key, n=len(one.calls), delta=asked.spend))
    return found, after, number


def _recorded_model(tiers: Sequence[CalibratedTier]) -> str:
    values = {value for tier in tiers for value in tier.fingerprint.get("risk_model", ())}
    return values.pop() if len(values) == 1 else ""
