"""``guardrail resume``: takes decided reviews from the queue and resumes their threads, from any process."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from langgraph.types import Command, Interrupt

from guardrail.errors import ConfigError
from guardrail.review import Queue
from guardrail.store import open_store
from guardrail.types import Review, ReviewState
from guardrail_langgraph.answers import as_answer

_STRICT = "__pregel_strict_resume"
_GRACE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """What became of one decided review: resumed, superseded, or waiting for its interrupt to be saved."""

    review: Review
    outcome: str


async def resume_decided(graph: Any, queue: Queue, *, now: Callable[[], datetime] | None = None) -> list[Resumed]:
    """Resume every thread of ``graph`` that has decided reviews, each interrupt by its id.

    A decided review whose thread no longer waits for it is closed as superseded, after a minute's grace:
    it may have been decided before its interrupt was saved.
    """
    clock = now or (lambda: datetime.now(UTC))
    done: list[Resumed] = []
    threads: dict[str, list[Review]] = {}
    for review in await asyncio.to_thread(queue.in_states, frozenset({ReviewState.DECIDED})):
        threads.setdefault(review.thread_id, []).append(review)
    for thread_id, reviews in threads.items():
        done += await _resume_thread(graph, queue, thread_id, reviews, clock)
    return done


async def _resume_thread(
    graph: Any, queue: Queue, thread_id: str, reviews: Iterable[Review], clock: Callable[[], datetime]
) -> list[Resumed]:
    config: dict[str, Any] = {"configurable": {"thread_id": thread_id}}
    asked = _asked((await _state(graph, config)).interrupts)
    answers: dict[str, Any] = {}
    done: list[Resumed] = []
    for review in reviews:
        interrupt = asked.get(review.id)
        if interrupt is not None and review.decision is not None:
            answers[interrupt.id] = as_answer(review.decision, review.call.name)
            config["configurable"]["reviewer"] = review.decision.by
            done.append(Resumed(review=review, outcome="resumed"))
        elif (clock() - datetime.fromisoformat(review.at)).total_seconds() < _GRACE_SECONDS:
            done.append(Resumed(review=review, outcome="waiting"))
        else:
            await asyncio.to_thread(queue.supersede, review.id, by="resume", note="its thread no longer waits for it")
            done.append(Resumed(review=review, outcome="superseded"))
    if answers:
        config["configurable"][_STRICT] = True
        await _run(graph, Command(resume=answers), config)
    return done


def _asked(interrupts: Iterable[Interrupt]) -> dict[str, Interrupt]:
    found: dict[str, Interrupt] = {}
    for interrupt in interrupts:
        evidence = interrupt.value.get("guard") if isinstance(interrupt.value, dict) else None
        if isinstance(evidence, dict) and isinstance(evidence.get("review_id"), str):
            found[evidence["review_id"]] = interrupt
    return found


def _asynchronous(graph: Any) -> bool:
    """Whether the graph's checkpointer works in an event loop only."""
    return type(graph.checkpointer).__name__.startswith("Async")


async def _state(graph: Any, config: dict[str, Any]) -> Any:
    if _asynchronous(graph):
        return await graph.aget_state(config)
    return await asyncio.to_thread(graph.get_state, config)


async def _run(graph: Any, command: Command[Any], config: dict[str, Any]) -> None:
    if _asynchronous(graph):
        await graph.ainvoke(command, config)
    else:
        await asyncio.to_thread(graph.invoke, command, config)


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
        if where.endswith(".py"):
            path = Path(where)
            loader = importlib.util.spec_from_file_location(path.stem, path)
            if not path.is_file() or loader is None or loader.loader is None:
                raise ConfigError(f"there is no file {where}. Check the path in --graph {spec}.")
            module = importlib.util.module_from_spec(loader)
            sys.modules[path.stem] = module
            loader.loader.exec_module(module)
        else:
            sys.path.insert(0, str(Path.cwd()))
            module = importlib.import_module(where)
    except ImportError as error:
        raise ConfigError(f"{where} could not be imported: {error}") from error
    if not hasattr(module, name):
        raise ConfigError(f"{where} has no {name!r}. Check --graph {spec}.")
    return getattr(module, name)


def _checked(graph: Any, spec: str) -> Any:
    if isinstance(graph, type) or not hasattr(graph, "get_state") or getattr(graph, "checkpointer", None) is None:
        raise ConfigError(f"{spec} is not a compiled graph with a checkpointer, so there is nothing to resume.")
    return graph


@click.command()
@click.option("--graph", "spec", required=True, help="The graph: module:name or path/to/file.py:name.")
@click.option("--watch", is_flag=True, help="Go on until interrupted, instead of once.")
@click.option("--every", default=2.0, show_default=True, help="Seconds between looks, with --watch.")
@click.pass_context
def resume(context: click.Context, spec: str, every: float, *, watch: bool) -> None:
    """Resume the threads whose reviews are decided."""
    store = open_store(context.obj["store"])
    try:
        asyncio.run(_resume_all(spec, Queue(store), every if watch else None))
    finally:
        store.close()


async def _resume_all(spec: str, queue: Queue, every: float | None) -> None:
    async with opened(spec) as graph:
        while True:
            started = time.monotonic()
            for one in await resume_decided(graph, queue):
                if one.outcome != "waiting" or every is None:
                    decision = one.review.decision.type.value if one.review.decision else "-"
                    click.echo(f"{one.outcome} {one.review.id[:12]} {one.review.call.name} ({decision})")
            if every is None:
                return
            await asyncio.sleep(max(0.0, every - (time.monotonic() - started)))
