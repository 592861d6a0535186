"""What signals there are: each with its unit, its direction and what it takes, known without measuring anything.

Other packages add theirs through the entry-point group ``guardrail.signals``: an entry has the signal's name and
names its class, or an instance, with an ``info`` and ``measure(evidence)`` (``guardrail.signals.Measure``). None takes
the place of a signal of this package.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint
from types import MappingProxyType
from typing import Any, Final

from guardrail.entries import owner, registered, single
from guardrail.errors import ConfigError
from guardrail.types import Need, Safer, SignalInfo

GROUP: Final = "guardrail.signals"

RISK: Final = SignalInfo(
    name="risk", unit="probability", safer=Safer.LOW, needs=frozenset(), title="P(wrong), combined", low=0.0, high=1.0
)
"""What a risk model makes of the signals that are present. It is computed, not measured."""

_FARQUHAR = "Farquhar et al. 2024"
_TIAN = "Tian et al. 2023"


def _info(name: str, title: str, unit: str, safer: Safer, *needs: Need, **more: Any) -> SignalInfo:
    return SignalInfo(name=name, title=title, unit=unit, safer=safer, needs=frozenset(needs), **more)


_LOGPROB = {"high": 0.0, "source": "Kadavath et al. 2022; value tokens alone: Ye et al. 2026, arXiv 2604.22985"}
_SHARE = {"low": 0.0, "high": 1.0}
_SPREAD = {"low": 0.0, "source": _FARQUHAR}

BUILT_IN: Final = MappingProxyType(
    {
        info.name: info
        for info in (
            _info("logprob_mean", "mean log-probability", "nats", Safer.HIGH, Need.LOGPROBS, **_LOGPROB),
            _info("logprob_min", "least log-probability", "nats", Safer.HIGH, Need.LOGPROBS, **_LOGPROB),
            _info("logprob_sum", "joint log-probability", "nats", Safer.HIGH, Need.LOGPROBS, **_LOGPROB),
            _info("logprob_turn", "joint log-probability to the end", "nats", Safer.HIGH, Need.LOGPROBS, high=0.0),
            _info(
                "top_margin",
                "least margin of a token",
                "nats",
                Safer.HIGH,
                Need.TOP_LOGPROBS,
                source="Scheffer et al. 2001",
            ),
            _info(
                "top_entropy",
                "greatest entropy of a token",
                "nats",
                Safer.LOW,
                Need.TOP_LOGPROBS,
                low=0.0,
                source="Malinin and Gales 2021, arXiv 2002.07650",
            ),
            _info(
                "verbalized_confidence",
                "stated confidence",
                "probability",
                Safer.HIGH,
                Need.QUESTION,
                self_reported=True,
                source=_TIAN,
                **_SHARE,
            ),
            _info(
                "verbalized_top_k",
                "stated confidence among k",
                "probability",
                Safer.HIGH,
                Need.QUESTION,
                self_reported=True,
                source=_TIAN,
                **_SHARE,
            ),
            _info(
                "p_true",
                "P(True)",
                "probability",
                Safer.HIGH,
                Need.QUESTION,
                self_reported=True,
                source="Kadavath et al. 2022",
                **_SHARE,
            ),
            _info("agreement", "agreement", "share", Safer.HIGH, Need.AGREEMENT, source="Wang et al. 2022", **_SHARE),
            _info("majority_share", "share of the largest meaning", "share", Safer.HIGH, Need.MEANINGS, **_SHARE),
            _info(
                "majority_margin",
                "lead of the planned meaning",
                "share",
                Safer.HIGH,
                Need.MEANINGS,
                low=-1.0,
                high=1.0,
            ),
            _info("semantic_entropy", "semantic entropy", "nats", Safer.LOW, Need.MEANINGS, **_SPREAD),
            _info(
                "semantic_entropy_normalized",
                "semantic entropy / ln N",
                "share of ln N",
                Safer.LOW,
                Need.MEANINGS,
                high=1.0,
                **_SPREAD,
            ),
            _info(
                "semantic_entropy_weighted",
                "semantic entropy, weighted",
                "nats",
                Safer.LOW,
                Need.MEANINGS,
                Need.SAMPLE_LOGPROBS,
                **_SPREAD,
            ),
            _info(
                "semantic_entropy_bayesian",
                "semantic entropy, posterior mean",
                "nats",
                Safer.LOW,
                Need.MEANINGS,
                low=0.0,
                source="Archer et al. 2014; Ciosek et al. 2025, arXiv 2504.03579",
            ),
            _info(
                "semantic_entropy_chao_shen",
                "semantic entropy, Chao-Shen",
                "nats",
                Safer.LOW,
                Need.MEANINGS,
                low=0.0,
                source="Chao and Shen 2003",
            ),
            _info("lexical_entropy", "entropy of the wording", "nats", Safer.LOW, Need.SAMPLES, low=0.0),
            _info("argument_entropy", "greatest entropy of an argument", "nats", Safer.LOW, Need.ARGUMENTS, low=0.0),
            _info(
                "kernel_entropy",
                "kernel language entropy",
                "nats",
                Safer.LOW,
                Need.ARGUMENTS,
                Need.MEANINGS,
                low=0.0,
                source="Nikitin et al. 2024, arXiv 2405.20003",
            ),
        )
    }
)
"""The signals of this package, cheap to dear."""


def names() -> tuple[str, ...]:
    """Every signal that can be asked for: those of this package, then those of others by name."""
    return (*BUILT_IN, *sorted(_plugins()))


def info(name: str) -> SignalInfo | None:
    """What is known of the signal of that name, ``risk`` included; None where there is none.

    Raises:
        ConfigError: another package has registered it, and cannot be loaded.
    """
    if name == RISK.name:
        return RISK
    if name in BUILT_IN:
        return BUILT_IN[name]
    found: SignalInfo | None = plugin(name).info if name in _plugins() else None
    return found


@cache
def plugin(name: str) -> Any:
    """The signal that another package has registered under that name, the same instance for everybody.

    Raises:
        ConfigError: there is none, it cannot be loaded or used, or several packages have registered one.
    """
    entry = single(_plugins(), name, "signal", known=f"; there are: {', '.join(names())}")
    try:
        found = entry.load()
        found = found() if isinstance(found, type) else found
        why = problem(found)
        if why is None and found.info.name != name:
            why = f"its info is that of {found.info.name!r}"
    except Exception as error:
        raise ConfigError(f"the signal {name!r} cannot be loaded: install {owner(entry)} again ({error!r})") from error
    if why is not None:
        raise ConfigError(f"the signal {name!r} of {owner(entry)} cannot be used: {why}")
    return found


def unused() -> dict[str, str]:
    """Signals of other packages that are not used because of their names, and why."""
    return {
        name: f"{', '.join(sorted(map(owner, entries)))} registers {name!r}, which is a signal of this package "
        "and stays so: give the other one a name of its own"
        for name, entries in sorted(_registered().items())
        if name in BUILT_IN or name == RISK.name
    }


def problem(measure: object) -> str | None:
    """Why something is no signal, and what to do; None where it is one."""
    info = getattr(measure, "info", None)
    if not isinstance(info, SignalInfo) or not callable(getattr(measure, "measure", None)):
        return "it needs an 'info' that is a SignalInfo, and a method measure(evidence)"
    try:
        return next(_problems(measure, info), None)
    except (TypeError, AttributeError) as error:
        return f"its info has a value of the wrong type ({error})"


def _problems(measure: object, info: SignalInfo) -> Iterator[str]:
    if not info.name.isidentifier():
        yield f"its name {info.name!r} cannot stand in a policy: use letters, digits and underscores"
    if info.name == RISK.name:
        yield f"{RISK.name!r} is what a risk model computes: give the signal another name"
    if not isinstance(info.safer, Safer) or not all(isinstance(need, Need) for need in info.needs):
        yield "its info needs a 'safer' that is a Safer, and 'needs' that are Needs"
    if not info.low < info.high:
        yield f"its bounds {info.low} and {info.high} are none: 'low' has to be less than 'high'"
    if Need.QUESTION in info.needs and not callable(getattr(measure, "questions", None)):
        yield "it needs an answer of the model, and has no method questions(step, index)"
    if info.needs == {Need.QUESTION} and not info.self_reported:
        yield "it is nothing but the model's answer about its own call: set self_reported=True"


def _plugins() -> dict[str, tuple[EntryPoint, ...]]:
    return {name: entries for name, entries in _registered().items() if name not in BUILT_IN and name != RISK.name}


@cache
def _registered() -> dict[str, tuple[EntryPoint, ...]]:
    return registered(GROUP)
