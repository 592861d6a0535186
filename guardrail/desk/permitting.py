"""The context in which a permitted call runs."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Mapping
from typing import Any

from guardrail.desk.desk import Desk
from guardrail.desk.held import Planned, WaitsForReview
from guardrail.engine import Permit
from guardrail.errors import ConfigError
from guardrail.types import ToolCall

Tools = Callable[..., Any] | Mapping[str, Callable[..., Any]]


class Permitting:
    """``with`` and ``async with``: gives the ``Permit``, whose ``call`` has the arguments as they may run, and ``key``
    the idempotency key. Entering takes the call's single use; leaving writes down that it has run, and whether it
    raised.

    Args:
        desk: where it is let through.
        call: as it was planned.
        record_id: of which record it is; by default the newest of exactly this call.
        seen: False where it is known that the guard has not seen it, so that it is refused.

    Raises:
        PlanAgain, WaitsForReview, Refused: on entering; it may not run, or not yet.
    """

    def __init__(self, desk: Desk, call: ToolCall | Planned, *, record_id: str = "", seen: bool = True) -> None:
        self.planned = Planned.plain(call)
        self._desk = desk
        self._record_id = record_id
        self._seen = seen
        self._permit: Permit | None = None

    @property
    def call(self) -> ToolCall:
        """The call as it was planned."""
        return self.planned.call

    def enter(self, wait: float | None = None) -> Permit:
        """Take the permit, after at most ``wait`` seconds for a person. Entering afterwards gives the same one."""
        until = time.monotonic() + (wait or 0.0)
        while self._permit is None:
            try:
                self._permit = self._let()
            except WaitsForReview as waits:  # once more where the decision is an edit on which others decide
                if (left := until - time.monotonic()) <= 0 or not waits.wait_for_decision(left):
                    raise
        return self._permit

    async def aenter(self, wait: float | None = None) -> Permit:
        """The same, asynchronously."""
        until = time.monotonic() + (wait or 0.0)
        while self._permit is None:
            try:
                self._permit = await asyncio.to_thread(self._let)
            except WaitsForReview as waits:
                if (left := until - time.monotonic()) <= 0 or not await waits.await_decision(left):
                    raise
        return self._permit

    def run(self, tools: Tools, *, wait: float | None = None) -> Any:
        """What the call's tool gives. ``tools`` is the function, or functions by name; they are given the arguments by
        name. ``wait`` is for how many seconds to wait for a person. What a tool raises is raised.

        Raises:
            PlanAgain, WaitsForReview, Refused: it may not run, or not yet.
            ConfigError: it may, but there is no function for it, or one that is to be awaited; no approval is used up.
        """
        function = self._function(tools)
        if inspect.iscoroutinefunction(function):
            raise ConfigError(f"{self.call.name} is asynchronous, and would not run: use an asynchronous client")
        self.enter(wait)
        with self as permit:
            return function(**permit.call.arguments)

    async def arun(self, tools: Tools, *, wait: float | None = None) -> Any:
        """``run``, asynchronously; tools that want to be awaited are."""
        function = await asyncio.to_thread(self._function, tools)
        await self.aenter(wait)
        async with self as permit:
            value = function(**permit.call.arguments)
            return await value if inspect.isawaitable(value) else value

    def __enter__(self) -> Permit:
        return self.enter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._leave(kind)

    async def __aenter__(self) -> Permit:
        return await self.aenter()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        await asyncio.to_thread(self._leave, kind)

    def _let(self) -> Permit:
        self._check_seen()
        return self._desk.let(self.planned, record_id=self._record_id)

    def _check_seen(self) -> None:
        if not self._seen:
            raise self._desk.kinds.refused("Not executed: the guard has not seen this response.", self.planned)

    def _function(self, tools: Tools) -> Callable[..., Any]:
        if callable(tools):
            return tools
        if self.call.name in tools:
            return tools[self.call.name]
        self._check_seen()
        self._desk.look(self.planned, record_id=self._record_id)  # a tool that does not exist is planned again
        raise ConfigError(f"there is no function for {self.call.name!r} among the tools that run was given")

    def _leave(self, kind: type[BaseException] | None) -> None:
        permit, self._permit = self._permit, None
        if permit is not None:
            self._desk.done(permit, note="" if kind is None else f"the tool raised {kind.__name__}")
