"""The exact rule behind a promise: how far down a list of calls, safest first, the labels let calls run.

Walk from the safest calls to the riskiest. A cut passes where P(Bin(k, alpha) <= e) <= delta, with e wrong ones among
the k calls below it. The walk stops at the first cut that fails, and the threshold is the last one that passed:
fixed-sequence testing (Angelopoulos et al. 2021, Learn then Test), each test at the full delta. Given the risk of the
first call that is left out, the calls below are independent with one error rate, so e is binomial; the first cut whose
rate exceeds alpha passes with a probability of at most delta, and behind it nothing is reached.

The walk begins at a quarter of the labelled calls, whatever they are. Where the scores are risks by a model that was
fitted on other calls, it may be planned: it then begins where its first test is the likeliest to pass if those risks
are right, so that a few wrong calls among the very safest do not end it. Given the scores, the errors below that start
are a sum of independent ones, whose lower tail is no heavier than that of the binomial with their mean (Hoeffding
1956); risks that are wrong cost coverage, and not the promise. Risks that were fitted on these labels, even
cross-fitted, know how many of them are wrong in all, and a start that goes by them is chosen by the labels: too many of
such calibrations break their promise (0.07 for a delta of 0.05, with signals that tell nothing).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, Final, Literal

from guardrail.calibration.calibrated_file import EVERYTHING
from guardrail.calibration.libraries import needed
from guardrail.errors import ConfigError
from guardrail.types import Attempts, Refusal, RefusalCode, Threshold

METHOD: Final = "fixed-sequence-exact-binomial/1"
LEAST_SHARE: Final = 0.25
"""The walk begins no earlier than at this share of the labelled calls: fewer of them are too easily wrong by chance."""
STARTS: Final = 64
"""At how many cuts, evenly spread, a walk may begin."""
POWER: Final = 0.8
MOST_LABELS: Final = 10_000_000
"""More labels than these are no way out."""
TRAFFIC_CUTS: Final = 100
_SURE: Final = 0.95


def fixed_sequence(
    scores: Any,
    wrong: Any,
    *,
    alpha: float,
    delta: float,
    start: int | None = None,
    planned: bool = False,
    floor: float | None = None,
    cuts: Literal["labels"] | Sequence[float] | Any = "labels",
    attempts: Attempts = Attempts.ALL,
) -> Threshold:
    """The laxest threshold that keeps the promise, or why there is none, with its evidence.

    With probability at least 1 - delta over the labels, at most alpha of the calls with a risk strictly below it are
    wrong. ``scores`` (n numbers from 0 to 1, lower is safer) and ``wrong`` (n booleans) are a plain sample of the calls
    that the promise is about, and no label had a part in its own score. With a ``floor`` they are a sample of the calls
    below that risk, and the threshold does not pass it.

    ``cuts="labels"`` tries the labelled calls' own risks, and takes that more risk never means fewer errors. It begins
    at ``start`` calls, by default a quarter, and no earlier than at the fewest that can pass; ``planned``, which takes
    risks by a model that has seen none of these labels, begins it no earlier than that where it is the likeliest to
    pass. ``cuts`` as numbers, fixed without these labels (``traffic_cuts``), takes nothing of the risk; they are tried
    from the first on.

    Raises:
        ConfigError: the numbers are no scores, labels, rates or cuts.
    """
    np = needed("numpy")
    scores, wrong = _checked(scores, wrong, floor)
    least = labels_needed(alpha, delta)
    n, top = len(scores), EVERYTHING if floor is None else floor
    by_labels = isinstance(cuts, str)
    if by_labels and cuts != "labels":
        raise ConfigError(f"cuts are {cuts!r}: give 'labels', or the risks to be tried as numbers")
    if start is not None and (start < 1 or not by_labels):
        raise ConfigError(f"a walk over {'labels' if by_labels else 'fixed cuts'} cannot start at {start}")
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    errors = np.concatenate(([0], np.cumsum(wrong[order])))
    evidence: dict[str, Any] = {"attempts": attempts, "alpha": alpha, "delta": delta, "n": n, "errors": int(errors[-1])}
    evidence["floor"] = floor
    if by_labels:
        first = max(least, math.ceil(LEAST_SHARE * n) if start is None else start)
        # equal risks run together or not at all
        ends = np.append(np.flatnonzero(ranked[1:] > ranked[:-1]) + 1, n)
        ends = ends[ends >= first]
        if planned and start is None and len(ends) > 1:
            ends = ends[_likeliest(ends, np.cumsum(ranked)[ends - 1] / ends, alpha, delta) :]
        below = np.append(ranked, top)[ends]
    else:
        below = _fixed(cuts, top)
        ends = np.searchsorted(ranked, below, side="left")
    if n < least or not len(ends) or ends[0] < least:
        return Threshold(**evidence, refusal=_too_few(n if by_labels or n < least else int(ends[0]), n, alpha, delta))
    p_values = binomial_tail(errors[ends], ends, alpha)
    failed = np.flatnonzero(p_values > delta)
    passed = int(failed[0]) if len(failed) else len(ends)
    evidence["start"] = int(ends[0])
    if not passed:
        return Threshold(**evidence, refusal=_error_prone(int(errors[ends[0]]), int(ends[0]), alpha, delta))
    executed = int(ends[passed - 1])
    executed_errors = int(errors[executed])
    return Threshold(
        **evidence,
        execute_below=float(below[passed - 1]),
        executed=executed,
        executed_errors=executed_errors,
        coverage=executed / n,
        p_value=float(p_values[passed - 1]),
        upper=clopper_pearson_upper(executed_errors, executed, delta),
    )


def traffic_cuts(
    traffic: Any,
    *,
    n: int,
    alpha: float,
    delta: float,
    planned: bool = False,
    floor: float | None = None,
    number: int = TRAFFIC_CUTS,
) -> Any:
    """Cuts for ``fixed_sequence`` that no label has a part in, ascending: quantiles of the risks of unlabelled calls.

    They begin where enough of n labels lie below the cut with 95 % probability, and at a quarter of the traffic at the
    earliest; ``planned`` (see ``fixed_sequence``) no earlier than that where their test is the likeliest to pass. The
    last lets everything run (or is the floor).

    Raises:
        ConfigError: there is no traffic, or its risks are none.
    """
    np = needed("numpy")
    risks = _numbers(traffic, "the traffic's risks")
    if floor is not None:
        risks = risks[risks < floor]
    if not len(risks) or number < 1:
        raise ConfigError("there are no risks of unlabelled calls to take cuts from: record traffic first")
    top = EVERYTHING if floor is None else floor
    least = labels_needed(alpha, delta)
    if n < least:
        return np.array([top])
    share = max(LEAST_SHARE, float(needed("scipy.special").betaincinv(least, n - least + 1, _SURE)))
    ranked = np.sort(risks)
    values = np.unique(np.quantile(ranked, np.linspace(0, 1, number + 1), method="higher"))
    reached = np.append(np.searchsorted(ranked, values, side="left"), len(ranked))
    values, reached = (column[reached >= share * len(ranked)] for column in (np.append(values, top), reached))
    if not planned:
        return values
    labels = np.floor(n * (reached / len(ranked))).astype(int)
    return values[_likeliest(labels, np.cumsum(ranked)[reached - 1] / reached, alpha, delta) :]


def binomial_tail(errors: Any, n: Any, rate: float) -> Any:
    """P(Bin(n, rate) <= errors), elementwise: the exact p-value of "the error rate is at least ``rate``"."""
    np = needed("numpy")
    errors, n = np.asarray(errors, dtype=float), np.asarray(n, dtype=float)
    all_wrong = errors >= n
    found = needed("scipy.special").betainc(np.where(all_wrong, 1, n - errors), errors + 1, 1 - rate)
    return np.where(all_wrong, 1.0, found)


def labels_needed(alpha: float, delta: float, errors: int = 0) -> int:
    """The fewest labels that, with so many errors among them, show an error rate of at most alpha at 1 - delta.

    Raises:
        ConfigError: alpha or delta does not lie between 0 and 1, or errors are below 0.
    """
    for name, value in (("alpha", alpha), ("delta", delta)):
        if isinstance(value, bool) or not 0 < value < 1:
            raise ConfigError(f"{name} is {value}: it must lie between 0 and 1, for example 0.05")
    if errors < 0:
        raise ConfigError(f"{errors} errors among labels are no count")
    return _needed(float(alpha), float(delta), int(errors))


@cache
def _needed(alpha: float, delta: float, errors: int) -> int:
    low, high = errors, errors + 1
    while _tail(errors, high, alpha) > delta:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _tail(errors, middle, alpha) > delta else (low, middle)
    return high


def labels_for_power(rate: float, alpha: float, delta: float, power: float = POWER) -> int | None:
    """From how many labels on the test of alpha passes with at least that probability if ``rate`` of them are wrong.

    Power rises in teeth (each further error that is allowed takes more labels); this is where its lowest points stay
    above. None: no number of labels up to 10^7 will do.

    Raises:
        ConfigError: a rate, alpha, delta or power is none.
    """
    if not 0 <= rate <= 1 or not 0 < power < 1:
        raise ConfigError(f"a rate of {rate} wrong calls and a power of {power} are none")
    fewest = labels_needed(alpha, delta)
    if rate >= alpha:
        return None

    def enough(errors: int) -> bool:
        # the lowest point of a tooth: one label before another error is allowed
        return _tail(errors, labels_needed(alpha, delta, errors + 1) - 1, rate) >= power

    low, high = -1, 0
    while not enough(high):
        low, high = high, 2 * high + 1
        if high > alpha * MOST_LABELS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return max(fewest, labels_needed(alpha, delta, high))


def clopper_pearson_upper(errors: int, n: int, delta: float) -> float:
    """The upper bound at 1 - delta on an error rate (Clopper and Pearson 1934); 1 without any call."""
    if errors >= n:
        return 1.0
    return float(needed("scipy.special").betaincinv(errors + 1, n - errors, 1 - delta))


def clopper_pearson_lower(errors: int, n: int, delta: float) -> float:
    """The lower bound at 1 - delta on an error rate (Clopper and Pearson 1934)."""
    if errors <= 0:
        return 0.0
    return float(needed("scipy.special").betaincinv(errors, n - errors + 1, delta))


def _likeliest(calls: Any, risks: Any, alpha: float, delta: float) -> int:
    """Which cut is the likeliest to pass, with so many calls below and such a mean risk: the first that nearly is."""
    np = needed("numpy")
    tried = np.unique(np.linspace(0, len(calls) - 1, STARTS).astype(int))
    allowed = np.array(_allowed(tuple(calls[tried].tolist()), float(alpha), float(delta)))
    rates = np.clip(risks[tried], 1e-12, 1 - 1e-12)
    power = np.where(allowed < 0, 0.0, binomial_tail(np.maximum(allowed, 0), calls[tried], rates))
    # scores are not known to more than three digits
    return int(tried[np.argmax(np.round(power, 3))])


@lru_cache(maxsize=256)
def _allowed(calls: tuple[int, ...], alpha: float, delta: float) -> tuple[int, ...]:
    """By number of calls, the most errors with which a test passes (-1: none do)."""
    np = needed("numpy")
    n = np.array(calls)
    low, high = np.full(len(n), -1), n.copy()
    while (high - low > 1).any():
        middle = (low + high) // 2
        passes = (binomial_tail(np.maximum(middle, 0), n, alpha) <= delta) & (middle >= 0)
        low, high = np.where(passes, middle, low), np.where(passes, high, middle)
    return tuple(low.tolist())


def _tail(errors: int, n: int, rate: float) -> float:
    return float(binomial_tail(errors, n, rate))


def _numbers(values: Any, name: str) -> Any:
    np = needed("numpy")
    try:
        found = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name} are no numbers: {error}") from error
    if found.ndim != 1:
        raise ConfigError(f"{name} must be a plain list, and have the shape {found.shape}")
    bad = np.flatnonzero(~((found >= 0) & (found <= 1)))
    if len(bad):
        raise ConfigError(
            f"number {bad[0] + 1} of {name} is {found[bad[0]]} ({len(bad)} such): a risk is a number from 0 to 1; "
            "leave out calls without one, they go to review"
        )
    return found


def _checked(scores: Any, wrong: Any, floor: float | None) -> tuple[Any, Any]:
    np = needed("numpy")
    scores = _numbers(scores, "the scores")
    labels = np.asarray(wrong)
    if labels.shape != scores.shape:
        raise ConfigError(
            f"there are {len(scores)} scores and labels of the shape {labels.shape}: give one label a score"
        )
    if len(labels) and labels.dtype != bool:
        raise ConfigError(
            f"labels must be true or false (wrong or not), and are {labels.dtype}; the first is {labels[0]!r}"
        )
    if floor is not None:
        if not 0 < floor <= 1:
            raise ConfigError(f"the floor is {floor}: it is a risk above 0, at most 1")
        beyond = int((scores >= floor).sum())
        if beyond:
            raise ConfigError(f"{beyond} of the scores lie at the floor of {floor:g} or beyond: leave those calls out")
    return scores, labels.astype(bool)


def _fixed(cuts: Any, top: float) -> Any:
    np = needed("numpy")
    try:
        found = np.asarray(cuts, dtype=float)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the cuts are no numbers: {error}") from error
    usable = found.ndim == 1 and len(found) and (found > 0).all() and ((found <= 1) | (found == EVERYTHING)).all()
    if not usable or (np.diff(found) <= 0).any() or found[-1] > top:
        raise ConfigError(
            f"fixed cuts are risks above 0, at most {'1' if top == EVERYTHING else f'the floor of {top:g}'}, each "
            f"higher than the one before; {EVERYTHING:g} as the last lets everything run"
        )
    return found


def _too_few(k: int, n: int, alpha: float, delta: float) -> Refusal:
    least, one = (labels_needed(alpha, delta, errors) for errors in range(2))
    have = f"{n} labelled calls" if k == n else f"{n} labelled calls, {k} of them below the first cut"
    return Refusal(
        code=RefusalCode.TOO_FEW_LABELS,
        message=f"{have}; at most {_percent(alpha)} wrong at {_percent(1 - delta)} confidence needs {least} labels in "
        f"the executed region without an error: label {least - k} more, {one} if one is wrong (in all)",
    )


def _error_prone(errors: int, k: int, alpha: float, delta: float) -> Refusal:
    rate = errors / k
    needs = labels_for_power(rate, alpha, delta)
    if needs is None:
        way = "if that is their rate, more labels will not help: improve the signals, or raise the target"
    else:
        way = (
            f"if that is their rate, about {needs} labels of such calls pass at {_percent(POWER)} power: label "
            f"{needs - k} more"
        )
    return Refusal(
        code=RefusalCode.TOP_CALLS_TOO_ERROR_PRONE,
        message=f"{errors} of the {k} safest calls were wrong ({_percent(rate)}), too many to show at most "
        f"{_percent(alpha)} at {_percent(1 - delta)} confidence; {way}",
    )


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"
