"""The signals of this package, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from guardrail.signals.agreement import Agreement
from guardrail.signals.argument import ArgumentEntropy
from guardrail.signals.bayesian import BayesianSemanticEntropy
from guardrail.signals.chao_shen import ChaoShenSemanticEntropy
from guardrail.signals.kernel import KernelEntropy
from guardrail.signals.lexical import LexicalEntropy
from guardrail.signals.majority import MajorityMargin, MajorityShare
from guardrail.signals.p_true import PTrue
from guardrail.signals.protocol import Measure
from guardrail.signals.semantic import SemanticEntropy, WeightedSemanticEntropy
from guardrail.signals.token_signals import TOKEN_SIGNALS
from guardrail.signals.top_tokens import TopEntropy, TopMargin
from guardrail.signals.turn_logprob import TurnLogprob
from guardrail.signals.verbalized import VerbalizedConfidence
from guardrail.signals.verbalized_top_k import VerbalizedTopK

_ALL: Final[tuple[Measure, ...]] = (
    *TOKEN_SIGNALS,
    TurnLogprob(),
    TopMargin(),
    TopEntropy(),
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

BUILT_IN: Final[Mapping[str, Measure]] = MappingProxyType({measure.info.name: measure for measure in _ALL})
"""Every signal of the catalogue, in its order."""
