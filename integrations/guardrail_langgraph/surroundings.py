"""What LangChain's own settings are shown beside a call: the agent's state and runtime, as they are when it is planned.

Predicates (``when``) and descriptions of ``interrupt_on`` are written for ``HumanInTheLoopMiddleware``, which hands
them these. Predicates are asked once, when the step is assessed; what they said then stays said on resume.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

from langgraph.prebuilt.tool_node import ToolRuntime
from langgraph.runtime import Runtime, get_runtime

from guardrail.policy.interrupt_on import surroundings
from guardrail.types import ToolCall
from guardrail_langgraph.configuration import running_config

Descriptions = Mapping[str, str | Callable[..., str]]


@contextmanager
def around(state: Any) -> Iterator[None]:
    """Within it, predicates of ``interrupt_on`` are shown this state and the runtime of the node that runs."""
    runtime, config = _runtime(), running_config()

    def shown(tool_call: Mapping[str, Any]) -> dict[str, Any]:
        given = {name: getattr(runtime, name) for name in _SHARED if hasattr(runtime, name)}
        own = {"state": state, "config": config, "tool_call_id": tool_call["id"]}
        return {"state": state, "runtime": ToolRuntime(**{**_NOTHING, **given, **own})}

    token = surroundings.set(shown)
    try:
        yield
    finally:
        surroundings.reset(token)


def descriptions(interrupt_on: Mapping[str, Any]) -> Descriptions:
    """What ``interrupt_on`` says about the calls of each tool, for whoever decides."""
    return {
        name: entry["description"]
        for name, entry in interrupt_on.items()
        if isinstance(entry, Mapping) and entry.get("description") is not None
    }


def described(by: Descriptions, call: ToolCall, state: Any) -> str:
    """The description of a call, as it is shown to people: what is hidden of it stays so. '' where there is none.

    One that fails says so, and the call is asked about all the same.
    """
    said = by.get(call.name, "")
    if not callable(said):
        return str(said)
    try:
        tool_call = {"name": call.name, "args": call.arguments, "id": call.id, "type": "tool_call"}
        return str(said(tool_call, state, _runtime()))
    except Exception as error:  # noqa: BLE001 - somebody else's function may raise anything
        return f"(The description of this call failed: {type(error).__name__}.)"


def _runtime() -> Any:
    try:
        return get_runtime()
    except (RuntimeError, KeyError):
        return Runtime()


_SHARED = tuple(
    one.name for one in fields(ToolRuntime) if one.name in {own.name for own in fields(Runtime)} - {"state", "config"}
)
_NOTHING: dict[str, Any] = {"context": None, "store": None, "stream_writer": lambda _: None}
