"""The records of one conversation: which one a call is of, and how often its step was sent back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from guardrail.review import planned_as
from guardrail.types import Record, Route, ToolCall

if TYPE_CHECKING:
    from guardrail.store import Store

_PAGE: Final = 50
_MOST: Final = 1000
_RECENT: Final = 20


@dataclass(frozen=True, kw_only=True)
class Records:
    """Of a thread, in one namespace and of one tenant, the newest first; at most the last thousand of the thread."""

    store: Store
    thread_id: str
    namespace: str
    tenant: str

    def attempt(self, answered: Collection[str]) -> int:
        """How often a step was sent back before, by the ids of the calls that its request answers."""
        if not answered:
            return 0
        for record in self._newest(_RECENT):
            if any(call.id in answered for call in record.planned.calls):
                return record.attempt + 1 if record.verdict.route is Route.RETRY else 0
        return 0

    def find(self, call: ToolCall) -> Record | None:
        """The newest record of exactly this call, else the newest that has a call of its id."""
        named: Record | None = None
        for record in self._newest(_MOST):
            verdict = record.verdict.verdict(call.id)
            if verdict is None:
                continue
            if planned_as(verdict, self.thread_id, call.name, call.arguments):
                return record
            named = named or record
        return named

    def step(self, step_id: str, calls: Sequence[ToolCall]) -> Record | None:
        """The newest record of a step with exactly these calls."""
        for record in self._newest(_MOST):
            if record.step_id == step_id and len(record.verdict.verdicts) == len(calls):
                pairs = zip(record.verdict.verdicts, calls, strict=True)
                if all(planned_as(one, self.thread_id, call.name, call.arguments) for one, call in pairs):
                    return record
        return None

    def _newest(self, most: int) -> Iterator[Record]:
        before: str | None = None
        for _ in range(0, most, _PAGE):
            page = self.store.records(thread_id=self.thread_id, limit=min(_PAGE, most), before=before)
            for record in page:
                if record.namespace == self.namespace and record.tenant == self.tenant:
                    yield record
            if len(page) < _PAGE:
                return
            before = page[-1].id
