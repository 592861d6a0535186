"""The parts that the node and the callback handler are made of."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Protocol

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from langgraph.errors import GraphBubbleUp

from guardrail.clustering import AsyncEntailment, Entailment
from guardrail.engine import AsyncGuard, Guard
from guardrail.errors import ConfigError, StoreError
from guardrail.policy import Policy
from guardrail.sampling import Asker, AsyncAsker
from guardrail.signals import Measure
from guardrail.store import Store, open_store
from guardrail.types import PlanningStep, Spending, StepVerdict, ToolSpec
from guardrail_langgraph.messages import tool_specs_from
from guardrail_langgraph.requests import PlanCapture
from guardrail_langgraph.sampler import ChatModelSampler
from guardrail_langgraph.speculation import AnySampler, SpeculativeSampler, Unused, surely_sampled
from guardrail_langgraph.surroundings import Descriptions
from guardrail_langgraph.written import CallReader, WrittenCalls, WrittenSampler

_log = logging.getLogger(__name__)

Tool = BaseTool | Callable[..., Any] | dict[str, Any]


class AnyAsker(Asker, AsyncAsker, Protocol):
    """Asks both ways."""


class AnyEntailment(Entailment, AsyncEntailment, Protocol):
    """Judges both ways."""


class Wiring:
    """Policy, store, capture of planning requests, and a guard for each way of running.

    Raises:
        ConfigError: no tools, neither a chat model nor a sampler, a policy that does not fit the tools, or a
            budget beside ``speculate``.
    """

    def __init__(
        self,
        model: BaseChatModel | None,
        *,
        tools: Sequence[Tool] | None,
        policy: Policy | str | None,
        store: Store | str | None,
        sampler: AnySampler | None,
        entailment: AnyEntailment | None,
        options: Mapping[str, Any],
        asker: AnyAsker | None = None,
        signals: Sequence[Measure] = (),
        risk_model: Any = None,
        speculate: bool = False,
        reads: CallReader | None = None,
    ) -> None:
        if tools is not None and not tools:
            raise ConfigError("the guard was given no tools. Pass the same list that the agent's model is bound to.")
        if sampler is None:
            if not isinstance(model, BaseChatModel):
                raise ConfigError(
                    f"the guard needs the agent's chat model, not {type(model).__name__}: pass the model itself, "
                    "before bind_tools, or a sampler of your own."
                )
            if reads is None and type(model).bind_tools is BaseChatModel.bind_tools:
                raise ConfigError(
                    f"{type(model).__name__} cannot call tools (it has no bind_tools), so there is nothing to guard."
                )
            sampler = ChatModelSampler(model)
        self.tools = list(tools or ())
        self._learns = tools is None
        self.descriptions: Descriptions = {}
        self.registered: dict[str, ToolSpec] = {spec.name: spec for spec in tool_specs_from(self.tools)}
        self.policy = Policy.of(policy)
        if tools is not None:
            self.policy.check(tuple(self.registered.values()))
        elif speculate:
            raise ConfigError("speculate=True has to know the tools beforehand: give tools=[...]")
        self.store = open_store(store or "memory://") if isinstance(store, str | None) else store
        self.written = None if reads is None else WrittenCalls(reads, self.registered)
        if self.written is not None:
            sampler = WrittenSampler(sampler, self.written)
        self._speculation = self._speculative(sampler) if speculate else None
        read = None if self.written is None else self.written.message
        self.capture = PlanCapture(model, listener=self._speculation, read=read)
        given = {"entailment": entailment, "asker": asker, "signals": tuple(signals), "risk_model": risk_model}
        shared: dict[str, Any] = {
            **{name: value for name, value in given.items() if value not in (None, ())},
            "passthrough": (GraphBubbleUp,),
            **options,
        }
        self.guard = Guard(self.policy, self._speculation or sampler, self.store, **shared)
        self.aguard = AsyncGuard(self.policy, self._speculation or sampler, self.store, **shared)
        self.queue = self.guard.queue

    def learn(self, tools: Sequence[Tool | ToolSpec]) -> None:
        """Take down the tools that the agent offers its model, where the guard was not given them.

        Raises:
            PolicyError: the policy does not fit the first ones that are offered.
        """
        if not self._learns:
            return
        given = [one for one in tools if isinstance(one, ToolSpec)]
        others = [one for one in tools if not isinstance(one, ToolSpec) and _name(one) not in self.registered]
        new = [one for one in (*given, *tool_specs_from(others)) if one.name not in self.registered]
        if new and not self.registered:
            self.policy.check(tuple(new))
        self.registered.update({one.name: one for one in new})

    def tool(self, name: str, record_id: str) -> ToolSpec | None:
        """A tool as it is registered, or as the model was offered it in that step."""
        if name in self.registered or not record_id:
            return self.registered.get(name)
        with suppress(StoreError):
            return next((one for one in self.store.record(record_id).tools if one.name == name), None)
        return None

    def assess(self, step: PlanningStep) -> StepVerdict:
        """The verdict on a step; what was begun for it and is not needed is given up."""
        try:
            return self.guard.assess(step)
        finally:
            if self._speculation is not None:
                self._speculation.settled(step)

    async def aassess(self, step: PlanningStep) -> StepVerdict:
        """The same, asynchronously."""
        try:
            return await self.aguard.assess(step)
        finally:
            if self._speculation is not None:
                self._speculation.settled(step)

    def _speculative(self, sampler: AnySampler) -> SpeculativeSampler:
        if self.policy.budget.any:
            raise ConfigError(
                "speculate=True draws before a step's budget can be looked at: leave it out, or the policy's budget"
            )
        return SpeculativeSampler(sampler, surely_sampled(self.policy, self.registered), unused=self._spent)

    def _spent(self, unused: Unused) -> None:
        """What was drawn for nothing is spent all the same."""
        at = datetime.now(UTC).isoformat()
        try:
            self.store.spend(Spending(at=at, thread_id=unused.thread_id, model=unused.model, usage=unused.usage))
        except StoreError:
            _log.exception("what was drawn ahead for nothing (%s) is not in the ledger", unused.usage)


def _name(tool: Tool) -> str:
    found = tool.get("name") if isinstance(tool, Mapping) else getattr(tool, "name", None)
    return found if isinstance(found, str) else ""
