"""The context in which a permitted call runs."""

from __future__ import annotations

import asyncio

from guardrail.engine import Permit
from guardrail_openai.desk import Desk
from guardrail_openai.held import Refused, WaitsForReview
from guardrail_openai.raw_calls import RawCall


class Permitting:
    """``with`` and ``async with``. Leaving it writes down that the call has run, and whether it raised."""

    def __init__(self, desk: Desk, raw: RawCall, *, record_id: str = "", seen: bool = True) -> None:
        self.raw = raw
        self._desk = desk
        self._record_id = record_id
        self._seen = seen
        self._permit: Permit | None = None

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
            raise Refused("Not executed: the guard has not seen this response.", self.raw)
        return self._desk.let(self.raw, record_id=self._record_id)

    def _leave(self, kind: type[BaseException] | None) -> None:
        permit, self._permit = self._permit, None
        if permit is not None:
            self._desk.done(permit, note="" if kind is None else f"the tool raised {kind.__name__}")
