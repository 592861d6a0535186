"""What signals there are: each with its unit, its direction and what it takes, known without measuring anything.

Other packages add theirs through the entry-point group ``guardrail.signals``; each names a class with an
``info`` of its own (see ``guardrail.signals.registry``).
"""

from __future__ import annotations

import math
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, Final

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
            _info("top_margin", "least margin of the top token", "nats", Safer.HIGH, Need.TOP_LOGPROBS),
            _info("top_entropy", "greatest token entropy", "nats", Safer.LOW, Need.TOP_LOGPROBS, low=0.0),
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
    """Every signal that can be asked for, those of other packages last."""
    return (*BUILT_IN, *(name for name in sorted(_plugins()) if name not in BUILT_IN))


def info(name: str) -> SignalInfo | None:
    """What is known of the signal of that name, ``risk`` included; None where there is none.

    Raises:
        ConfigError: another package has registered it, and cannot be loaded.
    """
    if name == RISK.name:
        return RISK
    if name in BUILT_IN:
        return BUILT_IN[name]
    return plugin(name).info if name in _plugins() else None


@cache
def plugin(name: str) -> Any:
    """The signal that another package has registered under that name: an instance of its class.

    Raises:
        ConfigError: it cannot be loaded, or its ``info`` is not that of a signal of that name.
    """
    entry = _plugins()[name]
    owner = entry.dist.name if entry.dist else entry.value
    try:
        found = entry.load()
        found = found() if isinstance(found, type) else found
    except Exception as error:
        raise ConfigError(f"the signal {name!r} cannot be loaded: install {owner} again ({error!r})") from error
    described = getattr(found, "info", None)
    if not isinstance(described, SignalInfo) or described.name != name:
        raise ConfigError(f"the signal {name!r} of {owner} has no SignalInfo of that name as its 'info'")
    if math.isnan(described.low) or math.isnan(described.high) or not callable(getattr(found, "measure", None)):
        raise ConfigError(f"the signal {name!r} of {owner} has no measure(evidence) or no proper bounds")
    return found


@cache
def _plugins() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
