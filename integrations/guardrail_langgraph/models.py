"""A chat model of the guard's own: the user's, without what would make samples copies of each other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable
from langchain_core.runnables.base import RunnableBindingBase

from guardrail.errors import ConfigError

RESAMPLE_TAG = "guardrail:resample"
"""On every run that the guard starts itself."""

_TAGS = ["nostream", RESAMPLE_TAG]
_SEEDS = ("seed", "random_seed")
_TIMEOUTS = ("request_timeout", "timeout", "default_request_timeout")
_NOT_REPLAYED = frozenset({"n", "stream", "stream_options", "stream_usage", *_SEEDS})
_NESTED = ("model_kwargs", "extra_body", "options", "generation_config", "generation_kwargs")
_NEARLY_GREEDY_TOP_P = 0.01
_MOST_TOKENS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "num_predict")
_LEAST_OF_RESPONSES_API = 16
# A question has its own length, and is answered in words
_NOT_ASKED_WITH = frozenset(
    {*_MOST_TOKENS, "logprobs", "top_logprobs", "tools", "tool_choice", "functions", "function_call", "stop"}
    | {"response_format", "parallel_tool_calls"}
)


def innermost(model: Runnable[Any, Any]) -> BaseChatModel:
    """The chat model inside bound tools, bound settings and retries.

    Raises:
        ConfigError: there is none, or more than one.
    """
    while isinstance(model, RunnableBindingBase):
        model = model.bound
    if isinstance(model, BaseChatModel):
        return model
    raise ConfigError(
        f"{type(model).__name__} is not a chat model: give the guard the chat model itself "
        "(with or without bind_tools), not a chain, fallbacks or a configurable model"
    )


def model_name(model: Runnable[Any, Any]) -> str:
    """The name that the provider knows the model by, empty where it has none."""
    inner = innermost(model)
    name = next(
        (getattr(inner, key, None) for key in ("model_name", "model", "model_id") if getattr(inner, key, None)), ""
    )
    return name if isinstance(name, str) else ""


def own_copy(model: Runnable[Any, Any], *, temperature: float | None, timeout: float) -> BaseChatModel:
    """A copy that draws independently and is heard by nobody: no cache, no streaming, no seed, one choice.

    The user's object is not touched. The copy never retries by itself (the guard does) and gives up after
    ``timeout`` seconds. ``temperature`` None keeps the model's own.
    """
    inner = innermost(model)
    fields = type(inner).model_fields
    wanted: dict[str, Any] = {"streaming": False, "max_retries": 0}
    if temperature is not None:
        wanted["temperature"] = temperature
    wanted |= dict.fromkeys(_SEEDS) | dict.fromkeys(_TIMEOUTS, timeout)
    update = {name: value for name, value in wanted.items() if name in fields}
    if "n" in fields:
        update["n"] = fields["n"].get_default()
    update |= {
        name: replayable(value, temperature)
        for name in _NESTED
        if isinstance(value := getattr(inner, name, None), Mapping) and name in fields
    }
    update |= {"cache": False, "disable_streaming": True, "tags": [*(inner.tags or []), *_TAGS]}
    return _fresh(inner, {**update, **_clients(inner, timeout)})


def asking_copy(
    model: Runnable[Any, Any], *, temperature: float | None, max_tokens: int, top: int, timeout: float
) -> BaseChatModel:
    """An own copy for questions: no tools or forms of answer, at most ``max_tokens``, and ``top`` log-probabilities.

    What the model has no field for is left out.
    """
    own = own_copy(model, temperature=temperature, timeout=timeout)
    fields = type(own).model_fields
    least = _LEAST_OF_RESPONSES_API if getattr(own, "use_responses_api", None) else 1
    update: dict[str, Any] = {name: None for name in ("stop", "stop_sequences") if name in fields}
    update |= {name: max(max_tokens, least) for name in _MOST_TOKENS if name in fields}
    if takes_logprobs(own):
        update |= {"logprobs": True if top else None, "top_logprobs": top or None}
    update |= {name: questionable(value) for name in _NESTED if isinstance(value := getattr(own, name, None), Mapping)}
    return _fresh(own, update)


def takes_logprobs(model: Runnable[Any, Any]) -> bool:
    """Whether a model can be told to report the likeliest tokens."""
    return {"logprobs", "top_logprobs"} <= type(innermost(model)).model_fields.keys()


def questionable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings without those that would shape the answer to a question."""
    return {
        name: questionable(value) if name in _NESTED and isinstance(value, Mapping) else value
        for name, value in settings.items()
        if name not in _NOT_ASKED_WITH
    }


def replayable(settings: Mapping[str, Any], temperature: float | None) -> dict[str, Any]:
    """The settings as a sample is drawn with: any temperature replaced, no seed, no stream, no number of choices."""
    kept = {
        name: replayable(value, temperature) if name in _NESTED and isinstance(value, Mapping) else value
        for name, value in settings.items()
        if name not in _NOT_REPLAYED
    }
    return kept if temperature is None or "temperature" not in kept else {**kept, "temperature": temperature}


def greedy_setting(settings: Mapping[str, Any], temperature: float | None) -> str | None:
    """The setting that makes every sample the same, if there is one."""
    top_p = settings.get("top_p")
    if settings.get("top_k") == 1:
        return "top_k=1"
    if isinstance(top_p, int | float) and top_p <= _NEARLY_GREEDY_TOP_P:
        return f"top_p={top_p}"
    if temperature is None and settings.get("temperature") == 0:
        return "temperature=0"
    nested = (value for name in _NESTED if isinstance(value := settings.get(name), Mapping))
    return next((found for value in nested if (found := greedy_setting(value, temperature))), None)


def _fresh(model: BaseChatModel, update: Mapping[str, Any]) -> BaseChatModel:
    """A copy with these fields, that makes anew what the given one made of its own."""
    copy = model.model_copy(update=dict(update))
    for kind in type(copy).__mro__:
        for name, value in vars(kind).items():
            if isinstance(value, cached_property):
                copy.__dict__.pop(name, None)
    return copy


def _clients(model: BaseChatModel, timeout: float) -> dict[str, Any]:
    # OpenAI's clients keep the retries and timeout they were made with; a copied model shares them
    update: dict[str, Any] = {}
    for root, name in (("root_client", "client"), ("root_async_client", "async_client")):
        client = getattr(model, root, None)
        if client is not None and hasattr(client, "with_options") and hasattr(client, "chat"):
            update[root] = client.with_options(timeout=timeout, max_retries=0)
            update[name] = update[root].chat.completions
    return update
