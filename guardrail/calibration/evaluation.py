"""Every signal of labelled calls, what they come to together, and which differences the data support."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from guardrail import catalogue
from guardrail.calibration import metrics
from guardrail.calibration.bootstrap import BETTER_HIGH, MEASURES, ROUNDS, Interval, Resamples, Scores
from guardrail.calibration.fitting import Fitted, Setting, cross_fit, fit_risk
from guardrail.calibration.risk_model import RISK, RiskModel
from guardrail.calibration.rows import Row, checked_rows
from guardrail.calibration.scales import doubt_for
from guardrail.errors import ConfigError
from guardrail.types import Safer, SignalInfo

REPEATS: Final = 5


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """How far probabilities are from what comes true: plug-in, less its bias, and what exact ones would have."""

    ece: float
    ece_debiased: float
    ece_null: float


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One signal on the rows that have it.

    ``scores`` are higher where the call is safer, ``probabilities`` are P(right) by a logistic fit on the other folds
    (both row by row, None where missing). ``intervals`` go from measure to value; ``before`` judges the signal itself
    as P(right), on the scale of a share, and ``after`` the fitted probabilities.
    """

    name: str
    title: str
    n: int
    missing: int
    scores: tuple[float | None, ...]
    probabilities: tuple[float | None, ...]
    intervals: Mapping[str, Interval | None]
    before: Calibrated | None = None
    after: Calibrated | None = None

    def value(self, measure: str) -> float | None:
        """The measure itself; None where it is not defined."""
        found = self.intervals.get(measure)
        return None if found is None else found.value


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A measure of ``one`` less that of ``other`` on the ``n`` rows that have both."""

    one: str
    other: str
    measure: str
    n: int
    interval: Interval

    @property
    def improves(self) -> bool:
        """Whether the interval supports that ``one`` is better. No other improvement is claimed."""
        low, high = self.interval.low, self.interval.high
        return low > 0 if self.measure in BETTER_HIGH else high < 0

    @property
    def decided(self) -> bool:
        """Whether the interval excludes 0, on either side."""
        return self.interval.excludes_zero

    @property
    def sentence(self) -> str:
        """What may be said about it."""
        found = self.interval
        between = f"{found.low:+.3f} to {found.high:+.3f}"
        said = f"{self.measure} of {self.one} less that of {self.other}: {found.value:+.3f} ({between})"
        if self.improves:
            return f"{said}: better"
        return f"{said}: worse" if self.decided else f"{said}: the interval does not decide, no improvement is claimed"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was found. ``combined`` is None where no risk could be fitted, and ``no_model`` says why.

    ``repeats`` has, for other splits into folds, what the combined risk comes to (measure to value): a lucky split
    shows. ``pooled`` are AUROC and excess AURC of the risks themselves, across the models of all folds.
    """

    n: int
    errors: int
    groups: int
    folds: int
    seed: int
    signals: tuple[Measured, ...]
    combined: Measured | None = None
    model: RiskModel | None = None
    no_model: str = ""
    differences: tuple[Difference, ...] = ()
    repeats: tuple[Mapping[str, float], ...] = ()
    pooled: Mapping[str, float] = field(default_factory=dict)

    @property
    def error_rate(self) -> float:
        """The share of wrong rows."""
        return self.errors / self.n

    def signal(self, name: str) -> Measured | None:
        """The signal of that name, if it was measured."""
        return next((one for one in self.signals if one.name == name), None)


def evaluate(
    rows: Iterable[Row],
    *,
    folds: int = 5,
    seed: int = 0,
    names: Sequence[str] | None = None,
    inputs: Sequence[str] | None = None,
    others: Sequence[SignalInfo] = (),
    pairs: Sequence[tuple[str, str]] = (),
    rounds: int = ROUNDS,
    repeats: int = REPEATS,
    fingerprint: Mapping[str, str] | None = None,
) -> Evaluation:
    """Measure every signal and the combined risk.

    ``names`` are the signals, by default all that a row has; ``inputs`` those of the risk, by default chosen by
    ``fit_risk``. ``others`` describe names outside of the catalogue (a baseline). ``pairs`` are compared beside the
    combined risk against each signal.

    Raises:
        ConfigError: the rows cannot be measured, or a name is neither in the catalogue nor described.
    """
    given = checked_rows(rows)
    if not given:
        raise ConfigError("no labelled rows: nothing can be measured")
    infos = {one.name: one for one in others}
    wanted = list(names) if names is not None else list(dict.fromkeys(name for row in given for name in row.signals))
    described = {name: _described(name, infos) for name in wanted}
    table = _Table(given, seed=seed, rounds=rounds)
    measured = [_signal(table, given, described[name], infos, folds=folds, seed=seed) for name in wanted]
    combined, fitted, why = _combined(table, given, inputs, folds=folds, seed=seed, fingerprint=fingerprint)
    found = {one.name: one for one in measured} | ({combined.name: combined} if combined else {})
    compared = [(combined.name, one.name) for one in measured if one.n] if combined else []
    return Evaluation(
        n=len(given),
        errors=sum(not row.right for row in given),
        groups=len({row.kin for row in given}),
        folds=folds,
        seed=seed,
        signals=tuple(measured),
        combined=combined,
        model=fitted.model if fitted else None,
        no_model=why,
        differences=tuple(
            difference
            for one, other in (*compared, *((a, b) for a, b in pairs if a in found and b in found))
            for difference in table.differences(found[one], found[other])
        ),
        repeats=tuple(_repeats(given, inputs, folds=folds, seeds=range(seed, seed + repeats))) if fitted else (),
        pooled=_ranking([None if one.risk is None else -one.risk for one in fitted.held], given) if fitted else {},
    )


def _described(name: str, infos: Mapping[str, SignalInfo]) -> SignalInfo:
    found = infos.get(name) or catalogue.info(name)
    if found is None:
        raise ConfigError(f"{name!r} is no signal that is known here; describe it, or leave it out")
    return found


def _signal(
    table: _Table, rows: Sequence[Row], info: SignalInfo, infos: Mapping[str, SignalInfo], *, folds: int, seed: int
) -> Measured:
    values = [row.signals.get(info.name) for row in rows]
    present = [row for row, value in zip(rows, values, strict=True) if value is not None]
    sign = 1.0 if info.safer is Safer.HIGH else -1.0
    fitted: dict[str, float | None] = {}
    try:
        held = cross_fit(present, Setting(signals=(info.name,), penalty=0.0), folds=folds, seed=seed, infos=infos)
        fitted = {one.id: None if one.risk is None else 1 - one.risk for one in held}
    except ConfigError:
        fitted = {}  # too few rows have it: what needs no fit is measured all the same
    doubt = doubt_for(info)
    natural = info.unit == "nats" or (info.low, info.high) == (0.0, 1.0)
    return table.measure(
        info.name,
        info.title,
        [None if value is None else sign * value for value in values],
        [fitted.get(row.id) for row in rows],
        [None if value is None else 1 - doubt.of(value) for value in values] if natural else None,
    )


def _combined(
    table: _Table,
    rows: Sequence[Row],
    inputs: Sequence[str] | None,
    *,
    folds: int,
    seed: int,
    fingerprint: Mapping[str, str] | None,
) -> tuple[Measured | None, Fitted | None, str]:
    try:
        fitted = fit_risk(rows, signals=inputs, folds=folds, seed=seed, fingerprint=fingerprint)
    except ConfigError as error:
        return None, None, str(error)
    indices = [None if one.index is None else -one.index for one in fitted.held]
    probabilities = [None if one.risk is None else 1 - one.risk for one in fitted.held]
    if all(index is None for index in indices):
        return None, None, "no signal tells right from wrong: every coefficient is 0"
    return table.measure(RISK.name, RISK.title, indices, probabilities), fitted, ""


def _repeats(
    rows: Sequence[Row], inputs: Sequence[str] | None, *, folds: int, seeds: Iterable[int]
) -> Iterable[Mapping[str, float]]:
    for seed in seeds:
        held = fit_risk(rows, signals=inputs, folds=folds, seed=seed).held
        yield {"seed": float(seed), **_ranking([None if one.index is None else -one.index for one in held], rows)}


def _ranking(scores: Sequence[float | None], rows: Sequence[Row]) -> dict[str, float]:
    known = [(score, row.right) for score, row in zip(scores, rows, strict=True) if score is not None]
    values, right = [score for score, _ in known], [good for _, good in known]
    area = metrics.auroc(values, right) if known else None
    return {} if area is None else {"auroc": area, "excess_aurc": metrics.excess_aurc(values, right)}


class _Table:
    """Measures on the same draws of groups; what two signals have in common is drawn once."""

    def __init__(self, rows: Sequence[Row], *, seed: int, rounds: int) -> None:
        self._rows, self._seed, self._rounds = rows, seed, rounds
        self._drawn: dict[tuple[int, ...], Resamples] = {}
        self._known: dict[tuple[str, str, tuple[int, ...]], Any] = {}

    def measure(
        self,
        name: str,
        title: str,
        scores: Sequence[float | None],
        probabilities: Sequence[float | None],
        natural: Sequence[float | None] | None = None,
    ) -> Measured:
        """One signal: ``natural`` is the signal itself as P(right), where it can be read as one."""
        present = tuple(place for place, score in enumerate(scores) if score is not None)
        bare = Measured(
            name=name,
            title=title,
            n=len(present),
            missing=len(self._rows) - len(present),
            scores=tuple(scores),
            probabilities=tuple(probabilities),
            intervals={},
        )
        if not present:
            return bare
        found = {measure: self._resamples(present).of(self._draws(bare, measure, present)) for measure in MEASURES}
        return Measured(
            **{
                **vars(bare),
                "intervals": found,
                "before": self._calibrated(natural),
                "after": self._calibrated(probabilities),
            }
        )

    def differences(self, one: Measured, other: Measured) -> list[Difference]:
        """Of each measure that both have."""
        places = enumerate(zip(one.scores, other.scores, strict=True))
        both = tuple(place for place, (a, b) in places if a is not None and b is not None)
        found = []
        for measure in MEASURES if both else ():
            draws = self._draws(one, measure, both) - self._draws(other, measure, both)
            interval = self._resamples(both).of(draws)
            if interval is not None:
                found.append(
                    Difference(one=one.name, other=other.name, measure=measure, n=len(both), interval=interval)
                )
        return found

    def _resamples(self, places: tuple[int, ...]) -> Resamples:
        if places not in self._drawn:
            rows = [self._rows[place] for place in places]
            self._drawn[places] = Resamples(
                [row.kin for row in rows], [row.right for row in rows], seed=self._seed, rounds=self._rounds
            )
        return self._drawn[places]

    def _draws(self, one: Measured, measure: str, places: tuple[int, ...]) -> Any:
        key = one.name, measure, places
        if key not in self._known:
            scores = [score for place in places if (score := one.scores[place]) is not None]
            said = [p for place in places if (p := one.probabilities[place]) is not None]
            given = Scores(scores=scores, probabilities=said if len(said) == len(places) else None)
            self._known[key] = self._resamples(places).draws(measure, given)
        return self._known[key]

    def _calibrated(self, probabilities: Sequence[float | None] | None) -> Calibrated | None:
        known = [(p, row.right) for p, row in zip(probabilities or (), self._rows, strict=False) if p is not None]
        if not known:
            return None
        said, right = [p for p, _ in known], [good for _, good in known]
        return Calibrated(
            ece=metrics.ece(said, right),
            ece_debiased=metrics.ece_debiased(said, right),
            ece_null=metrics.ece_null(said, seed=self._seed),
        )
