"""The signals of this package, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from guardrail import catalogue
from guardrail.signals.agreement import Agreement
from guardrail.signals.argument import ArgumentEntropy
from guardrail.signals.bayesian import BayesianSemanticEntropy
from guardrail.signals.chao_shen import ChaoShenSemanticEntropy
from guardrail.signals.evidence import Evidence
from guardrail.signals.kernel import KernelEntropy
from guardrail.signals.lexical import LexicalEntropy
from guardrail.signals.majority import MajorityMargin, MajorityShare
from guardrail.signals.p_true import PTrue
from guardrail.signals.protocol import Measure
from guardrail.signals.semantic import SemanticEntropy, WeightedSemanticEntropy
from guardrail.signals.token_signals import TOKEN_SIGNALS
from guardrail.signals.verbalized import VerbalizedConfidence
from guardrail.signals.verbalized_top_k import VerbalizedTopK
from guardrail.types import Signal, SignalInfo

_ALL: Final[tuple[Measure, ...]] = (
    *TOKEN_SIGNALS,
    VerbalizedConfidence(),
    VerbalizedTopK(),
    PTrue(),
    Agreement(),
    MajorityShare(),
    MajorityMargin(),
    SemanticEntropy(),
    SemanticEntropy(normalized=True),
    WeightedSemanticEntropy(),
    BayesianSemanticEntropy(),
    ChaoShenSemanticEntropy(),
    LexicalEntropy(),
    ArgumentEntropy(),
    KernelEntropy(),
)


class _NotYet:
    """Stands for a signal of the catalogue until its file is there."""

    def __init__(self, info: SignalInfo) -> None:
        self.info = info

    def measure(self, evidence: Evidence) -> Signal:
        del evidence
        return Signal(name=self.info.name, unit=self.info.unit, missing="not measured by this version")


BUILT_IN: Final[Mapping[str, Measure]] = MappingProxyType(
    {name: _NotYet(info) for name, info in catalogue.BUILT_IN.items()} | {m.info.name: m for m in _ALL}
)
