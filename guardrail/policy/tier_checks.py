"""Whether what a tier asks for is possible, and enough for its stakes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Final

from guardrail.catalogue import RISK
from guardrail.policy.defaults import MAX_RETRIES, MAX_SAMPLES, TIER_DEFAULTS, TierSettings
from guardrail.policy.problems import PolicyProblem, unknown
from guardrail.policy.reviewing_checks import check_tier_reviews
from guardrail.policy.stage_checks import check_cascade, check_known, drawn_by, own_word, real, whole
from guardrail.policy.stages import Stopping, StoppingRule
from guardrail.types import Route, Tier

CRITICAL_IS_FIXED: Final = (
    "critical calls always wait for a human, whatever was measured; "
    "only samples, signals, timeout and reviewers can be set"
)

_ROUTED: Final = (Tier.LOW, Tier.MEDIUM, Tier.HIGH)


def check_calibration(calibration: str | None, uncalibrated: str, risk_model: str | None) -> None:
    """Whether a calibration has the risk that it is about, and something is said of what it does not reach.

    Raises:
        PolicyProblem: no.
    """
    if uncalibrated not in ("review", "defaults"):
        raise PolicyProblem("uncalibrated", unknown("value", uncalibrated, ("review", "defaults")))
    if calibration is None:
        if uncalibrated != "review":
            raise PolicyProblem(
                "uncalibrated",
                "is for calls that a calibration does not reach, and there is none: add 'calibration: FILE', or "
                "remove this",
            )
        return
    if not (isinstance(calibration, str) and calibration):
        raise PolicyProblem("calibration", f"must be the path of a file, not {calibration!r}")
    if risk_model is None:
        raise PolicyProblem(
            "calibration",
            "its thresholds are about the risk of one risk model, and none is named: add 'risk_model: FILE' with the "
            "model that was proposed together with it, or remove this",
        )


def check_tiers(tiers: Mapping[Tier, TierSettings], risk_model: str | None, *, calibrated: bool = False) -> None:
    """Whether each tier's settings are possible, and higher stakes never need less agreement or allow more risk.

    Raises:
        PolicyProblem: the first that is not.
    """
    for tier, settings in tiers.items():
        path = f"tiers.{tier}"
        _check_numbers(tier, settings, path)
        _check_signals(tier, settings, f"{path}.signals")
        if tier is Tier.CRITICAL:
            _check_critical(settings)
            continue
        _check_stakes(tier, settings, path)
        check_cascade(tier, settings, path)
        _check_stopping(settings, f"{path}.stopping")
        _check_waves(settings, f"{path}.waves")
    check_tier_reviews(tiers)
    _check_order(tiers)
    _check_risk_model(tiers, risk_model, calibrated=calibrated)


def _check_numbers(tier: Tier, settings: TierSettings, path: str) -> None:
    least = 0 if tier is Tier.CRITICAL else 2
    share, risk, logprob = settings.agreement, settings.max_risk, settings.logprob
    ranges: tuple[tuple[str, bool, str], ...] = (
        ("samples", whole(settings.samples, least, MAX_SAMPLES), f"a whole number from {least} to {MAX_SAMPLES}"),
        ("agreement", share is None or (real(share) and 0 < share <= 1), "a share above 0, at most 1"),
        ("max_risk", risk is None or (real(risk) and 0 <= risk < 1), "a probability from 0 to below 1"),
        ("max_retries", whole(settings.max_retries, 0, MAX_RETRIES), f"a whole number from 0 to {MAX_RETRIES}"),
        ("audit", real(settings.audit) and 0 <= settings.audit <= 1, "a probability from 0 to 1"),
        ("logprob", logprob is None or (real(logprob) and logprob <= 0), "a log-probability in nats, at most 0"),
        ("unmeasured", settings.unmeasured in (Route.REVIEW, Route.EXECUTE), "'review' (or, for low, 'execute')"),
    )
    for name, fine, wanted in ranges:
        if not fine:
            raise PolicyProblem(f"{path}.{name}", f"must be {wanted}, not {getattr(settings, name)!r}")


def _check_signals(tier: Tier, settings: TierSettings, path: str) -> None:
    for name in settings.signals:
        found = check_known(name, path)
        if found.sampled and not settings.samples:
            raise PolicyProblem(path, f"{name!r} is measured over samples, and the tier draws none; remove it")
    own = own_word(settings.signals)
    if own and len(own) == len(settings.signals):
        raise PolicyProblem(
            path, f"{', '.join(own)} alone is the model's word for itself; a tier cannot stand on it: add 'agreement'"
        )
    if tier is not Tier.CRITICAL and settings.agreement is not None and "agreement" not in settings.signals:
        raise PolicyProblem(path, "'agreement' decides whether a call may run and cannot be left out; add it")


def _check_critical(settings: TierSettings) -> None:
    fixed = TIER_DEFAULTS[Tier.CRITICAL]
    for name in (
        "agreement",
        "max_risk",
        "cascade",
        "stopping",
        "waves",
        "max_retries",
        "unmeasured",
        "logprob",
        "audit",
    ):
        if getattr(settings, name) != getattr(fixed, name):
            raise PolicyProblem(f"tiers.critical.{name}", CRITICAL_IS_FIXED)


def _check_stakes(tier: Tier, settings: TierSettings, path: str) -> None:
    if settings.agreement is None and settings.max_risk is None:
        raise PolicyProblem(f"{path}.agreement", "is missing, and so is 'max_risk': one of them has to decide; add it")
    if tier is Tier.LOW:
        return
    if settings.logprob is not None:
        raise PolicyProblem(f"{path}.logprob", "only low-tier calls may run on log-probability alone; remove it")
    if settings.unmeasured is Route.EXECUTE:
        raise PolicyProblem(f"{path}.unmeasured", "only low-tier calls may run without a measurement; write 'review'")


def _check_stopping(settings: TierSettings, path: str) -> None:
    stopping = settings.stopping
    if not isinstance(stopping.rule, StoppingRule):
        raise PolicyProblem(f"{path}.rule", f"must be one of {', '.join(StoppingRule)}, not {stopping.rule!r}")
    if stopping.rule is not StoppingRule.BAYESIAN:
        if (stopping.error, stopping.prior) != (Stopping().error, Stopping().prior):
            raise PolicyProblem(
                path, f"only the bayesian rule has an error and a prior, not {stopping.rule}; remove them"
            )
        return
    if settings.agreement is None or settings.max_risk is not None:
        raise PolicyProblem(
            f"{path}.rule",
            "bayesian stopping foretells the agreement of all samples, and here a risk decides; write 'lossless'",
        )
    if not (real(stopping.error) and 0 < stopping.error < 0.5):
        raise PolicyProblem(
            f"{path}.error", f"must be a probability between 0 and 0.5, such as 0.02, not {stopping.error!r}"
        )
    if len(stopping.prior) != 2 or not all(real(count) and count > 0 for count in stopping.prior):
        raise PolicyProblem(
            f"{path}.prior", f"must be two numbers above 0 (samples that agree, that do not), not {stopping.prior!r}"
        )


def _check_waves(settings: TierSettings, path: str) -> None:
    if not settings.waves:
        return
    if not all(whole(size, 1, MAX_SAMPLES) for size in settings.waves):
        raise PolicyProblem(path, f"must be whole numbers from 1, not {list(settings.waves)!r}")
    drawn = drawn_by(settings.cascade)
    left, total = settings.samples - drawn, sum(settings.waves)
    if total != left:
        before = f" less the {drawn} of earlier stages" if drawn else ""
        raise PolicyProblem(path, f"add up to {total}, and the last stage draws {left} ({settings.samples}{before})")


def _check_order(tiers: Mapping[Tier, TierSettings]) -> None:
    shares = [(tier, share) for tier in _ROUTED if (share := tiers[tier].agreement) is not None]
    for (looser, less), (tighter, more) in itertools.pairwise(shares):
        if more < less:
            raise PolicyProblem(
                f"tiers.{tighter}.agreement",
                f"{more:.3g} is less than the {less:.3g} that the {looser} tier asks for; "
                f"higher stakes may not need less agreement",
            )
    risks = [(tier, risk) for tier in _ROUTED if (risk := tiers[tier].max_risk) is not None]
    for (looser, most), (tighter, risk) in itertools.pairwise(risks):
        if risk > most:
            raise PolicyProblem(
                f"tiers.{tighter}.max_risk",
                f"{risk:.3g} is more than the {most:.3g} that the {looser} tier allows; "
                f"higher stakes may not allow more risk",
            )


def _check_risk_model(tiers: Mapping[Tier, TierSettings], risk_model: str | None, *, calibrated: bool) -> None:
    used = next((place for tier in Tier for place in _uses_of_risk(tiers[tier], f"tiers.{tier}")), None)
    if risk_model is None and used is not None:
        raise PolicyProblem(used, "needs a risk model: name its file with 'risk_model: risk.json', or remove this")
    if risk_model is not None and used is None and not calibrated:
        raise PolicyProblem("risk_model", "no tier uses it: give one 'max_risk' or a condition on 'risk', or remove it")
    if risk_model is not None and not (isinstance(risk_model, str) and risk_model):
        raise PolicyProblem("risk_model", f"must be the path of a file, not {risk_model!r}")


def _uses_of_risk(settings: TierSettings, path: str) -> Iterator[str]:
    if settings.max_risk is not None:
        yield f"{path}.max_risk"
    for index, stage in enumerate(settings.cascade):
        if RISK.name in stage.named:
            yield f"{path}.cascade[{index}]"
    if RISK.name in settings.signals:
        yield f"{path}.signals"
