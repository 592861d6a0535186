"""The graphs that a worker resumes: found by import path, and run as their checkpointer and nodes ask for."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.types import Interrupt

from guardrail.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A compiled graph and the name that it was given."""

    name: str
    graph: Any

    async def state(self, thread_id: str) -> Any:
        """Where the thread stands, as this graph reads it."""
        config = {"configurable": {"thread_id": thread_id}}
        if _needs_loop(self.graph):
            return await self.graph.aget_state(config)
        return await asyncio.to_thread(self.graph.get_state, config)

    async def run(self, given: Any, config: dict[str, Any]) -> None:
        """Run the thread until it ends or waits again, each step saved before the next one begins."""
        if _needs_loop(self.graph):
            await self.graph.ainvoke(given, config, durability="sync")
        else:
            await asyncio.to_thread(self.graph.invoke, given, config, durability="sync")


def asked(interrupts: Iterable[Interrupt]) -> dict[str, Interrupt]:
    """The interrupts that stand for reviews, by the review's id."""
    found: dict[str, Interrupt] = {}
    for interrupt in interrupts:
        evidence = interrupt.value.get("guard") if isinstance(interrupt.value, dict) else None
        if isinstance(evidence, dict) and isinstance(evidence.get("review_id"), str):
            found[evidence["review_id"]] = interrupt
    return found


def coming(interrupts: Iterable[Interrupt]) -> frozenset[str]:
    """The reviews that are asked about once these interrupts are answered, by id."""
    return frozenset(
        review_id
        for interrupt in asked(interrupts).values()
        for review_id in interrupt.value["guard"].get("coming", ())
    )


@asynccontextmanager
async def opened(spec: str) -> AsyncIterator[Any]:
    """The compiled graph that ``module:name`` or ``path/to/file.py:name`` names.

    The name is the graph, or a function that returns it, plain, as coroutine, or as (async) context manager.

    Raises:
        ConfigError: nothing usable is there; the message says what was found.
    """
    found = _load(spec)
    if not hasattr(found, "get_state") and callable(found) and not isinstance(found, type):
        found = _called(found, spec)
    if inspect.isawaitable(found):
        found = await found
    if isinstance(found, AbstractAsyncContextManager):
        async with found as graph:
            yield _checked(graph, spec)
    elif isinstance(found, AbstractContextManager) and not hasattr(found, "get_state"):
        with found as graph:
            yield _checked(graph, spec)
    else:
        yield _checked(found, spec)


def _needs_loop(graph: Any) -> bool:
    """Whether the graph's checkpointer, or one of its nodes or tools, works in an event loop only."""
    kind = type(graph.checkpointer)
    if kind.__name__.startswith("Async") or getattr(kind, "get_tuple", None) is BaseCheckpointSaver.get_tuple:
        return True
    return any(_asynchronous(node.bound) for node in getattr(graph, "nodes", {}).values())


def _asynchronous(bound: Any) -> bool:
    if getattr(bound, "afunc", None) is not None and getattr(bound, "func", None) is None:
        return True
    tools = getattr(bound, "tools_by_name", None) or {}
    return any(
        getattr(tool, "coroutine", None) is not None and getattr(tool, "func", None) is None for tool in tools.values()
    )


def _called(factory: Callable[..., Any], spec: str) -> Any:
    try:
        inspect.signature(factory).bind()
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{spec} is not a compiled graph, and cannot be called without arguments ({error})."
        ) from None
    return factory()


def _load(spec: str) -> Any:
    where, _, name = spec.rpartition(":")
    if not where or not name:
        raise ConfigError(f"{spec!r} names no graph. Write module:name or path/to/file.py:name.")
    try:
        module = _from_file(Path(where), spec) if where.endswith(".py") else _imported(where)
    except ImportError as error:
        raise ConfigError(f"{where} could not be imported: {error}") from error
    if not hasattr(module, name):
        raise ConfigError(f"{where} has no {name!r}. Check --graph {spec}.")
    return getattr(module, name)


def _imported(where: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    return importlib.import_module(where)


def _from_file(path: Path, spec: str) -> Any:
    """The module in a file; one file is one module, however many of its graphs are asked for."""
    loaded = sys.modules.get(path.stem)
    if loaded is not None and Path(getattr(loaded, "__file__", None) or ".").resolve() == path.resolve():
        return loaded
    found = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or found is None or found.loader is None:
        raise ConfigError(f"there is no file {path}. Check the path in --graph {spec}.")
    module = importlib.util.module_from_spec(found)
    sys.modules[path.stem] = module
    found.loader.exec_module(module)
    return module


def _checked(graph: Any, spec: str) -> Any:
    if isinstance(graph, type) or not hasattr(graph, "get_state") or getattr(graph, "checkpointer", None) is None:
        raise ConfigError(f"{spec} is not a compiled graph with a checkpointer, so there is nothing to resume.")
    return graph
