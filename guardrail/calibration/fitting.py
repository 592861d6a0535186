"""Fits the risk model on labelled calls, and scores each of them by a model that has not seen its group.

Maximum likelihood with no coefficient below 0, and two pulls: the coefficients towards each other (weights that are
equal are hard to beat where labels are few: Dawes 1979), and weakly towards 0, so that separable data have a fit. How
strong the pull is, is chosen by cross-validated log loss inside of the rows that are fitted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from guardrail import catalogue
from guardrail.calibration.folds import fold_of
from guardrail.calibration.libraries import needed, one_thread
from guardrail.calibration.risk_model import RISK, Input, Pattern, RiskModel
from guardrail.calibration.rows import LEAST_ROWS, Row, checked_rows
from guardrail.calibration.scales import Doubt, doubt_for
from guardrail.errors import ConfigError
from guardrail.types import SignalInfo

USUAL: Final = (
    ("logprob_sum", "logprob_turn", "agreement", "p_true"),
    ("agreement", "semantic_entropy", "p_true"),
)
"""The inputs unless the caller names them: one of each kind of evidence, few because labels are; the second where
there are no log-probabilities."""

PENALTIES: Final = (1.0, 10.0, 100.0)
"""How strongly the coefficients are pulled together: the weight of half the squared distance from their mean."""

LEAST_OF_PATTERN: Final = 20
NO_INFOS: Final[Mapping[str, SignalInfo]] = MappingProxyType({})
_INNER: Final = 4
_RIDGE: Final = 0.05
_PATTERN_RIDGE: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is fitted: the signals, and how strongly their coefficients are pulled together."""

    signals: tuple[str, ...]
    penalty: float


@dataclass(frozen=True, kw_only=True)
class Held:
    """A row scored by a model that did not see its group: its risk, its place, and in which fold it was.

    ``index`` is the weighted mean doubt (``RiskModel.index``): models of several folds differ in their intercepts,
    which tells about the folds and not about the rows. Both are None where the row's risk is missing.
    """

    id: str
    fold: int
    risk: float | None
    index: float | None


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The model of all rows, and each row as scored without its group, in the order of the rows."""

    model: RiskModel
    held: tuple[Held, ...]


def fit_risk(
    rows: Iterable[Row],
    *,
    signals: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    fingerprint: Mapping[str, str] | None = None,
    fold_of_row: Mapping[str, int] | None = None,
) -> Fitted:
    """A risk model of labelled calls, and their cross-fitted risks.

    ``signals`` are the model's inputs; without, those of ``USUAL`` that at least half of the rows have. ``fingerprint``
    says what was measured (model, N, temperature, judge): it is kept with the model. ``fold_of_row`` gives each row's
    fold by its id; without, folds have about as many wrong rows each.

    Raises:
        ConfigError: too few rows or all of one kind, an id twice, a value that is not finite, or a signal that is
            unknown, missing everywhere, or cannot be an input.
    """
    given = checked_rows(rows)
    ordered = sorted(given, key=lambda row: row.id)
    if len(ordered) < LEAST_ROWS:
        raise ConfigError(f"{len(ordered)} labelled rows are too few to fit a risk; label at least {LEAST_ROWS}")
    names = _inputs(ordered, signals)
    fold = fold_of(ordered, folds, seed) if fold_of_row is None else [fold_of_row[row.id] for row in ordered]
    held: dict[str, Held] = {}
    chosen: list[Setting] = []
    for number in range(folds):
        rest = [row for row, of in zip(ordered, fold, strict=True) if of != number]
        setting = choose(rest, names, seed)
        chosen.append(setting)
        model = fit(rest, setting)
        for row, of in zip(ordered, fold, strict=True):
            if of == number:
                held[row.id] = _held(model, row, number)
    setting = choose(ordered, names, seed)
    facts = {
        "n": len(ordered),
        "errors": sum(not row.right for row in ordered),
        "groups": len({row.kin for row in ordered}),
        "folds": folds,
        "seed": seed,
        "penalty": setting.penalty,
        "penalties_in_folds": [one.penalty for one in chosen],
        "fingerprint": dict(sorted((fingerprint or {}).items())),
    }
    return Fitted(model=fit(ordered, setting, facts), held=tuple(held[row.id] for row in given))


def cross_fit(
    rows: Sequence[Row], setting: Setting, *, folds: int, seed: int, infos: Mapping[str, SignalInfo] = NO_INFOS
) -> list[Held]:
    """Each row by a model of the other folds, with a setting that is fixed beforehand.

    ``infos`` describe signals that are not in the catalogue.

    Raises:
        ConfigError: there are too few rows, or groups, or rows of one kind.
    """
    fold = fold_of(rows, folds, seed)
    models = [
        fit([row for row, of in zip(rows, fold, strict=True) if of != number], setting, infos=infos)
        for number in range(folds)
    ]
    return [_held(models[of], row, of) for row, of in zip(rows, fold, strict=True)]


def choose(rows: Sequence[Row], names: tuple[str, ...], seed: int) -> Setting:
    """The strongest pull whose cross-validated log loss on these rows is within one standard error of the least.

    (Breiman et al. 1984, one standard error rule, on paired losses.) A row without risk counts with the base rate.
    Where there are too few rows to try them on, it is the strongest of all.
    """
    settings = [Setting(signals=names, penalty=penalty) for penalty in sorted(PENALTIES, reverse=True)]
    if len(names) == 1:
        return settings[0]
    try:
        fold = fold_of(rows, _INNER, seed)
    except ConfigError:
        return settings[0]
    losses = [list(_losses(rows, fold, setting)) for setting in settings]
    least = min(losses, key=math.fsum)
    return next(setting for setting, loss in zip(settings, losses, strict=True) if _no_worse(loss, least))


def _no_worse(losses: Sequence[float], least: Sequence[float]) -> bool:
    """Whether the mean of the differences is at most their standard error."""
    more = [a - b for a, b in zip(losses, least, strict=True)]
    mean = math.fsum(more) / len(more)
    return mean <= math.sqrt(math.fsum((one - mean) ** 2 for one in more)) / len(more)


def _losses(rows: Sequence[Row], fold: Sequence[int], setting: Setting) -> Iterator[float]:
    for number in sorted(set(fold)):
        rest = [row for row, of in zip(rows, fold, strict=True) if of != number]
        base = sum(not row.right for row in rest) / len(rest)
        model = fit(rest, setting)
        for row, of in zip(rows, fold, strict=True):
            if of == number:
                risk = model.of(_values(row, setting.signals))
                risk = base if risk is None else risk
                yield -math.log(max(1 - risk if row.right else risk, 1e-12))


def fit(
    rows: Sequence[Row],
    setting: Setting,
    facts: Mapping[str, Any] | None = None,
    *,
    infos: Mapping[str, SignalInfo] = NO_INFOS,
) -> RiskModel:
    """The model of these rows; rows whose missing signals too few others share are left out.

    Raises:
        ConfigError: no pattern of missing signals has enough rows.
    """
    np = needed("numpy")
    names = setting.signals
    doubts = {name: _scale(name, rows, infos) for name in names}
    lacking = [frozenset(name for name in names if row.signals.get(name) is None) for row in rows]
    seen = Counter(lacking)
    least = min(LEAST_OF_PATTERN, max(seen.values()))
    patterns = sorted(
        (one for one, n in seen.items() if n >= least and len(one) < len(names)), key=lambda p: (len(p), sorted(p))
    )
    if not patterns:
        raise ConfigError(f"none of {', '.join(names)} was measured often enough; label calls that have them")
    kept = [(row, without) for row, without in zip(rows, lacking, strict=True) if without in patterns]
    values = [_values(row, names) for row, _ in kept]
    doubt = np.array([[doubts[name].of(of[name]) if name in of else math.nan for name in names] for of in values])
    # a signal may be missing in every kept row: then it tells nothing, and counts as fully doubtful
    present = np.isfinite(doubt)
    mean = np.where(
        present.any(axis=0), np.where(present, doubt, 0).sum(axis=0) / np.maximum(present.sum(axis=0), 1), 1
    )
    apart = np.array([[float(without == one) for one in patterns[1:]] for _, without in kept]).reshape(len(kept), -1)
    wrong = np.array([not row.right for row, _ in kept])
    solved = _solve(np.where(present, doubt, mean), apart, wrong, setting.penalty)
    raises = (0.0, *solved[1 + len(names) :])
    return RiskModel(
        inputs=tuple(
            Input(name=name, doubt=doubts[name], coefficient=solved[1 + place], missing=_rounded(mean[place]))
            for place, name in enumerate(names)
        ),
        intercept=solved[0],
        patterns=tuple(
            Pattern(
                missing=one,
                raises=raised,
                n=seen[one],
                errors=sum(not row.right for row, without in kept if without == one),
            )
            for one, raised in zip(patterns, raises, strict=True)
        ),
        facts=facts or {},
    )


def _solve(doubt: Any, apart: Any, wrong: Any, penalty: float) -> list[float]:
    """Intercept, coefficients and what patterns add: the penalised maximum likelihood, none but the first below 0."""
    np = needed("numpy")
    design = np.hstack([np.ones((len(wrong), 1)), doubt, apart])
    signals = doubt.shape[1]

    def loss(parameters: Any) -> tuple[float, Any]:
        odds = design @ parameters
        coefficients, raised = parameters[1 : 1 + signals], parameters[1 + signals :]
        spread, total = coefficients - coefficients.mean(), coefficients.sum()
        value = (np.logaddexp(0, odds) - wrong * odds).sum() + (
            penalty * (spread**2).sum() + _RIDGE * total**2 + _PATTERN_RIDGE * (raised**2).sum()
        ) / 2
        slope = design.T @ (1 / (1 + np.exp(-odds)) - wrong)
        slope[1 : 1 + signals] += penalty * spread + _RIDGE * total
        slope[1 + signals :] += _PATTERN_RIDGE * raised
        return float(value), slope

    start = np.concatenate([[0.0], np.ones(signals), np.zeros(apart.shape[1])])
    bounds = [(None, None)] + [(0, None)] * (len(start) - 1)
    # one thread: five parameters are no work to share, and sums come out the same every time
    with one_thread():
        found = needed("scipy.optimize").minimize(
            loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-12, "gtol": 1e-7}
        )
    # the solver may leave its bounds by a rounding
    return [_rounded(value) for value in (found.x[0], *np.maximum(found.x[1:], 0.0))]


def _rounded(value: float) -> float:
    """Six digits: more than the labels tell, and the same on every machine."""
    return float(f"{value:.6g}") + 0.0


def _scale(name: str, rows: Sequence[Row], infos: Mapping[str, SignalInfo]) -> Doubt:
    np = needed("numpy")
    described = infos.get(name) or catalogue.info(name)
    if described is None:
        raise ConfigError(f"unknown signal {name!r}; there are: {', '.join(catalogue.names())}")
    values = [value for row in rows if (value := row.signals.get(name)) is not None]
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75]) if values else (0.0, 0.0, 0.0)
    return doubt_for(described, middle=_rounded(middle), width=_rounded((high - low) / 2) or 1.0)


def _inputs(rows: Sequence[Row], signals: Sequence[str] | None) -> tuple[str, ...]:
    """The names given, or the usual ones that the rows have."""
    measured = Counter(name for row in rows for name, value in row.signals.items() if value is not None)
    if signals is None:
        usual = USUAL[0] if any(2 * measured[name] >= len(rows) for name in USUAL[0][:2]) else USUAL[1]
        names = tuple(name for name in usual if 2 * measured[name] >= len(rows))
        # the model's word for itself is no evidence on which a risk may stand
        if all(_self_reported(name) for name in names):
            raise ConfigError("the rows have none of the usual signals in at least half of them; name the signals")
        return names
    names = tuple(dict.fromkeys(signals))
    for name in names:
        if catalogue.info(name) is None or name == RISK.name:
            raise ConfigError(f"{name!r} cannot be an input; there are: {', '.join(catalogue.names())}")
        if not measured[name]:
            raise ConfigError(f"{name} is missing in all {len(rows)} rows; leave it out, or measure it")
    if all(_self_reported(name) for name in names):
        raise ConfigError("a risk cannot stand on the model's word for itself alone; add a signal such as 'agreement'")
    return names


def _self_reported(name: str) -> bool:
    described = catalogue.info(name)
    return described is not None and described.self_reported


def _values(row: Row, names: Sequence[str]) -> dict[str, float]:
    return {name: value for name in names if (value := row.signals.get(name)) is not None}


def _held(model: RiskModel, row: Row, fold: int) -> Held:
    values = _values(row, model.signals)
    return Held(id=row.id, fold=fold, risk=model.of(values), index=model.index(values))
