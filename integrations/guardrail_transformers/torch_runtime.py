"""Transformers models run by torch: logits of a classifier, token states of an encoder."""

from __future__ import annotations

from typing import Any

from guardrail.errors import ConfigError
from guardrail_transformers.batching import Columns

DTYPES = ("float32", "bfloat16", "float16")


class TorchClassifier:
    """A sequence-classification model; its types are Any because torch's are not followed."""

    def __init__(self, name: str, *, device: str, dtype: str) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification

        model = AutoModelForSequenceClassification.from_pretrained(name)
        self._model = model.to(getattr(torch, dtype)).to(device).eval()
        self._device = device
        self.config: Any = model.config

    def probabilities(self, columns: Columns) -> list[list[float]]:
        """For each row of a batch the probability of every label."""
        import torch

        with torch.inference_mode():
            logits = self._model(**_tensors(columns, self._device)).logits.float()
            found: list[list[float]] = torch.softmax(logits, dim=-1).tolist()
        return found


class TorchEncoder:
    """A model whose token states, averaged over the text and scaled to length 1, are its embedding."""

    def __init__(self, name: str, *, device: str, dtype: str) -> None:
        import torch
        from transformers import AutoModel

        model = AutoModel.from_pretrained(name)
        self._model = model.to(getattr(torch, dtype)).to(device).eval()
        self._device = device
        self.config: Any = model.config

    def embeddings(self, columns: Columns) -> Any:
        """For each row of a batch its embedding; a tensor of (rows, width) on the CPU, in float32."""
        import torch

        tensors = _tensors(columns, self._device)
        with torch.inference_mode():
            states = self._model(**tensors).last_hidden_state.float()
            mask = tensors["attention_mask"].unsqueeze(-1)
            mean = (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
            return torch.nn.functional.normalize(mean, dim=-1).cpu()


def checked_dtype(dtype: str) -> str:
    """The dtype, if models can be run in it.

    Raises:
        ConfigError: they cannot.
    """
    if dtype not in DTYPES:
        raise ConfigError(f"dtype must be one of {', '.join(DTYPES)}, but is {dtype!r}")
    return dtype


def _tensors(columns: Columns, device: str) -> dict[str, Any]:
    import torch

    return {name: torch.tensor(column, device=device) for name, column in columns.items()}
