"""The parts that the node and the callback handler are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langgraph.errors import GraphBubbleUp

from guardrail.clustering import AsyncEntailment, Entailment
from guardrail.engine import AsyncGuard, Guard
from guardrail.errors import ConfigError
from guardrail.policy import Policy
from guardrail.sampling import AsyncSampler, Sampler
from guardrail.store import Store, open_store
from guardrail.types import ToolSpec
from guardrail_langgraph.messages import tool_specs_from
from guardrail_langgraph.requests import PlanCapture
from guardrail_langgraph.sampler import ChatModelSampler

Tool = BaseTool | Callable[..., Any] | dict[str, Any]


class AnySampler(Sampler, AsyncSampler, Protocol):
    """Draws both ways."""


class AnyEntailment(Entailment, AsyncEntailment, Protocol):
    """Judges both ways."""


class Wiring:
    """Policy, store, capture of planning requests, and a guard for each way of running.

    Raises:
        ConfigError: no tools, neither a chat model nor a sampler, or a policy that does not fit the tools.
    """

    def __init__(
        self,
        model: BaseChatModel | None,
        *,
        tools: Sequence[Tool],
        policy: Policy | None,
        store: Store | str | None,
        sampler: AnySampler | None,
        entailment: AnyEntailment | None,
        options: Mapping[str, Any],
    ) -> None:
        if not tools:
            raise ConfigError("the guard was given no tools. Pass the same list that the agent's model is bound to.")
        if sampler is None:
            if not isinstance(model, BaseChatModel):
                raise ConfigError(
                    f"the guard needs the agent's chat model, not {type(model).__name__}: pass the model itself, "
                    "before bind_tools, or a sampler of your own."
                )
            if type(model).bind_tools is BaseChatModel.bind_tools:
                raise ConfigError(
                    f"{type(model).__name__} cannot call tools (it has no bind_tools), so there is nothing to guard."
                )
            sampler = ChatModelSampler(model)
        self.tools = list(tools)
        self.registered: dict[str, ToolSpec] = {spec.name: spec for spec in tool_specs_from(self.tools)}
        self.policy = policy or Policy()
        self.policy.check(tuple(self.registered.values()))
        self.store = open_store(store or "memory://") if isinstance(store, str | None) else store
        self.capture = PlanCapture(model)
        shared: dict[str, Any] = {"entailment": entailment, "passthrough": (GraphBubbleUp,), **options}
        self.guard = Guard(self.policy, sampler, self.store, **shared)
        self.aguard = AsyncGuard(self.policy, sampler, self.store, **shared)
        self.queue = self.guard.queue
