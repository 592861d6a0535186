"""The request that planned a step, caught when it was sent: state does not show it."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, TypeVar
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler, BaseCallbackManager
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, message_to_dict
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.runnables import Runnable
from langchain_core.runnables.base import RunnableBindingBase
from pydantic import BaseModel

from guardrail.codec import digest
from guardrail.sampling import inspect
from guardrail.types import Sample
from guardrail_langgraph.configuration import placed
from guardrail_langgraph.messages import sample_from_message
from guardrail_langgraph.models import RESAMPLE_TAG, innermost
from guardrail_langgraph.runs import Origin

R = TypeVar("R", bound=Runnable[Any, Any])

_UNSENT_KEYS = ("id", "response_metadata", "usage_metadata")
_NOT_SETTINGS = frozenset({"_type", "model_name"})
_ADDRESSES = ("openai_api_base", "base_url", "azure_endpoint", "anthropic_api_url", "endpoint", "endpoint_url")
_REDACTED = "**REDACTED**"
# Without the model there is nothing to tell its defaults from what the call set.
_CALL_SETTINGS = (
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "functions",
    "function_call",
    "response_format",
    "stop",
)


@dataclass(frozen=True, kw_only=True)
class PlanningRequest:
    """A request to a chat model: the messages, and the settings given with the call (tools included).

    ``defaults`` are the settings of the model itself: they are not sent again by name, and identify the
    request together with the rest. ``run_id`` is LangChain's, by which traces know it.
    """

    messages: tuple[BaseMessage, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    run_id: UUID | None = field(default=None, compare=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what is sent: ids and metadata of messages are not."""
        messages = [_sent(message) for message in self.messages]
        return digest("request/v1", self.model, messages, _plain(self.settings), _plain(self.defaults))


@dataclass(frozen=True, kw_only=True)
class CapturedPlan:
    """A request, the message that it gave, the same message as a sample, and where it was sent."""

    request: PlanningRequest
    message: AIMessage
    planned: Sample
    origin: Origin | None = None


def request_for(model: Runnable[Any, Any], messages: Sequence[BaseMessage]) -> PlanningRequest:
    """The request that a model, with what is bound to it, would send for these messages."""
    settings: dict[str, Any] = {}
    runnable = model
    while isinstance(runnable, RunnableBindingBase):
        settings = {**runnable.kwargs, **settings}
        runnable = runnable.bound
    inner = innermost(runnable)
    for key in ("ls_structured_output_format", "structured_output_format"):
        settings.pop(key, None)
    defaults = _baseline(inner)
    return PlanningRequest(
        messages=tuple(messages), settings=settings, model=_name({**defaults, **settings}), defaults=defaults
    )


class Listener(Protocol):
    """Is told of planning requests while they are under way. ``run_id`` is that of the request."""

    def requested(self, run_id: UUID, request: PlanningRequest, thread_id: str) -> None: ...

    def answered(self, run_id: UUID, message: AIMessage) -> None: ...

    def failed(self, run_id: UUID) -> None: ...


class PlanCapture(BaseCallbackHandler):
    """Remembers, for the last ``size`` messages of chat models, the requests that gave them.

    Put it among the callbacks of a run, or on a copy of the model with ``watch``. ``model`` is the chat
    model whose requests are caught: settings given with the call are told from its defaults by comparison.
    A request that this model could not send again (another provider or address, redacted credentials) is not kept.
    ``listener`` is told of those that are kept, as they go out and end. ``read`` puts the calls into messages that have
    them as text. Thread-safe. Requests made by the guard itself are ignored.
    """

    run_inline = True
    raise_error = False

    def __init__(
        self,
        model: Runnable[Any, Any] | None = None,
        *,
        size: int = 512,
        listener: Listener | None = None,
        read: Callable[[AIMessage], AIMessage] | None = None,
    ) -> None:
        self._listener = listener
        self._read = read
        self._model = None if model is None else innermost(model)
        self._plans = _Plans(size)
        self._running: OrderedDict[UUID, tuple[PlanningRequest, Origin]] = OrderedDict()
        self._size = size

    def for_model(self, model: Runnable[Any, Any]) -> PlanCapture:
        """A handler for another model whose catch is found through this one too."""
        capture = PlanCapture(model, size=self._size, listener=self._listener, read=self._read)
        capture._plans = self._plans
        return capture

    def lookup(self, message: AIMessage) -> CapturedPlan | None:
        """The plan that gave this message: by message id, else by call ids if these tell one request only."""
        if message.id is not None and (plan := self._plans.of_message(message.id)) is not None:
            return plan
        ids = frozenset(call["id"] for call in message.tool_calls if call["id"])
        return self._plans.of_calls(ids) if ids else None

    def plan_of(self, call_id: str) -> AIMessage | None:
        """The message that planned the call of this id; None if several requests gave calls of this id."""
        plan = self._plans.of_calls(frozenset({call_id}))
        return None if plan is None else plan.message

    def plans(self) -> list[CapturedPlan]:
        """Those that are remembered, the newest first."""
        return self._plans.newest()

    def on_chat_model_start(
        self,
        serialized: dict[str, Any] | None,
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Catch the request."""
        if RESAMPLE_TAG in (tags or ()) or (self._model is not None and _elsewhere(serialized, self._model)):
            return
        params = kwargs.get("invocation_params") or {}
        defaults = _baseline(self._model) if self._model is not None else {}
        settings = _settings(params, defaults if self._model is not None else None)
        if settings is None:
            return
        stop = (kwargs.get("options") or {}).get("stop")
        if stop is not None:
            # the parameters may show the model's own stop words in place of the call's
            settings["stop"] = stop
        request = PlanningRequest(
            # shallow copies: ids and contents are assigned to the originals later
            messages=tuple(message.model_copy() for message in messages[0]),
            settings=settings,
            model=_name(params),
            defaults=defaults,
            run_id=run_id,
        )
        thread_id, namespace, task = placed(metadata or {})
        origin = Origin(run_id=run_id, parent_run_id=parent_run_id, thread_id=thread_id, namespace=namespace, task=task)
        with self._plans.lock:
            self._running[run_id] = (request, origin)
            while len(self._running) > self._size:
                self._running.popitem(last=False)
        if self._listener is not None:
            self._listener.requested(run_id, request, str((metadata or {}).get("thread_id") or ""))

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Keep the request with the messages that it gave."""
        del kwargs
        with self._plans.lock:
            sent = self._running.pop(run_id, None)
        if sent is None:
            return
        request, origin = sent
        response_id = (response.llm_output or {}).get("id")
        for choice, generation in enumerate(response.generations[0]):
            if isinstance(generation, ChatGeneration) and isinstance(generation.message, AIMessage):
                message = generation.message.model_copy()
                if self._read is not None:
                    message = self._read(message)
                sample = sample_from_message(message, response_id=response_id, choice=choice)
                (planned,) = inspect([sample])
                self._plans.keep(CapturedPlan(request=request, message=message, planned=planned, origin=origin))
                if self._listener is not None and choice == 0:
                    self._listener.answered(run_id, message)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Forget the request."""
        del error, kwargs
        with self._plans.lock:
            self._running.pop(run_id, None)
        if self._listener is not None:
            self._listener.failed(run_id)


class Watcher(Protocol):
    """What may be put on a model."""

    def for_model(self, model: Any) -> BaseCallbackHandler: ...


def watch(model: R, capture: Watcher) -> R:
    """A copy of the model, bound tools included, whose requests are caught. The given one is not touched.

    Raises:
        ConfigError: this is not a chat model (see ``innermost``).
    """
    inner = innermost(model)
    if isinstance(model, RunnableBindingBase):
        return model.model_copy(update={"bound": watch(model.bound, capture)})
    handler = capture.for_model(inner)
    callbacks = inner.callbacks
    if isinstance(callbacks, BaseCallbackManager):
        manager = callbacks.copy()
        manager.add_handler(handler, inherit=False)
        return inner.model_copy(update={"callbacks": manager})  # type: ignore[return-value]  # innermost: R is the model's type
    return inner.model_copy(update={"callbacks": [*(callbacks or []), handler]})  # type: ignore[return-value]  # as above


class _Plans:
    """The last plans, least recently used first."""

    def __init__(self, size: int) -> None:
        self.lock = threading.RLock()
        self._size = size
        self._plans: OrderedDict[str, CapturedPlan | None] = OrderedDict()

    def keep(self, plan: CapturedPlan) -> None:
        key = plan.message.id or digest(plan.request.digest, [call.id for call in plan.planned.calls])
        with self.lock:
            known = self._plans.get(key, plan)
            # an id that several requests gave tells nothing
            one_request = known is not None and known.request.digest == plan.request.digest
            self._plans[key] = plan if one_request else None
            self._plans.move_to_end(key)
            while len(self._plans) > self._size:
                self._plans.popitem(last=False)

    def newest(self) -> list[CapturedPlan]:
        with self.lock:
            return [plan for plan in reversed(self._plans.values()) if plan is not None]

    def of_message(self, message_id: str) -> CapturedPlan | None:
        with self.lock:
            if message_id in self._plans:
                self._plans.move_to_end(message_id)
            return self._plans.get(message_id)

    def of_calls(self, call_ids: frozenset[str]) -> CapturedPlan | None:
        with self.lock:
            found = [p for p in self._plans.values() if p and call_ids <= {call.id for call in p.planned.calls}]
        # nor does a call id, where a server numbers calls from 0 in every response
        return found[-1] if len({plan.request.digest for plan in found}) == 1 else None


def _baseline(model: BaseChatModel) -> dict[str, Any]:
    return model._get_invocation_params(stop=None)  # noqa: SLF001 - what on_chat_model_start is given, without the call


def _elsewhere(serialized: Mapping[str, Any] | None, model: BaseChatModel) -> bool:
    """Whether a model described so sends its requests to another address."""
    own = model._serialized.get("kwargs", {})  # noqa: SLF001 - the same description of our model
    other = (serialized or {}).get("kwargs", own)
    return any(other.get(key) != own.get(key) for key in _ADDRESSES)


def _settings(params: Mapping[str, Any], defaults: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What the call added to the defaults of the model; None if the model could not send it again."""
    if any(isinstance(tool, Mapping) and _REDACTED in tool.values() for tool in params.get("tools") or ()):
        return None
    if defaults is None:
        return {key: params[key] for key in _CALL_SETTINGS if params.get(key) is not None}
    if params.get("_type") != defaults.get("_type") or not defaults.keys() <= params.keys():
        return None
    return {
        key: value
        for key, value in params.items()
        if key not in _NOT_SETTINGS and (key not in defaults or defaults[key] != value)
    }


def _name(params: Mapping[str, Any]) -> str:
    return str(next((params[key] for key in ("model", "model_name", "model_id") if params.get(key)), ""))


def _sent(message: BaseMessage) -> Any:
    data = message_to_dict(message)
    return {"type": data["type"], "data": _plain({k: v for k, v in data["data"].items() if k not in _UNSENT_KEYS})}


def _plain(value: Any) -> Any:
    """JSON data that is equal for equal settings, also across processes."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(item) for item in value), key=str)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return _named(value)


def _named(value: Any) -> Any:
    if isinstance(value, type) and issubclass(value, BaseModel):
        return value.model_json_schema()
    kind = value if isinstance(value, type) or hasattr(value, "__qualname__") else type(value)
    return f"{kind.__module__}.{kind.__qualname__}"


__all__ = ["CapturedPlan", "Listener", "PlanCapture", "PlanningRequest", "request_for", "watch"]
