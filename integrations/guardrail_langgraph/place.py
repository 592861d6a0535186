"""Where the middleware stands in an agent, as far as it can be told from within: what comes after it, and beside it.

What comes after it could change a call after it was checked. LangChain hands each middleware a function that calls the
ones behind it; in these functions they are found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from langchain.agents.middleware import AgentMiddleware
from langgraph.config import get_config

from guardrail.errors import ConfigError

_INNER: Final = frozenset({"inner_handler", "call_inner"})
"""How langchain calls what is handed to a middleware that others come after."""
_BEHIND: Final = ("inner", "outer")
_HARMLESS: Final = frozenset(
    {
        "deepagents.UnsupportedContentMiddleware",
        "deepagents.MemoryMiddleware",
        "deepagents.SkillsMiddleware",
        "deepagents._LazyAnthropicPromptCachingMiddleware",
        "deepagents._ToolExclusionMiddleware",
        "langchain_anthropic.AnthropicPromptCachingMiddleware",
        "langchain_aws.BedrockPromptCachingMiddleware",
        "langchain_fireworks.FireworksPromptCachingMiddleware",
    }
)
"""What deepagents puts behind the middleware that it is given, by package and class. These shape the request, which is
caught where the model sends it, or refuse a call; none changes one."""
_STOCK: Final = "HumanInTheLoopMiddleware"
_MOST: Final = 200


def check_last(handler: Callable[..., Any]) -> None:
    """Whether nothing comes behind that could change the request, or the call, after it was looked at.

    Raises:
        ConfigError: something does, or it cannot be told what.
    """
    if getattr(handler, "__name__", "") not in _INNER:
        return
    behind = list(_behind(handler))
    others = [one for one in behind if one is None or _kind(one) not in _HARMLESS]
    if behind and not others:
        return
    names = ", ".join(dict.fromkeys(type(one).__name__ for one in others if one is not None))
    told = f" ({names})" if names else ""
    raise ConfigError(
        f"GuardrailMiddleware is not the last in middleware=[...]: what comes after it{told} could change the request "
        "or the call after it was checked. Put it last. Nothing was executed."
    )


def check_alone() -> None:
    """Whether LangChain's own human in the loop is not in the same agent.

    Raises:
        ConfigError: it is.
    """
    if any(f":{_STOCK}." in f":{name.rpartition(':')[2]}" for name in _channels()):
        raise ConfigError(
            f"{_STOCK} is in the same agent (deepagents adds it for interrupt_on=, and for permissions that "
            "interrupt): people would be asked twice, and what they edit there would reach the tool unchecked. Leave "
            "it out and give its setting to the guard: GuardrailMiddleware(model, interrupt_on=...). Nothing was "
            "executed."
        )


def check_sub_agents(tools: Sequence[Any], unguarded: Sequence[str]) -> None:
    """Whether deepagents' sub-agents have a guard of their own, or are named as doing without.

    Raises:
        ConfigError: one has none and is not named, or it cannot be told.
    """
    for specs in _sub_agents(tools):
        if specs is None:
            open_ones = [] if unguarded else ["(which ones cannot be told)"]
        else:
            open_ones = [name for name, spec in specs.items() if name not in unguarded and not _guarded(spec)]
        if open_ones:
            raise ConfigError(
                f"sub-agents without a guard of their own: {', '.join(open_ones)}. Their tools would run unchecked. "
                'Put the guard into their "middleware" (create_deep_agent(subagents=[...]); a spec named '
                '"general-purpose" takes the place of the built-in one), or name them in '
                "GuardrailMiddleware(unguarded=[...]). Nothing was executed."
            )


def shared_tools(tools: Sequence[Any], guard: AgentMiddleware[Any, Any, Any]) -> list[Any]:
    """The tools of the sub-agents in which the same guard stands: its policy is about them, too."""
    return [
        tool
        for specs in _sub_agents(tools)
        for spec in (specs or {}).values()
        if any(one is guard for one in spec.get("middleware") or ())
        for tool in spec.get("tools") or ()
    ]


def _sub_agents(tools: Sequence[Any]) -> Iterator[dict[str, Any] | None]:
    """What deepagents' task tools can call, by name; None where it cannot be told."""
    for tool in tools:
        function = getattr(tool, "func", None)
        if getattr(tool, "name", "") == "task" and _from(function, "deepagents"):
            found = next((one for name, one in _variables(function) if name == "subagents_by_name"), None)
            yield found if isinstance(found, dict) else None


def _guarded(spec: Any) -> bool:
    """Whether a sub-agent has a guard, among its middleware or in the graph that it was compiled to."""
    from guardrail_langgraph.middleware import GuardrailMiddleware
    from guardrail_langgraph.node import GuardrailNode

    if any(isinstance(one, GuardrailMiddleware) for one in spec.get("middleware") or ()):
        return True
    graph = spec.get("runnable")
    while hasattr(graph, "bound"):
        graph = graph.bound
    nodes = getattr(graph, "nodes", None)
    if not isinstance(nodes, Mapping):
        return False
    named = f"{GuardrailMiddleware.__name__}."
    return any(name.startswith(named) or isinstance(node.bound, GuardrailNode) for name, node in nodes.items())


def _behind(handler: Callable[..., Any]) -> Iterator[AgentMiddleware[Any, Any, Any] | None]:
    """The middleware behind a handler, None for one that is not known."""
    pending: list[Any] = [dict(_closure(handler)).get("inner")]
    for _ in range(_MOST):
        if not pending:
            return
        found = pending.pop()
        while hasattr(found, "__wrapped__"):
            found = found.__wrapped__
        owner = getattr(found, "__self__", None)
        inside = dict(_closure(found))
        if isinstance(owner, AgentMiddleware):
            yield owner
        elif all(name in inside for name in _BEHIND):
            pending += [inside[name] for name in _BEHIND]
        else:
            yield None
    yield None


def _closure(function: Any) -> Iterator[tuple[str, Any]]:
    names = getattr(getattr(function, "__code__", None), "co_freevars", ())
    for name, cell in zip(names, getattr(function, "__closure__", None) or (), strict=False):
        with suppress(ValueError):  # a cell that is not filled yet
            yield name, cell.cell_contents


def _variables(function: Any) -> Iterator[tuple[str, Any]]:
    """The variables that a function closes over, and those that the functions among them do."""
    pending, seen = [function], set[int]()
    while pending and len(seen) < _MOST:
        one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        for name, value in _closure(one):
            yield name, value
            if callable(value) and hasattr(value, "__closure__"):
                pending.append(value)


def _kind(middleware: AgentMiddleware[Any, Any, Any]) -> str:
    kind = type(middleware)
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def _from(function: Any, package: str) -> bool:
    return str(getattr(function, "__module__", "")).partition(".")[0] == package


def _channels() -> list[str]:
    """Names of the channels of the graph that runs: among them one for each of its nodes."""
    with suppress(Exception):
        read = get_config()["configurable"]["__pregel_read"]
        return [str(name) for name in read.args[1]]
    return []
