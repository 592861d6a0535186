"""``guarded``: an agent of the SDK, and all that it hands over to, with the guard in front of their tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents import (
    Agent,
    CodeInterpreterTool,
    FileSearchTool,
    FunctionTool,
    Handoff,
    HostedMCPTool,
    ImageGenerationTool,
    ModelProvider,
    MultiProvider,
    WebSearchTool,
    handoff,
)
from agents.strict_schema import ensure_strict_json_schema

from guardrail.desk import Desk
from guardrail.engine import AsyncGuard
from guardrail.errors import ConfigError
from guardrail.policy import Policy
from guardrail.sampling import RepeatingSampler
from guardrail.store import Store, open_store
from guardrail_openai.agents.model import GuardedModel, Seat
from guardrail_openai.agents.tools import guarded_tool
from guardrail_openai.agents.turns import tool_spec

_NO_INPUT: tuple[dict[str, Any], ...] = ({}, ensure_strict_json_schema({}))
_HOSTED = (CodeInterpreterTool, FileSearchTool, HostedMCPTool, ImageGenerationTool, WebSearchTool)


def guarded(
    agent: Agent[Any],
    *,
    thread_id: str,
    policy: Policy | str | None = None,
    store: Store | str | None = None,
    namespace: str = "",
    annotations: Mapping[str, Mapping[str, Any]] | None = None,
    sampler: Any = None,
    entailment: Any = None,
    temperature: float | None = 1.0,
    model_provider: ModelProvider | None = None,
    allow_hosted: bool = False,
    **options: Any,
) -> Agent[Any]:
    """A copy of the agent for one conversation; the agents that it hands over to are guarded copies, too.

    Its model samples every step that it plans, and each function tool runs only what the guard or a person let run,
    once. What a person has to decide interrupts the run; ``resume`` brings the decision of our queue into its state.
    Use the agent's own model: a model that the run's configuration names goes past the guard, and then nothing runs.

    Args:
        agent: the agent, with all its tools.
        thread_id: which conversation this is; the calls of a saved state are found by it.
        policy: what each tool's stakes ask for, or the path of its file.
        store: where records and reviews are kept, or its address; by default in memory.
        namespace: where in the conversation, if several runs share it.
        annotations: MCP annotations of tools, by name.
        sampler: draws steps again (an ``AsyncSampler``); by default through the agent's model.
        entailment: judges free texts that differ.
        temperature: of the samples; None keeps the plan's, for models that take none.
        model_provider: finds models by name, as that of the run's configuration does.
        allow_hosted: let tools pass that the provider carries out by itself, which nobody can hold.
        options: of ``guardrail.AsyncGuard``.

    Raises:
        ConfigError: calls of one of its tools could not be held, or the policy cannot be used or does not fit
            its tools.
    """
    kept = open_store(store or "memory://") if isinstance(store, str | None) else store
    draws = RepeatingSampler("agents", temperature=temperature) if sampler is None else sampler
    guard = AsyncGuard(Policy.of(policy), draws, kept, entailment=entailment, **options)
    tenant = str(options.get("tenant", ""))
    seat = Seat(
        guard=guard,
        desk=Desk(guard, thread_id=thread_id, namespace=namespace, tenant=tenant, wakes=True),
        provider=model_provider or MultiProvider(),
        allow_hosted=allow_hosted,
        annotations=annotations or {},
    )
    copies: dict[int, Agent[Any]] = {}
    first = _guarded(agent, seat, copies)
    tools = {tool.name: tool for one in copies.values() for tool in one.tools if isinstance(tool, FunctionTool)}
    guard.policy.check(tuple(tool_spec(tool, seat.annotations) for tool in tools.values()))
    return first


def _guarded(agent: Agent[Any], seat: Seat, copies: dict[int, Agent[Any]]) -> Agent[Any]:
    if id(agent) in copies:
        return copies[id(agent)]
    _check(agent, seat)
    copy = agent.clone(
        model=GuardedModel(agent.model, seat),
        tools=[guarded_tool(tool, seat.desk) if isinstance(tool, FunctionTool) else tool for tool in agent.tools],
    )
    copies[id(agent)] = copy
    copy.handoffs = [_handed(one, seat, copies) for one in agent.handoffs]
    return copy


def _handed(one: Any, seat: Seat, copies: dict[int, Agent[Any]]) -> Any:
    if isinstance(one, Agent):
        return _guarded(one, seat, copies)
    reference = getattr(one, "_agent_ref", None)
    target = reference() if callable(reference) else None
    if not isinstance(one, Handoff) or not isinstance(target, Agent):
        raise ConfigError(f"the handoff {getattr(one, 'tool_name', one)!r} does not say to which agent: use handoff()")
    if one.input_json_schema not in _NO_INPUT:
        raise ConfigError(
            f"the handoff {one.tool_name!r} acts on arguments of the model's, and the SDK lets nothing hold a handoff: "
            "put what its on_handoff does into a function tool"
        )
    inner: Any = one.on_invoke_handoff

    async def on_handoff(context: Any) -> None:
        # whatever was to happen; the agent that it returns is the one without the guard
        await inner(context, "")

    return handoff(
        _guarded(target, seat, copies),
        tool_name_override=one.tool_name,
        tool_description_override=one.tool_description,
        on_handoff=on_handoff,
        input_filter=one.input_filter,  # type: ignore[arg-type]
        nest_handoff_history=one.nest_handoff_history,
        is_enabled=one.is_enabled,
    )


def _check(agent: Agent[Any], seat: Seat) -> None:
    """Refuse what would run without a verdict."""
    if isinstance(agent.model, GuardedModel):
        raise ConfigError(f"the agent {agent.name!r} is guarded already: guard the one that it was made of")
    if type(agent) is not Agent:
        raise ConfigError(
            f"the agent {agent.name!r} is a {type(agent).__name__}, which may make tools of its own within a run: give "
            "an Agent"
        )
    if agent.mcp_servers:
        raise ConfigError(
            f"the tools of the agent {agent.name!r}'s MCP servers are made within each run, where nothing can stand in "
            "front of them: put the guard in front of the servers, with `guardrail mcp`"
        )
    if agent.prompt is not None and not seat.allow_hosted:
        raise ConfigError(
            f"the agent {agent.name!r} has a stored prompt, which may have tools that the provider carries out by "
            "itself; give allow_hosted=True if that may happen without a verdict"
        )
    for tool in agent.tools:
        _check_tool(agent, tool, seat)


def _check_tool(agent: Agent[Any], tool: Any, seat: Seat) -> None:
    name = getattr(tool, "name", type(tool).__name__)
    if isinstance(tool, FunctionTool):
        if getattr(tool, "_is_agent_tool", False):
            raise ConfigError(
                f"the tool {name!r} of {agent.name!r} is an agent: its own calls would run without a verdict, and one "
                "that waits would start it again. Hand over to that agent instead"
            )
        return
    if not isinstance(tool, _HOSTED):
        raise ConfigError(
            f"the tool {name!r} of {agent.name!r} is a {type(tool).__name__}, to which the SDK gives no tool "
            "guardrail: use a function tool"
        )
    if not seat.allow_hosted:
        raise ConfigError(
            f"the provider carries out the tool {name!r} of {agent.name!r} by itself, before anybody is asked; give "
            "allow_hosted=True if that may happen without a verdict"
        )
