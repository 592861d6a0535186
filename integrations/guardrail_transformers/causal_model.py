"""A language model ready to continue prompts: weights, tokenizer, what ends its answers, and how it shares a prompt."""

from __future__ import annotations

import copy
import inspect
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, Final

from guardrail.errors import MissingExtra, SamplingError
from guardrail_transformers.cross_encoder import NO_LIMIT, NOT_LOADED
from guardrail_transformers.prompts import Prompts
from guardrail_transformers.sharing import Shared, not_loadable

_PROMPT: Final = 8
_TOLERANCE: Final = {"torch.float32": 1e-3, "torch.float64": 1e-3}
_HALF_TOLERANCE: Final = 0.05
"""Mean difference of logits, in their standard deviations: rounding stays below, a mask that is ignored does not."""


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """A prompt that has been read: the states of its tokens, and the logits of what follows, on the CPU in float32."""

    cache: Any
    logits: Any
    length: int


@dataclass(kw_only=True)
class CausalModel:
    """A loaded model. Callers hold ``lock`` while they use it.

    ``branches`` says whether several continuations may stand in one row behind one prompt (see ``decoding``).
    """

    name: str
    model: Any
    tokenizer: Any
    prompts: Prompts
    ends: frozenset[int]
    limit: int
    lock: Lock = field(default_factory=Lock)
    branches: bool = False
    _cache_name: str = "past_key_values"
    _keep_name: str | None = None

    @classmethod
    def of(cls, model: Any, tokenizer: Any, name: str) -> CausalModel:
        """A model and its tokenizer, ready to use.

        Raises:
            ConfigError: the tokenizer has no chat template.
        """
        parameters = inspect.signature(model.forward).parameters
        config = model.config.get_text_config()
        found = cls(
            name=name,
            model=model,
            tokenizer=tokenizer,
            prompts=Prompts(tokenizer, name),
            ends=_ends(model, tokenizer),
            limit=int(min(tokenizer.model_max_length, getattr(config, "max_position_embeddings", None) or NO_LIMIT)),
            _cache_name="cache" if "cache" in parameters else "past_key_values",
            _keep_name="logits_to_keep" if "logits_to_keep" in parameters else None,
        )
        found.branches = found._branching()
        return found

    def read(self, ids: list[int]) -> Prefix:
        """The prompt, read once.

        Raises:
            SamplingError: it is empty, or does not leave room for an answer.
        """
        import torch
        from transformers import DynamicCache

        if not ids or len(ids) >= self.limit:
            raise SamplingError(
                f"the prompt has {len(ids)} tokens, and {self.name} reads {self.limit - 1} at most before it answers: "
                "shorten the conversation, or plan with a model of a longer context"
            )
        cache = DynamicCache(config=self.model.config)
        logits = self.forward(torch.tensor([ids]), cache, last=True)
        return Prefix(cache=cache, logits=logits[0, -1], length=len(ids))

    def forward(self, ids: Any, cache: Any, *, mask: Any = None, positions: Any = None, last: bool = False) -> Any:
        """Logits behind each of the tokens (rows, tokens, vocabulary), on the CPU in float32; ``cache`` grows."""
        import torch

        device = self.model.device
        inputs: dict[str, Any] = {self._cache_name: cache, "use_cache": True}
        if mask is not None:
            inputs |= {"attention_mask": mask.to(device), "position_ids": positions.to(device)}
        if last and self._keep_name:
            inputs[self._keep_name] = 1
        with torch.inference_mode():
            return self.model(input_ids=ids.to(device), **inputs).logits.float().cpu()

    def reopened(self, cache: Any) -> Any:
        """A cache that grows on its own from the same states; these are not copied where layers only ever append."""
        if not _appends(cache):
            return copy.deepcopy(cache)
        opened = copy.copy(cache)
        opened.layers = [copy.copy(layer) for layer in cache.layers]
        return opened

    def mask(self, visible: Any) -> Any:
        """An attention mask (1, 1, queries, keys) of what each query sees."""
        import torch

        dtype = self.model.dtype
        return torch.zeros(visible.shape, dtype=dtype).masked_fill(~visible, torch.finfo(dtype).min)[None, None]

    def _branching(self) -> bool:
        """Whether the model, given two continuations in one row, says of each what it says of it alone."""
        import torch

        from guardrail_transformers.decoding import Branches

        config = self.model.config.get_text_config()
        if _windowed(config):
            return False
        # a few tokens of the middle of the vocabulary, so that none is special
        ids = [config.vocab_size // 2 + k for k in range(_PROMPT + 4)]
        prompt, pair = ids[:_PROMPT], torch.tensor(ids[_PROMPT:]).view(2, 2)
        try:
            prefix = self.read(prompt)
            if not _appends(prefix.cache):
                return False
            behind = Branches(self, prefix, 2)
            behind.step(pair[:, 0], [0, 1])
            together = behind.step(pair[:, 1], [0, 1])
            alone = torch.stack([self.read([*prompt, *row]).logits for row in pair.tolist()])
        except (RuntimeError, ValueError, TypeError, AttributeError, IndexError):
            return False
        tolerance = _TOLERANCE.get(str(self.model.dtype), _HALF_TOLERANCE)
        return bool((together - alone).abs().mean() <= tolerance * alone.std())


class Prefixes:
    """The prompts read last, as many as ``tokens`` allows."""

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens
        self._kept: OrderedDict[tuple[int, ...], Prefix] = OrderedDict()

    def get(self, ids: Sequence[int]) -> Prefix | None:
        return self._kept.get(tuple(ids))

    def keep(self, ids: Sequence[int], prefix: Prefix) -> None:
        self._kept[tuple(ids)] = prefix
        self._kept.move_to_end(tuple(ids))
        while sum(map(len, self._kept)) > self._tokens:
            self._kept.popitem(last=False)


def load(name: str, *, gguf_file: str | None, device: str, dtype: str) -> CausalModel:
    """The model of that name, loaded once in this process for one device and dtype.

    Raises:
        ConfigError: it cannot be loaded, or has no chat template.
        MissingExtra: what reads GGUF files is not installed.
    """
    if gguf_file is not None and (find_spec("gguf") is None or find_spec("accelerate") is None):
        raise MissingExtra("a GGUF file", "gguf")
    return _LOADED.get((name, gguf_file, device, dtype), lambda: _load(name, gguf_file, device, dtype))


_LOADED: Shared[CausalModel] = Shared()


def _load(name: str, gguf_file: str | None, device: str, dtype: str) -> CausalModel:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    options: dict[str, Any] = {} if gguf_file is None else {"gguf_file": gguf_file}
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **options)
        wanted = dtype if dtype == "auto" else getattr(torch, dtype)
        model = AutoModelForCausalLM.from_pretrained(name, dtype=wanted, **options).to(device).eval()
    except NOT_LOADED as error:
        raise not_loadable("the chat model", name, device, error) from error
    return CausalModel.of(model, tokenizer, Path(name).name if Path(name).exists() else name)


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end an answer: of the generation settings, where there may be several, and of the tokenizer."""
    found: set[int] = set()
    for given in (model.generation_config.eos_token_id, model.config.eos_token_id, tokenizer.eos_token_id):
        found |= set(given) if isinstance(given, list | tuple) else set() if given is None else {int(given)}
    return frozenset(found)


def _windowed(config: Any) -> bool:
    """Whether some layers do not see the whole prompt."""
    kinds = set(getattr(config, "layer_types", None) or ())
    window = getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True)
    return bool(kinds - {"full_attention"} or (window and not kinds) or getattr(config, "attention_chunk_size", None))


def _appends(cache: Any) -> bool:
    from transformers.cache_utils import DynamicLayer

    return all(type(layer) is DynamicLayer for layer in cache.layers)
