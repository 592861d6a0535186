"""The guard as a capability of pydantic-ai: it assesses what a model planned, and stands around all tools of a run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from copy import copy
from typing import Any

from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering
from pydantic_ai.messages import ModelResponse, ToolCallPart
from pydantic_ai.models import ModelRequestContext
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import (
    DeferredToolRequests,
    DeferredToolResults,
    RunContext,
    ToolApproved,
    ToolDefinition,
    ToolDenied,
)
from pydantic_ai.toolsets import AbstractToolset

from guardrail.desk import Held, PausingDesk, Refused, WaitsForReview, follow
from guardrail.engine import AsyncGuard
from guardrail.errors import ConfigError
from guardrail.policy import Policy
from guardrail.sampling import RepeatingSampler
from guardrail.store import Store, open_store
from guardrail_pydantic_ai.toolset import METADATA, GuardedToolset
from guardrail_pydantic_ai.turns import Request, as_planned, reveals


class Guardrail(AbstractCapability[Any]):
    """``Agent(..., capabilities=[Guardrail(policy=..., store=...)])``: what ``guarded`` adds to an agent that is there.

    The agent's model samples every step that it plans, and each tool runs only what the guard or a person let run,
    once. It stands outside of other capabilities, nearest to what is planned last and run.

    Args:
        policy: what each tool's stakes ask for, or the path of its file.
        store: where records and reviews are kept, or its address; by default in memory.
        thread_id: which conversation this is; by default the run's ``conversation_id``, which its messages carry.
        namespace: where in the conversation, if several agents share it.
        annotations: MCP annotations of tools, by name; MCP servers' own are known.
        sampler: draws steps again (an ``AsyncSampler``); by default through the model that planned.
        entailment: judges free texts that differ.
        temperature: of the samples; None keeps the plan's, for models that take none.
        wait: how many seconds a run itself waits for people, before it ends with ``DeferredToolRequests``.
        allow_hosted: let tools pass that the provider carries out by itself, which nobody can hold.
        allow_external: let tools pass that whoever started the run carries out.
        options: of ``guardrail.AsyncGuard``.

    Raises:
        ConfigError: the policy cannot be used.
    """

    def __init__(
        self,
        *,
        policy: Policy | str | None = None,
        store: Store | str | None = None,
        thread_id: str | None = None,
        namespace: str = "",
        annotations: Mapping[str, Mapping[str, Any]] | None = None,
        sampler: Any = None,
        entailment: Any = None,
        temperature: float | None = 1.0,
        wait: float = 0.0,
        allow_hosted: bool = False,
        allow_external: bool = False,
        **options: Any,
    ) -> None:
        kept = open_store(store or "memory://") if isinstance(store, str | None) else store
        draws = RepeatingSampler("pydantic-ai", temperature=temperature) if sampler is None else sampler
        self.guard = AsyncGuard(Policy.of(policy), draws, kept, entailment=entailment, **options)
        self.annotations = annotations or {}
        self._thread_id = thread_id
        self._namespace = namespace
        self._tenant = str(options.get("tenant", ""))
        self._wait = wait
        self._allow_hosted = allow_hosted
        self._allow_external = allow_external
        self._desk: PausingDesk | None = None
        self._known: set[str] = set()

    def get_ordering(self) -> CapabilityOrdering:
        """Outermost: it sees the tools that other capabilities add, and the plan as they leave it."""
        return CapabilityOrdering(position="outermost")

    async def for_run(self, ctx: RunContext[Any]) -> Guardrail:
        """The guard of one conversation."""
        run = copy(self)
        run._desk, run._known = self.desk(self._thread_id or ctx.conversation_id or ""), set()  # noqa: SLF001 - its own
        return run

    def desk(self, thread_id: str) -> PausingDesk:
        """Where the calls of a conversation are let through.

        Raises:
            ConfigError: it has no id by which its calls could be found.
        """
        if not thread_id:
            raise ConfigError("the run has no conversation_id: give thread_id, by which its calls are found")
        return PausingDesk(self.guard, thread_id=thread_id, namespace=self._namespace, tenant=self._tenant, wakes=True)

    def get_wrapper_toolset(self, toolset: AbstractToolset[Any]) -> AbstractToolset[Any]:
        """All tools of the run, guarded."""
        return GuardedToolset(toolset, self._own_desk, self._known, self._allow_external)

    async def before_model_request(
        self,
        ctx: RunContext[Any],  # noqa: ARG002
        request_context: ModelRequestContext,
    ) -> ModelRequestContext:
        """The request, if nothing that it plans runs elsewhere.

        Raises:
            ConfigError: the provider carries out tools by itself.
        """
        self._check(request_context)
        return request_context

    async def after_model_request(
        self,
        ctx: RunContext[Any],  # noqa: ARG002
        *,
        request_context: ModelRequestContext,
        response: ModelResponse,
    ) -> ModelResponse:
        """The response, whose plan is assessed before any of it can run.

        Raises:
            ConfigError: the provider carries out tools by itself.
        """
        self._check(request_context)
        request = Request(
            model=request_context.model,
            messages=tuple(request_context.messages),
            model_settings=request_context.model_settings or ModelSettings(),
            parameters=request_context.model_request_parameters,
        )
        desk = self._own_desk
        step = request.step(
            response,
            thread_id=desk.thread_id,
            namespace=desk.namespace,
            attempt=await asyncio.to_thread(follow, desk, request.answered),
            annotations=self.annotations,
        )
        if step is not None:
            await self.guard.assess(step)
        return response

    async def before_tool_execute(
        self,
        ctx: RunContext[Any],  # noqa: ARG002
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: Any,
    ) -> Any:
        """The arguments, of a tool that the guard stands around.

        Raises:
            ConfigError: the tool came to the run outside of the guard.
        """
        if call.tool_name not in self._known and not reveals(tool_def):
            raise ConfigError(
                f"another capability adds the tool {call.tool_name!r} outside of the guard, and nothing would hold it: "
                "put the guard before that capability"
            )
        return args

    async def handle_deferred_tool_calls(
        self,
        ctx: RunContext[Any],  # noqa: ARG002
        *,
        requests: DeferredToolRequests,
    ) -> DeferredToolResults | None:
        """What people decide within the seconds that a run waits."""
        return await self.decided(requests, wait=self._wait) if self._wait else None

    async def decided(self, requests: DeferredToolRequests, *, wait: float) -> DeferredToolResults:
        """What people have decided on calls that the guard holds; calls that still wait are not in it."""
        until, results = time.monotonic() + wait, DeferredToolResults()
        for part in requests.approvals:
            about = requests.metadata.get(part.tool_call_id, {}).get(METADATA)
            if about is None:
                continue  # the tool's own question
            desk = self.desk(about["thread_id"])
            found = await self._decided(desk, part, max(0.0, until - time.monotonic()))
            if found is not None:
                results.approvals[part.tool_call_id] = found
        return results

    async def _decided(self, desk: PausingDesk, part: ToolCallPart, wait: float) -> ToolApproved | ToolDenied | None:
        planned = as_planned(part)
        try:
            await asyncio.to_thread(desk.look, planned)
        except WaitsForReview as waits:
            return await self._decided(desk, part, 0.0) if await waits.await_decision(wait) else None
        except Refused as held:
            # a person's answer is given where the tool would run, as its result
            return ToolDenied(held.text) if held.answered is None else ToolApproved()
        except Held as held:
            return ToolDenied(held.text)
        return ToolApproved()

    def _check(self, request: ModelRequestContext) -> None:
        hosted = sorted(tool.kind for tool in request.model_request_parameters.native_tools)
        if hosted and not self._allow_hosted:
            raise ConfigError(
                f"the provider carries out {hosted} by itself, before anybody is asked; give allow_hosted=True if that "
                "may happen without a verdict"
            )

    @property
    def _own_desk(self) -> PausingDesk:
        if self._desk is None:
            raise ConfigError("the guard is of no run yet: give it to an agent as a capability")
        return self._desk
