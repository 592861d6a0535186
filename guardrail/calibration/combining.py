"""The risk by which calls are sorted: of a model that has not seen their task."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

from guardrail.calibration.calls import Calls
from guardrail.calibration.fitting import fit_risk
from guardrail.calibration.libraries import needed
from guardrail.calibration.risk_model import RiskModel
from guardrail.calibration.rows import LEAST_ROWS, Row
from guardrail.calibration.thinning import uniform
from guardrail.types import Refusal, RefusalCode

FIT_ROWS: Final = 5_000
"""More rows than these tell the few parameters of a risk model nothing new; the rest are scored by it."""
FOLDS: Final = 5
_SKETCH: Final = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Scored:
    """The risk of each call (NaN: missing), and the model to deploy with the thresholds (None: the recorded one)."""

    risk: Any
    model: RiskModel | None = None
    assumption: str = ""


def cross_fitted(
    calls: Calls, records: str, *, signals: Sequence[str] | None, seed: int, fit_rows: int = FIT_ROWS
) -> Scored | Refusal:
    """Each call by a model that was fitted without its task, and the refit on all fitted rows.

    Beyond ``fit_rows`` the model is fitted on a part of the tasks, drawn by digest and seed and not by any label. Those
    are scored as always, each fold by the others' model; every other call is scored by the refit itself, which has not
    seen its task either. So no label has had a part in its own score, which is all that the test of a threshold asks.

    Returns:
        Why no model can be fitted, where it cannot.

    Raises:
        ConfigError: a signal cannot be an input, or there are no usual ones.
    """
    np = needed("numpy")
    fitted = _part(calls, fit_rows, seed)
    part = calls.take(fitted)
    rows = _rows(part)
    drawn = _folds(rows, seed)
    if isinstance(drawn, Refusal):
        return drawn
    folds, fold = drawn
    same = {
        key: column.names[0]
        for key, column in calls.fingerprint.items()
        if len(column.names) == 1 and key != "risk_model"
    }
    found = fit_risk(
        rows,
        signals=signals,
        folds=folds,
        seed=seed,
        fingerprint={key: value for key, value in same.items() if value},
        fold_of_row=fold,
    )
    model = replace(found.model, facts={**found.model.facts, "records": records, "seen": _sketch(part)})
    risk = np.full(len(calls), math.nan)
    risk[fitted] = [math.nan if one.risk is None else one.risk for one in found.held]
    if not fitted.all():
        risk[~fitted] = risks(calls.take(~fitted), model)
    return Scored(risk=risk, model=model)


def modelled(calls: Calls, records: str, model: RiskModel) -> Scored | Refusal:
    """Each call by a model that was fitted before on other calls.

    Returns:
        COMBINER_SAW_CALIBRATION_DATA where it was fitted on some of these.
    """
    seen = set(model.facts.get("seen") or ())
    both = seen.intersection(map(_mark, calls.ids)) if seen else set()
    if both or model.facts.get("records") == records:
        return Refusal(
            code=RefusalCode.COMBINER_SAW_CALIBRATION_DATA,
            message="the risk model was fitted on some of these calls: a threshold on them would promise too much. "
            "Leave the combiner at cross-fit, or calibrate on calls that it has not seen",
        )
    stated = "" if "records" in model.facts else "the given risk model was fitted on other calls than these"
    return Scored(risk=risks(calls, model), model=model, assumption=stated)


def recorded(calls: Calls) -> Scored:
    """Each call by the risk on its record."""
    return Scored(
        risk=calls.risk, assumption="the recorded risks are of a model that was fitted on other calls than these"
    )


def risks(calls: Calls, model: RiskModel) -> Any:
    """P(wrong) of each call by the model, exactly as the guard computes it; NaN where it has none."""
    np = needed("numpy")
    names = model.signals
    missing = np.full(len(calls), math.nan)
    columns = [calls.signals.get(name, missing).tolist() for name in names]
    found = (
        model.of({name: value for name, value in zip(names, row, strict=True) if not math.isnan(value)})
        for row in zip(*columns, strict=True)
    )
    return np.fromiter((math.nan if risk is None else risk for risk in found), dtype=float, count=len(calls))


def _part(calls: Calls, most: int, seed: int) -> Any:
    """Which rows are fitted: all, or those of the tasks whose digests come first, until there are enough."""
    np = needed("numpy")
    if len(calls) <= most:
        return np.ones(len(calls), dtype=bool)
    kin, first, counts = np.unique(calls.kin, return_index=True, return_counts=True)
    order = np.argsort(uniform(calls.take(first).kin_names(), f"fit {seed}"), kind="stable")
    enough = max(int(np.searchsorted(np.cumsum(counts[order]), most)) + 1, FOLDS)
    return np.isin(calls.kin, kin[order[:enough]])


def _rows(calls: Calls) -> list[Row]:
    columns = {name: values.tolist() for name, values in calls.signals.items()}
    return [
        Row(
            id=identity,
            right=not wrong,
            group=calls.task.names[task],
            signals={name: None if math.isnan(values[row]) else values[row] for name, values in columns.items()},
        )
        for row, (identity, wrong, task) in enumerate(
            zip(calls.ids.tolist(), calls.wrong.tolist(), calls.task.codes.tolist(), strict=True)
        )
    ]


def _folds(rows: Sequence[Row], seed: int) -> tuple[int, dict[str, int]] | Refusal:
    """How many folds, and the fold of each row: whole tasks, 5 folds, or fewer where a kind of call is rare.

    Drawn by digest and not balanced by label: or a label would have a part in which model scores its own call.
    """
    np = needed("numpy")
    wrong = np.array([not row.right for row in rows], dtype=bool)
    n, errors = len(rows), int(wrong.sum())
    said = f"{errors} of {n} labelled calls are wrong, and a risk takes more of each kind, of several tasks"
    if n < LEAST_ROWS:
        said = f"{n} labelled calls are too few to fit a risk: label at least {LEAST_ROWS}"
    else:
        kin = sorted({row.kin for row in rows})
        order = np.argsort(uniform(kin, f"folds {seed}"), kind="stable")
        place = dict(zip([kin[number] for number in order], range(len(kin)), strict=True))
        for folds in range(min(FOLDS, len(kin)), 1, -1):
            fold = np.array([place[row.kin] % folds for row in rows])
            rest = [wrong[fold != number] for number in range(folds)]
            if all(one.any() and not one.all() for one in rest):
                return folds, dict(zip([row.id for row in rows], fold.tolist(), strict=True))
    return Refusal(
        code=RefusalCode.TOO_FEW_LABELS, message=f"{said}; or give a risk model that was fitted on other calls"
    )


def _sketch(calls: Calls) -> list[str]:
    """The least of the marks of these calls: other calls that share some of them are found out.

    Of a model's calls, a share s among those of a calibration is overlooked with a probability of (1 - s)^64.
    """
    return sorted(map(_mark, calls.ids))[:_SKETCH]


def _mark(identity: str) -> str:
    return sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:16]
