"""The calls that a tier's thresholds are tested on: a plain sample of those that the promise is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from guardrail.calibration.admission import Admitted
from guardrail.calibration.asked import STRATA, Asked, Retries, Unit
from guardrail.calibration.calls import ROUTES, Calls
from guardrail.calibration.dependence import WARN_ABOVE, effective_number, intraclass, one_per_task
from guardrail.calibration.libraries import needed
from guardrail.calibration.thinning import kept
from guardrail.calibration.tool_evidence import set_aside, vetoes
from guardrail.types import Attempts, Refusal, Route


@dataclass(frozen=True, kw_only=True, eq=False)
class TierSample:
    """``calls`` are all that were sampled, each as likely as any other, ``tested`` those of them that no decision about
    tools was made on, ``allowed`` marks the ones of these whose tools may run, and ``vetoed`` says why others may not.
    """

    calls: Calls
    tested: Calls
    allowed: Any
    vetoed: Mapping[str, str]
    warnings: tuple[str, ...]

    @property
    def aside(self) -> int:
        """How many calls decided about tools."""
        return len(self.calls) - len(self.tested)


@dataclass(frozen=True, kw_only=True, eq=False)
class Tested:
    """The calls on which one threshold is tested, with the risk they are sorted by, or why there are none.

    ``traffic`` is about how many calls they stand for: the sum of 1 / probability before any were drawn away.
    """

    calls: Calls
    traffic: float
    refusal: Refusal | None = None


def sample_of(admitted: Admitted, asked: Asked) -> TierSample:
    """The sample of a tier's admitted calls."""
    np = needed("numpy")
    calls, said = _sampled(admitted.calls, asked)
    aside = set_aside(calls, asked.seed) if asked.vetoes else np.zeros(len(calls), dtype=bool)
    why = vetoes(calls.take(aside), calls.tool.names, alpha=asked.alpha, delta=asked.delta) if aside.any() else {}
    tested = calls.take(~aside)
    out = [number for number, tool in enumerate(tested.tool.names) if tool in why]
    return TierSample(
        calls=calls,
        tested=tested,
        allowed=~np.isin(tested.tool.codes, out),
        vetoed=why,
        warnings=(*said, *_dependent(calls, asked)),
    )


def stratum(calls: Calls, attempts: Attempts) -> Any:
    """Which calls a threshold of that kind is for."""
    match attempts:
        case Attempts.FIRST:
            return calls.attempt == 0
        case Attempts.RETRIED:
            return calls.attempt > 0
        case Attempts.ALL:
            return calls.attempt >= 0


def tested_of(admitted: Admitted, asked: Asked) -> dict[Attempts, Tested]:
    """The calls of each of a tier's tests."""
    np = needed("numpy")
    if admitted.refusal is not None:
        return {
            attempts: Tested(calls=mine, traffic=_stands_for(mine), refusal=admitted.refusal)
            for attempts in STRATA[asked.retries]
            for mine in [admitted.calls.take(stratum(admitted.calls, attempts))]
        }
    sample = sample_of(admitted, asked)
    return {
        attempts: Tested(
            calls=sample.tested.take(sample.allowed & stratum(sample.tested, attempts)),
            traffic=_stands_for(admitted.calls.take(np.flatnonzero(stratum(admitted.calls, attempts)))),
        )
        for attempts in STRATA[asked.retries]
    }


def _stands_for(calls: Calls) -> float:
    return float((1 / calls.probability[~needed("numpy").isnan(calls.probability)]).sum())


def _sampled(calls: Calls, asked: Asked) -> tuple[Calls, list[str]]:
    """The calls each of which is as likely to be among them as any other of those that the promise is about."""
    said = []
    if asked.retries is Retries.LOOP:
        # a call that was planned again did not run
        calls = calls.take(calls.route != ROUTES.index(Route.RETRY))
    silent = needed("numpy").isnan(calls.risk)
    if silent.any():
        said.append(f"{int(silent.sum())} labelled calls have no risk: such calls go to review, and are not counted")
        calls = calls.take(~silent)
    if asked.floor is not None:
        calls = calls.take(calls.risk < asked.floor)
    if len(calls):
        keep = kept(calls.ids.tolist(), calls.probability, seed=asked.seed)
        if not keep.all():
            said.append(
                f"{int((~keep).sum())} of {len(calls)} labels were drawn away: they were likelier to be judged than "
                "others, and the test takes equal chances"
            )
        calls = calls.take(keep)
    if asked.unit is Unit.TASK:
        calls = calls.take(one_per_task(calls.kin.tolist(), calls.ids.tolist(), asked.seed))
    return calls, said


def _dependent(calls: Calls, asked: Asked) -> list[str]:
    """A warning where calls of one task go right or wrong together."""
    if asked.unit is Unit.TASK:
        return []
    kin = calls.kin
    found = intraclass(calls.wrong, kin)
    if not found > WARN_ABOVE:
        return []
    said = (
        f"calls of one task go wrong together (intraclass correlation {found:.2f}): {len(calls)} labels are worth "
        f"about {effective_number(kin, found):.0f}, and the promise is weaker than stated. Calibrate one call a task "
        "(unit 'task')"
    )
    return [said]
