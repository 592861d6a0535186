"""What semantic-entropy-gate makes of the same samples, with an NLI model: clustered by entailment, as it comes.

It knows texts and no calls: it gets what the model wrote, and, beside it, the calls alone in JSON.

    python -m pip install -c constraints.txt torch==2.13.0 'semantic-entropy-gate==0.8.0' 'pyarrow<22'

in an environment of its own, beside this package.
"""

from __future__ import annotations

import math
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
WRITTEN = baseline("peer_entropy", f"entropy, {PEER} on what was written", "nats", Safer.LOW, 0.0, math.inf)
CALLS = baseline("peer_entropy_calls", f"entropy, {PEER} on calls in JSON", "nats", Safer.LOW, 0.0, math.inf)
INFOS = (WRITTEN, CALLS)
PAIRS = tuple((own, info.name) for own in ("semantic_entropy", "agreement") for info in INFOS)


def peer_entropies(cases: Sequence[Case], folder: Path) -> list[dict[str, float | None]]:
    """By case and baseline, the entropy over the clusters of its valid samples, in nats.

    None where there are fewer than two, and for what was written where that was not recorded.

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

    def entropy(texts: Sequence[str]) -> float | None:
        if len(texts) < 2 or not all(texts):
            return None
        groups = cluster([Sample(text=text) for text in texts], judge).clusters
        return discrete_entropy(len(group.member_indices) for group in groups)

    found: list[dict[str, float | None]] = []
    for case in cases:
        valid = [sample for sample in case.samples if sample.valid]
        written, calls = [one.text for one in valid], [as_text(one, text=False) for one in valid]
        found.append({WRITTEN.name: entropy(written), CALLS.name: entropy(calls)})
    return found
