"""Which labelled calls may count for a tier, and why none of them may."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from guardrail.calibration.calls import NOWHERE, ROUTES, SOURCES, TIERS, Calls
from guardrail.calibration.libraries import needed
from guardrail.errors import ConfigError
from guardrail.types import SCORE_KEYS, LabelSource, Refusal, RefusalCode, Route, Tier, score_fingerprint

MAY_VARY: Final = frozenset({"prompt", "tools"})
"""What may differ between the calls of one calibration: the texts and tools of several tasks."""
LOSSLESS: Final = frozenset({"none", "lossless"})
"""Stopping rules that lead every call where all N samples would, so that their scores are comparable."""
BY_MODEL: Final = frozenset({"risk_model", "signals"})
"""What a new risk model settles, whatever the calls were recorded with."""
_SHOWN: Final = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Admitted:
    """The calls of a tier that count, or why none does."""

    tier: Tier
    calls: Calls
    fingerprint: dict[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    refusal: Refusal | None = None


def once_each(calls: Calls) -> frozenset[str]:
    """The ids of calls that were judged both right and wrong.

    Raises:
        ConfigError: one call comes twice with the same judgement, or both with one and without.
    """
    np = needed("numpy")
    twice = np.flatnonzero(calls.ids[1:] == calls.ids[:-1])
    found = set()
    for row in twice.tolist():
        if calls.answered[row : row + 2].all() and calls.wrong[row] != calls.wrong[row + 1]:
            found.add(str(calls.ids[row]))
            continue
        raise ConfigError(
            f"{calls.where(row)} is also {calls.origin(int(calls.place[row + 1]))}: a call counted twice is no second "
            "evidence; remove one of them"
        )
    return frozenset(found)


def selected(calls: Calls, where: Mapping[str, str]) -> Calls:
    """The calls whose fingerprint has these values; a key may name the tier that it is about (``high.samples``).

    Raises:
        ConfigError: a key is none, or no call has that value.
    """
    np = needed("numpy")
    for key, value in where.items():
        tier, _, name = key.rpartition(".")
        if name not in SCORE_KEYS or (tier and tier not in TIERS):
            raise ConfigError(f"{key!r} selects nothing; a score depends on: {', '.join(SCORE_KEYS)}")
        keep = np.ones(len(calls), dtype=bool)
        for number, one in enumerate(TIERS):
            if not tier or one == tier:
                of_tier = calls.tier == number
                keep[of_tier] = _values(calls, name, one)[of_tier] == value
        if not keep.any():
            known = sorted({str(text) for one in TIERS for text in _values(calls, name, one)[calls.tier == one.rank]})
            raise ConfigError(f"no call has {key}={value}; there are: {', '.join(known[:_SHOWN]) or 'none'}")
        calls = calls.take(keep)
    return calls


def admitted(
    calls: Calls, tier: Tier, *, contradicted: Iterable[str], ran_unjudged: Mapping[Tier, int] | None, rescored: bool
) -> Admitted:
    """What counts for a tier. ``rescored``: the calls get a new risk, whatever gave them their recorded one.

    ``ran_unjudged`` is how many calls of a tier ran without any chance of being judged; None: nobody knows.
    """
    mine = calls.take(calls.tier == tier.rank)
    known = mine.take(~needed("numpy").isnan(mine.probability))
    refusal = (
        _contradicted(mine, frozenset(contradicted))
        or _unknown_probability(mine, known)
        or _escalated(known, tier, ran_unjudged)
    )
    if refusal is not None:
        return Admitted(tier=tier, calls=mine, refusal=refusal)
    fingerprint = {
        key: _seen(known, key, tier) for key in SCORE_KEYS if len(known) and not (rescored and key in BY_MODEL)
    }
    warnings = []
    if len(known) < len(mine):
        warnings.append(f"{len(mine) - len(known)} labels were left out: nobody knows how probable they were")
    warnings += [
        f"the calls have {len(values)} values of {key!r}; others will be uncalibrated"
        for key, values in fingerprint.items()
        if key in MAY_VARY and len(values) > 1
    ]
    if len(known) and all(values == ("",) for values in fingerprint.values()):
        warnings.append("these calls do not say what their score depends on: no call of the guard will match them")
    refusal = _mixed(fingerprint) or _non_finite(known)
    return Admitted(tier=tier, calls=known, fingerprint=fingerprint, warnings=tuple(warnings), refusal=refusal)


def _values(calls: Calls, key: str, tier: Tier) -> Any:
    """The value of a key, row by row, as it is for that tier."""
    np = needed("numpy")
    column = calls.fingerprint.get(key)
    if column is None:
        return np.full(len(calls), "", dtype=object)
    texts = np.array([score_fingerprint({key: name}, tier)[key] for name in column.names], dtype=object)
    return texts[column.codes] if len(calls) else texts[:0]


def by_model(admitted: Admitted, digest: str, inputs: Iterable[str]) -> Admitted:
    """The same calls once a model scores them: their fingerprint names it, and the versions of its inputs alone."""
    texts = _seen(admitted.calls, "signals", admitted.tier)
    stated = {tuple(part.split("=", 1)) for text in texts for part in text.split(",") if "=" in part}
    versions = {name: sorted(of for known, of in stated if known == name) for name in sorted(inputs)}
    mixed = {f"the signal {name}": tuple(found) for name, found in versions.items() if len(found) > 1}
    signals = ",".join(f"{name}={found[0]}" for name, found in versions.items() if found)
    return replace(
        admitted,
        fingerprint={**admitted.fingerprint, "risk_model": (digest,), "signals": (signals,)},
        refusal=admitted.refusal or (_versions(mixed) if mixed else None),
    )


def _seen(calls: Calls, key: str, tier: Tier) -> tuple[str, ...]:
    if key not in calls.fingerprint:
        return ("",)
    return tuple(sorted({score_fingerprint({key: name}, tier)[key] for name in calls.fingerprint[key].names}))


def _contradicted(calls: Calls, ids: frozenset[str]) -> Refusal | None:
    if not ids:
        return None
    named = sorted(ids.intersection(calls.ids.tolist()))
    if not named:
        return None
    return Refusal(
        code=RefusalCode.CONTRADICTING_LABELS,
        message=f"judged both right and wrong: {_list(named)}. Decide which it is and label "
        f"{'it' if len(named) == 1 else 'them'} again, or leave {'it' if len(named) == 1 else 'them'} out",
    )


def _unknown_probability(calls: Calls, known: Calls) -> Refusal | None:
    np = needed("numpy")
    audits = np.isnan(calls.probability) & (calls.source == SOURCES.index(LabelSource.AUDIT))
    if audits.any():
        place = calls.where(int(np.flatnonzero(audits)[0]))
        said = f"{place} is an audit without the probability of its draw ({int(audits.sum())} such)"
    elif len(calls) and not len(known):
        said = f"none of {len(calls)} labels says how probable it was, the first of them being {calls.where(0)}"
    else:
        return None
    return Refusal(
        code=RefusalCode.UNKNOWN_LABEL_PROBABILITY,
        message=f"{said}. Labels that were picked by hand are no evidence: state the probability (1 where every "
        "call was judged), or draw audits, which keep it on the record",
    )


def _escalated(calls: Calls, tier: Tier, ran_unjudged: Mapping[Tier, int] | None) -> Refusal | None:
    """Labels of reviewed calls tell nothing of what runs, unless nothing ran."""
    ran = None if ran_unjudged is None else ran_unjudged.get(tier, 0)
    executed = (calls.route == NOWHERE) | (calls.route == ROUTES.index(Route.EXECUTE))
    reviewed = calls.source == SOURCES.index(LabelSource.REVIEW)
    if not ran and not len(calls):
        return None
    if ran == 0 or (executed | ~reviewed).any():
        return None
    who = f"all {len(calls)} labels are of calls that a human decided" if len(calls) else "no label counts"
    of = f"{ran} of its calls ran without a chance of being judged" if ran else "whether calls of it ran is not known"
    return Refusal(
        code=RefusalCode.LABELS_ONLY_FROM_ESCALATIONS,
        message=f"{who}, and {of}: nothing is known of those. Set an audit rate for {tier.value}, label what it draws, "
        "and calibrate then; where no call of it ran while these labels were collected, say so (ran_unjudged={} in "
        "Python, --all-reviewed on the command line)",
    )


def _mixed(fingerprint: Mapping[str, tuple[str, ...]]) -> Refusal | None:
    mixed = {
        key: values
        for key, values in fingerprint.items()
        if len(values) > 1 and key not in MAY_VARY and not (key == "stopping" and LOSSLESS.issuperset(values))
    }
    if not mixed:
        return None
    said = "; ".join(f"{key} is {_list([value or '(unknown)' for value in values])}" for key, values in mixed.items())
    key, values = next(iter(mixed.items()))
    return Refusal(
        code=RefusalCode.MIXED_FINGERPRINTS,
        message=f"the calls were scored in different ways: {said}. Select one of them, for example --where "
        f"{key}={values[-1]} (in Python: where={{{key!r}: {values[-1]!r}}})",
    )


def _versions(mixed: Mapping[str, tuple[str, ...]]) -> Refusal:
    said = "; ".join(f"{name} is of version {_list(list(values))}" for name, values in mixed.items())
    return Refusal(
        code=RefusalCode.MIXED_FINGERPRINTS,
        message=f"the calls were scored in different ways: {said}. Leave out the calls of the older version",
    )


def _non_finite(calls: Calls) -> Refusal | None:
    np = needed("numpy")
    for name, column in (("the risk", calls.risk), *sorted(calls.signals.items())):
        bad = np.flatnonzero(np.isinf(column))
        if len(bad):
            return Refusal(
                code=RefusalCode.NON_FINITE_SCORE,
                message=f"{name} of {calls.where(int(bad[0]))} is no finite number ({len(bad)} such): leave empty "
                "what was not measured",
            )
    return None


def _list(texts: list[str]) -> str:
    shown = ", ".join(texts[:_SHOWN])
    return shown if len(texts) <= _SHOWN else f"{shown} and {len(texts) - _SHOWN} more"
