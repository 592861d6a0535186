"""Why a call does not run: exceptions whose words go to the model in the API's own shape."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from guardrail.errors import CallBlocked
from guardrail.review import WAITING, Queue
from guardrail.types import ToolCall, Verdict
from guardrail_openai.raw_calls import RawCall

if TYPE_CHECKING:
    from guardrail.store import Store

_SLICE_SECONDS = 1.0


class Held(CallBlocked):
    """A call that may not run now. ``text`` is for the model, ``verdict`` what was decided, where anything was."""

    def __init__(self, text: str, raw: RawCall, verdict: Verdict | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.verdict = verdict
        self._raw = raw

    @property
    def call(self) -> ToolCall:
        """The call, with its values as they are."""
        return self._raw.call

    @property
    def tool_message(self) -> dict[str, Any]:
        """The next message of chat completions: the tool's, with the words for the model."""
        return self._raw.message(self.text)

    @property
    def tool_output(self) -> dict[str, Any]:
        """The next input item of Responses, of the type that answers this call."""
        return self._raw.output(self.text)

    @property
    def message(self) -> dict[str, Any]:
        """Whichever of the two belongs to the API that the call is from."""
        return self._raw.answer(self.text)


class PlanAgain(Held):
    """The model was not sure: none of the step's calls may run, and the model plans it again."""


class Refused(Held):
    """The call does not run: a person rejected or answered it, or it cannot be told what was approved.

    ``answered`` is what a person said in the tool's place, None where nobody did.
    """

    def __init__(self, text: str, raw: RawCall, verdict: Verdict | None = None, *, answered: str | None = None) -> None:
        super().__init__(text, raw, verdict)
        self.answered = answered


class WaitsForReview(Held):
    """A person has to decide. ``review_id`` names the review; once it is decided, ``permit`` says what it came to."""

    def __init__(
        self, text: str, raw: RawCall, verdict: Verdict, *, review_id: str, store: Store, queue: Queue, wakes: bool
    ) -> None:
        super().__init__(text, raw, verdict)
        self.review_id = review_id
        self._store = store
        self._queue = queue
        self._wakes = wakes

    def wait(self, timeout: float) -> Any:
        """Wait at most so many seconds for a decision, or for the end of its time, and say whether it came.

        Of an asynchronous client it is awaited.
        """
        return self.await_decision(timeout) if self._wakes else self.wait_for_decision(timeout)

    def wait_for_decision(self, timeout: float) -> bool:
        """``wait`` of a synchronous client."""
        until = time.monotonic() + timeout
        while True:
            mark = self._store.change_mark()
            if self.decided():
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            # a deadline may pass without any change
            self._store.wait_for_change(min(left, _SLICE_SECONDS), since=mark)

    async def await_decision(self, timeout: float) -> bool:  # noqa: ASYNC109 - as the synchronous form
        """``wait`` of an asynchronous client: threads are held for a second at most, so it can be cancelled."""
        until = time.monotonic() + timeout
        while True:
            left = until - time.monotonic()
            if await asyncio.to_thread(self.wait_for_decision, max(0.0, min(left, _SLICE_SECONDS))):
                return True
            if left <= 0:
                return False

    def decided(self) -> bool:
        """Whether a person has decided, or nobody can any more."""
        self._queue.sweep()
        return self._queue.standing(self.review_id).state not in WAITING
