"""The context in which a permitted call runs."""

from __future__ import annotations

import asyncio

from guardrail.desk.desk import Desk
from guardrail.desk.held import Planned, WaitsForReview
from guardrail.engine import Permit
from guardrail.types import ToolCall


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
        if self._permit is None:
            try:
                self._permit = self._let()
            except WaitsForReview as waits:
                if not wait or not waits.wait_for_decision(wait):
                    raise
                self._permit = self._let()
        return self._permit

    async def aenter(self, wait: float | None = None) -> Permit:
        """The same, asynchronously."""
        if self._permit is None:
            try:
                self._permit = await asyncio.to_thread(self._let)
            except WaitsForReview as waits:
                if not wait or not await waits.await_decision(wait):
                    raise
                self._permit = await asyncio.to_thread(self._let)
        return self._permit

    def __enter__(self) -> Permit:
        return self.enter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._leave(kind)

    async def __aenter__(self) -> Permit:
        return await self.aenter()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        await asyncio.to_thread(self._leave, kind)

    def _let(self) -> Permit:
        if not self._seen:
            raise self._desk.kinds.refused("Not executed: the guard has not seen this response.", self.planned)
        return self._desk.let(self.planned, record_id=self._record_id)

    def _leave(self, kind: type[BaseException] | None) -> None:
        permit, self._permit = self._permit, None
        if permit is not None:
            self._desk.done(permit, note="" if kind is None else f"the tool raised {kind.__name__}")
