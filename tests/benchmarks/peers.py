"""What semantic-entropy-gate makes of the same samples, with an NLI model: calls as texts, clustered by entailment.

    python -m pip install -c constraints.txt torch==2.13.0 'semantic-entropy-gate==0.8.0' 'pyarrow<22'

in an environment of its own, beside this package.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from guardrail.errors import ConfigError
from guardrail.signals.entropy import discrete_entropy
from guardrail.types import Case, Safer
from tests.benchmarks.clusterers import PEERS
from tests.benchmarks.predictor import as_text
from tests.benchmarks.scores import baseline

PEER = "semantic-entropy-gate"
INFO = baseline("peer_entropy", f"entropy, {PEER} with NLI", "nats", Safer.LOW, 0.0, float("inf"))


def peer_entropy(cases: Sequence[Case], folder: Path) -> list[float | None]:
    """Entropy over the clusters of each case's valid samples, in nats; None where there are fewer than two.

    Raises:
        ConfigError: the package is not installed in the version that is compared, or there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder with an NLI model; the baseline of {PEER} is left out")
    try:
        found = version(PEER)
    except PackageNotFoundError as error:
        raise ConfigError(f"{PEER} is not installed; its baseline is left out") from error
    if found != PEERS[PEER]:
        raise ConfigError(f"{PEER} {found} is installed, compared is {PEERS[PEER]}; its baseline is left out")
    from semantic_entropy_gate.clustering import cluster
    from semantic_entropy_gate.entailment import CrossEncoderEntailment
    from semantic_entropy_gate.types import Sample

    judge = CrossEncoderEntailment(str(folder), device="cpu")
    entropies: list[float | None] = []
    for case in cases:
        texts = [as_text(sample, text=False) for sample in case.samples if sample.valid]
        groups = cluster([Sample(text=text) for text in texts], judge).clusters if len(texts) > 1 else ()
        entropies.append(discrete_entropy(len(group.member_indices) for group in groups) if groups else None)
    return entropies
