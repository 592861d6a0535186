"""``guarded``: an agent of LlamaIndex, or a workflow of several, with the guard in front of their tools."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import cache
from typing import Any, TypeVar, cast

from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ToolCall, ToolCallResult
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import BaseTool
from llama_index.core.workflow import Context, step

from guardrail.desk import PausingDesk
from guardrail.engine import AsyncGuard
from guardrail.errors import ConfigError
from guardrail.policy import Policy
from guardrail.sampling import RepeatingSampler
from guardrail.store import Store, open_store
from guardrail_llama_index.events import ReviewDecided, ReviewRequired
from guardrail_llama_index.llm import GuardedLLM, Seat
from guardrail_llama_index.tools import CALL_ID, GuardedTool
from guardrail_llama_index.turns import tool_spec

A = TypeVar("A", FunctionAgent, AgentWorkflow)


def guarded(
    agent: A,
    *,
    thread_id: str,
    policy: Policy | str | None = None,
    store: Store | str | None = None,
    namespace: str = "",
    annotations: Mapping[str, Mapping[str, Any]] | None = None,
    sampler: Any = None,
    entailment: Any = None,
    temperature: float | None = 1.0,
    wait: float = 0.0,
    **options: Any,
) -> A:
    """A copy of the agent for one conversation; of a workflow all agents are guarded copies.

    Its LLM samples every step that it plans, and each tool runs only what the guard or a person let run, once. What a
    person has to decide is the event ``ReviewRequired``, and the workflow waits; ``resume`` makes it look again.

    Args:
        agent: an agent that calls functions, with all its tools, or a workflow of such agents.
        thread_id: which conversation this is; the calls of a saved context are found by it.
        policy: what each tool's stakes ask for, or the path of its file.
        store: where records and reviews are kept, or its address; by default in memory.
        namespace: where in the conversation, if several runs share it.
        annotations: MCP annotations of tools, by name.
        sampler: draws steps again (an ``AsyncSampler``); by default through the agent's LLM.
        entailment: judges free texts that differ.
        temperature: of the samples; None keeps the plan's, for models that take none.
        wait: how many seconds a call itself waits for people, before it says that it does.
        options: of ``guardrail.AsyncGuard``.

    Raises:
        ConfigError: calls of one of its tools could not be held, or the policy cannot be used or does not fit
            its tools.
    """
    kept = open_store(store or "memory://") if isinstance(store, str | None) else store
    draws = RepeatingSampler("llama-index", temperature=temperature) if sampler is None else sampler
    guard = AsyncGuard(Policy.of(policy), draws, kept, entailment=entailment, **options)
    tenant = str(options.get("tenant", ""))
    desk = PausingDesk(guard, thread_id=thread_id, namespace=namespace, tenant=tenant, wakes=True)
    seat = Seat(guard=guard, desk=desk, annotations=annotations or {})
    agents = agent.agents if isinstance(agent, AgentWorkflow) else {"": agent}
    copies = {name: _guarded(one, seat, desk, wait) for name, one in agents.items()}
    tools: list[Any] = [tool for one in copies.values() for tool in one.tools]
    specs = {str(tool.metadata.name): tool_spec(tool, seat.annotations) for tool in tools}
    guard.policy.check(tuple(specs.values()))
    if not isinstance(agent, AgentWorkflow):
        return cast("A", copies[""])
    workflow = copy(agent)
    workflow.__class__ = _telling(type(agent))
    workflow.agents = copies
    return workflow


async def resume(agent: Any, context: Context, event: ReviewRequired, *, wait: float = 0.0) -> bool:
    """Make a call that waits look into our queue, where it has been decided on; and say whether it has.

    An approval is used up by the tool when it starts, not by this: however often a context is resumed, its call runs
    once.

    Args:
        agent: the guarded agent or workflow.
        context: of its run: ``handler.ctx``, also after ``agent.run(ctx=Context.from_dict(agent, saved))``.
        event: what the run said.
        wait: how many seconds to wait for a decision at most.
    """
    llm = next(iter(agent.agents.values())).llm if isinstance(agent, AgentWorkflow) else getattr(agent, "llm", None)
    if not isinstance(llm, GuardedLLM):
        raise ConfigError("the agent is not guarded: give resume what guarded() returned")
    if not await llm.seat.decided(event.review_id, wait):
        return False
    context.send_event(ReviewDecided(review_id=event.review_id))
    return True


def _guarded(agent: Any, seat: Seat, desk: PausingDesk, wait: float) -> Any:
    name = getattr(agent, "name", agent)
    if not isinstance(agent, FunctionAgent):
        raise ConfigError(
            f"the agent {name!r} is a {type(agent).__name__}, which plans in words that are no calls of the model's: "
            "use a FunctionAgent"
        )
    if isinstance(agent.llm, GuardedLLM):
        raise ConfigError(f"the agent {name!r} is guarded already: guard the one that it was made of")
    if not isinstance(agent.llm, FunctionCallingLLM):
        raise ConfigError(f"the LLM of the agent {name!r} calls no functions")
    if agent.tool_retriever is not None:
        raise ConfigError(
            f"the agent {name!r} finds tools within a run, where nothing can stand in front of them: give it its tools"
        )
    made = agent.model_copy(
        update={
            "llm": GuardedLLM.around(agent.llm, seat),
            # functions were made tools when the agent was made
            "tools": [GuardedTool(tool, desk, wait=wait) for tool in agent.tools or [] if isinstance(tool, BaseTool)],
        }
    )
    made.__class__ = _telling(type(agent))
    return made


@cache
def _telling(kind: Any) -> Any:
    """The kind of agent or workflow, whose tools are told which call they are started for."""

    class Telling(kind):  # type: ignore[misc]  # not known before
        @step
        async def call_tool(self, ctx: Context, ev: ToolCall) -> ToolCallResult:
            token = CALL_ID.set(ev.tool_id)
            try:
                result: ToolCallResult = await super().call_tool(ctx, ev)
            finally:
                CALL_ID.reset(token)
            return result

    Telling.__name__, Telling.__qualname__ = kind.__name__, kind.__qualname__
    return Telling
