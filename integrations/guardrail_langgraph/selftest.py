"""Whether a handler keeps a tool from running, with this version of LangChain and in this set-up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, Final

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tools import StructuredTool

from guardrail.errors import CallBlocked, ConfigError

_NAME: Final = "guardrail_selftest"
_SETTINGS: Final = ("raise_error", "run_inline", "ignore_agent", "ignore_chain", "ignore_chat_model", "ignore_llm")
_HEARD: Final = ("on_tool_start", "on_chat_model_start", "on_chain_start", "on_llm_end")
_HARMLESS: Final = {
    "_Exception": "Exception tool",
    "invalid_tool": "Called when tool name is invalid. Suggests valid tool names.",
}
_blocking: set[tuple[object, ...]] = set()


def check_blocks(handler: BaseCallbackHandler) -> None:
    """Start a harmless tool that nobody planned, both ways, before this handler: once for each kind of it.

    Raises:
        ConfigError: the tool ran all the same, or the handler does not hear what it has to.
    """
    kind = (type(handler), *(getattr(handler, name) for name in _SETTINGS))
    if kind in _blocking:
        return
    if deaf := [name for name in _SETTINGS if name.startswith("ignore_") and getattr(handler, name)]:
        raise ConfigError(
            f"{type(handler).__name__} does not hear of what it guards: {', '.join(deaf)} must not be true"
        )
    if slow := [name for name in _HEARD if asyncio.iscoroutinefunction(getattr(handler, name))]:
        raise ConfigError(
            f"{type(handler).__name__}.{slow[0]} is asynchronous: LangChain swallows what it raises where a tool is "
            "started synchronously, and the blocked call would run. Write it as a plain method."
        )
    if _runs_before(handler):
        raise ConfigError(
            f"a tool ran although its callback handler had not let it (raise_error={handler.raise_error}, "
            f"run_inline={handler.run_inline}): blocked calls would run. Leave both as GuardrailCallbackHandler has "
            "them, call its on_tool_start, or use GuardrailMiddleware"
        )
    _blocking.add(kind)


def is_harmless(serialized: dict[str, Any] | None) -> bool:
    """Whether this is the tool by which ``AgentExecutor`` tells a model that its call cannot be read, or its name."""
    known = serialized or {}
    return known.get("name") in _HARMLESS and _HARMLESS[known["name"]] == known.get("description")


def _runs_before(handler: BaseCallbackHandler) -> bool:
    ran: list[str] = []

    def probe() -> str:
        ran.append("it")
        return "ran"

    async def aprobe() -> str:
        ran.append("it")
        return "ran"

    config: Any = {"callbacks": [handler]}
    about: dict[str, Any] = {"name": _NAME, "description": "Does nothing."}

    def start() -> None:
        with suppress(CallBlocked):
            StructuredTool.from_function(probe, **about).invoke({}, config)
        for tool in (
            StructuredTool.from_function(probe, **about),
            StructuredTool.from_function(coroutine=aprobe, **about),
        ):
            with suppress(CallBlocked):
                asyncio.run(tool.ainvoke({}, config))

    with _unlogged(type(handler).__name__), ThreadPoolExecutor(1) as thread:  # the caller may be in an event loop
        thread.submit(start).result()
    return bool(ran)


@contextmanager
def _unlogged(name: str) -> Iterator[None]:
    """LangChain warns of every exception of a handler; this one is wanted."""
    log = logging.getLogger("langchain_core.callbacks.manager")

    def keep(record: logging.LogRecord) -> bool:
        said = record.args if isinstance(record.args, tuple) else ()
        return name not in said or not any(str(one).startswith("ToolCallBlocked") for one in said)

    log.addFilter(keep)
    try:
        yield
    finally:
        log.removeFilter(keep)
