"""Classifiers run by ONNX Runtime from a model.onnx file."""

from __future__ import annotations

import math
from importlib import import_module
from pathlib import Path
from typing import Any

from guardrail.errors import ConfigError
from guardrail_transformers.batching import Columns

FILES = ("model.onnx", "onnx/model.onnx")
"""Where a model's graph lies inside its folder or its repository on the hub."""


class OnnxClassifier:
    """A sequence-classification graph with inputs named as the tokenizer names them and an output "logits"."""

    def __init__(self, name: str, *, device: str) -> None:
        from transformers import AutoConfig

        onnxruntime: Any = import_module("onnxruntime")  # it ships no types

        kind = device.partition(":")[0]
        if kind not in ("cpu", "cuda"):
            raise ConfigError(f"ONNX Runtime runs on cpu or cuda here, not on {device!r}")
        provider = "CUDAExecutionProvider" if kind == "cuda" else "CPUExecutionProvider"
        if provider not in onnxruntime.get_available_providers():
            raise ConfigError(f"this ONNX Runtime has no {provider}. Run: pip install onnxruntime-gpu")
        options = onnxruntime.SessionOptions()
        # threads that wait by spinning take the processor from the agent's own
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(str(_graph(name)), options, providers=[provider])
        self._inputs = [one.name for one in self._session.get_inputs()]
        self.config: Any = AutoConfig.from_pretrained(name)

    def probabilities(self, columns: Columns) -> list[list[float]]:
        """For each row of a batch the probability of every label."""
        import numpy as np

        given = {name: np.asarray(columns[name], dtype=np.int64) for name in self._inputs}
        (logits,) = self._session.run(["logits"], given)
        return [_softmax(row) for row in logits.tolist()]


def _graph(name: str) -> Path:
    folder = Path(name)
    if folder.is_dir():
        found = [folder / file for file in FILES if (folder / file).is_file()]
        if found:
            return found[0]
    elif graph := _fetched(name):
        return graph
    raise ConfigError(
        f"the model {name!r} has no {' or '.join(FILES)}. "
        f"Run: python -m guardrail_transformers.onnx_export {name} FOLDER, and give that folder instead"
    )


def _fetched(name: str) -> Path | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    for file in FILES:
        try:
            return Path(hf_hub_download(name, file))
        except EntryNotFoundError:
            continue
    return None


def _softmax(logits: list[float]) -> list[float]:
    highest = max(logits)
    weights = [math.exp(logit - highest) for logit in logits]
    total = sum(weights)
    return [weight / total for weight in weights]
