"""The libraries that cluster samples, each over the same injected predictor.

They are run as they come: uqlm keeps what it has predicted for as long as the run lasts, and each gets the
samples of a set in the order of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

from guardrail.cli.rows import Row
from guardrail.clustering import SharedEntailment, group_samples
from tests.benchmarks.predictor import CONTRADICTION, ENTAILMENT, NEUTRAL, Predictor, as_text

PEERS = {"uqlm": "0.6.7", "semantic-entropy-gate": "0.8.0"}
INSTALL = (
    "python -m pip install -U pip && python -m pip install -c constraints.txt "
    "torch==2.13.0 'uqlm==0.6.7' 'pyarrow<22' 'semantic-entropy-gate==0.8.0'"
)


class Clusterer(Protocol):
    """Groups the samples of a set; a sample may stand in several groups where the library lets it."""

    def groups(self, row: Row, predictor: Predictor) -> list[list[int]]: ...


class Ours:
    """This package: structure first, then two rounds of text pairs."""

    def groups(self, row: Row, predictor: Predictor) -> list[list[int]]:
        judge = SharedEntailment(predictor)
        grouping = group_samples(row.samples, row.tools)
        first = grouping.against_first
        same = dict(zip(first, judge.equivalent(first), strict=True)) if first else {}
        second = grouping.open_pairs(same)
        if second:
            same.update(zip(second, judge.equivalent(second), strict=True))
        return [list(group.members) for group in grouping.resolve(same)]


class UQLM:
    """``uqlm.nli.SemanticClusterer`` over an NLI whose predictions are the predictor's."""

    def __init__(self) -> None:
        import numpy as np
        from uqlm.nli import NLI

        class Injected(NLI):
            def __init__(self) -> None:
                self.label_mapping = [CONTRADICTION, NEUTRAL, ENTAILMENT]
                self.probabilities: dict[Any, Any] = {}
                self.predictor: Predictor

            def predict_batch(self, pairs: list[tuple[str, str]]) -> Any:
                rows = [[float(label == name) for name in self.label_mapping] for label in self.predictor.labels(pairs)]
                return np.array(rows).reshape(-1, 3)

        self._nli = Injected()

    def groups(self, row: Row, predictor: Predictor) -> list[list[int]]:
        from uqlm.nli import SemanticClusterer

        self._nli.predictor = predictor
        self._nli.probabilities.clear()  # the predictor's answers are another set's
        _, indices, _, _ = SemanticClusterer(self._nli).cluster_responses(_texts(row))
        return [list(group) for group in indices]


class SemanticEntropyGate:
    """``semantic_entropy_gate.clustering.cluster``, strict, over an entailment model that asks the predictor."""

    def groups(self, row: Row, predictor: Predictor) -> list[list[int]]:
        from semantic_entropy_gate.clustering import cluster
        from semantic_entropy_gate.entailment import EntailmentModel
        from semantic_entropy_gate.types import EntailmentLabel, Sample

        class Injected(EntailmentModel):
            name = "predictor"

            def classify(self, premise: str, hypothesis: str, *, context: str = "") -> tuple[Any, float]:
                (label,) = predictor.labels([(premise, hypothesis)])
                return EntailmentLabel(label), 1.0

        found = cluster([Sample(text=text) for text in _texts(row)], Injected())
        return [list(one.member_indices) for one in found.clusters]


def clusterers() -> tuple[dict[str, Clusterer], dict[str, str]]:
    """The libraries that can run here, and what is wrong with those that cannot."""
    ready: dict[str, Clusterer] = {"ours": Ours()}
    missing: dict[str, str] = {}
    for name, kind in (("uqlm", UQLM), ("semantic-entropy-gate", SemanticEntropyGate)):
        try:
            found = version(name)
            ready[name] = kind()
        except PackageNotFoundError:
            missing[name] = "not installed"
            continue
        except ImportError as error:
            missing[name] = f"cannot be imported ({error})"
            continue
        if found != PEERS[name]:
            missing[name] = f"compared is {PEERS[name]}, installed is {found}"
            del ready[name]
    return ready, missing


def _texts(row: Row) -> Sequence[str]:
    return [as_text(sample, text=row.texts) for sample in row.samples]
