"""What happened in a test, in the order in which it happened, as a trace for agentack's rules on approvals.

The tape takes down what is written to a store (a step that was assessed, a review that was opened or changed) and, from
the tools themselves, what ran. Nothing on it comes from the code that decides whether a call may run. What is hidden of
a call is written down as a mark, and then stands for what it ran with.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from agentack import Action, Finding, Policy, TraceEvent, evaluate_events

from guardrail.codec import digest
from guardrail.redaction import holds_mark
from guardrail.store import MemoryStore, SQLiteStore
from guardrail.types import Record, Review, ReviewState, Route

RULES = Policy(require_approval_for=("*:reviewed",), max_approval_age_seconds=86400)
"""A call that was put before a human needs an approval; one that the guard let run does not."""
_EVIDENCE = "ACK009"
"""That evidence is complete: a test may end while a call still waits."""
_WAITING = frozenset({ReviewState.PENDING, ReviewState.CLAIMED})


@dataclass(frozen=True, kw_only=True)
class Ran:
    """A tool that ran, with what it was given, and the idempotency key that reached it ("": none)."""

    name: str
    arguments: dict[str, Any]
    key: str
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class Tape:
    """Records, reviews as they were written, and runs, in order."""

    written: list[Record | Review | Ran] = field(default_factory=list)

    def add(self, one: Record | Review | Ran) -> None:
        self.written.append(one)

    def events(self) -> list[TraceEvent]:
        """The whole trace."""
        return list(_Tracing().of(self.written))

    def broken(self) -> list[Finding]:
        """The findings by the rules ACK001 to ACK008: over the whole trace, and over that of each call that was
        called off, for which this is a stop.
        """
        events = self.events()
        stopped = {one.reason for one in events if one.type == "interrupt"}
        whole = [one for one in events if one.type != "interrupt"]
        traces = [whole, *([one for one in events if _of(one, review)] for review in stopped)]
        found = [one for trace in traces for one in evaluate_events(trace, policy=RULES).findings]
        return [one for one in found if one.rule_id != _EVIDENCE]


TAPE = Tape()
"""What the test that runs now has written; ``taped`` starts it anew."""


@contextmanager
def taped() -> Iterator[Tape]:
    """Take down what is written to any store of this process, and what ``TAPE`` is told, while the context is open."""
    TAPE.written = []
    with pytest.MonkeyPatch.context() as patch:
        for kind in (MemoryStore, SQLiteStore):
            _listen(patch, kind)
        yield TAPE


def _listen(patch: pytest.MonkeyPatch, kind: Any) -> None:
    add_record, add_review, change = kind.add_record, kind.add_review, kind.compare_and_set

    def record(self: Any, one: Record) -> bool:
        new: bool = add_record(self, one)
        if new:
            TAPE.add(one)
        return new

    def review(self: Any, one: Review) -> Review:
        kept: Review = add_review(self, one)
        if kept == one:
            TAPE.add(kept)
        return kept

    def changed(self: Any, one: Review) -> bool:
        done: bool = change(self, one)
        if done:
            TAPE.add(one)
        return done

    patch.setattr(kind, "add_record", record)
    patch.setattr(kind, "add_review", review)
    patch.setattr(kind, "compare_and_set", changed)


class _Tracing:
    """From the tape to a trace.

    An approval is of one review; an edit is a call of the reviewer's own, proposed, shown and allowed at once, and the
    planned call is denied. A review that is called off is denied to the agent.
    """

    def __init__(self) -> None:
        self._time = 0
        self._reviews: dict[str, Review] = {}
        self._permits: list[tuple[str, str, Action, str]] = []  # key, action id, action, approval id
        self._proposed: set[str] = set()

    def of(self, written: list[Record | Review | Ran]) -> Iterator[TraceEvent]:
        for one in written:
            if isinstance(one, Record):
                yield from self._assessed(one)
            elif isinstance(one, Review):
                yield from self._reviewed(one)
            else:
                yield self._ran(one)
        yield _end(self._time + 1)

    def _event(self, kind: Any, *, at: datetime | None = None, **more: Any) -> TraceEvent:
        """An event; what counts between events is their order, and of a decision and a run the time, too."""
        self._time += 1
        at = at or datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._time)
        return TraceEvent(type=kind, timestamp=at, session_id="test", **more)

    def _assessed(self, record: Record) -> Iterator[TraceEvent]:
        for verdict in record.verdict.verdicts:
            if verdict.route is Route.EXECUTE and record.verdict.route is not Route.RETRY:
                key = digest("run", record.id, verdict.call.id)
                action = _action(verdict.call.name, verdict.call.arguments, "assessed")
                self._permits.append((key, key, action, ""))
                if key not in self._proposed:
                    self._proposed.add(key)
                    yield self._event(
                        "action_proposed", action_id=key, action=action, intent_id=_intent(record.thread_id, action)
                    )

    def _reviewed(self, review: Review) -> Iterator[TraceEvent]:
        before = self._reviews.get(review.id)
        self._reviews[review.id] = review
        action = _action(review.call.name, review.call.arguments, "reviewed")
        intent = _intent(review.thread_id, action)
        if before is None:
            about = {"action_id": review.id, "action": action, "intent_id": intent}
            yield self._event("action_proposed", **about)
            yield self._event("approval_requested", approval_id=review.id, **about)
        decided = (before is None or before.state in _WAITING) and review.state not in _WAITING
        if not decided:
            if review.state is ReviewState.SUPERSEDED:
                yield self._event("interrupt", reason=review.id)  # allowed, and then called off
            return
        allowed = review.decision is not None and review.decision.type in ("approve", "edit")
        edited = review.decision.arguments if review.decision is not None else None
        plain = allowed and edited is None
        about = {"approval_id": review.id, "action_id": review.id, "intent_id": intent}
        yield self._event("approval_decision", decision="allow" if plain else "deny", **_held(review), **about)
        if plain:
            self._permits.append((review.id, review.id, action, review.id))
        else:
            yield self._event("action_blocked", **about)
        if edited is not None:
            yield from self._edited(review, _action(review.call.name, edited, "reviewed"))

    def _edited(self, review: Review, action: Action) -> Iterator[TraceEvent]:
        name = f"{review.id}+edit"
        about = {"action_id": name, "action": action, "intent_id": _intent(review.thread_id, action)}
        yield self._event("action_proposed", **about)
        yield self._event("approval_requested", approval_id=name, **about)
        yield self._event("approval_decision", approval_id=name, action_id=name, decision="allow", **_held(review))
        self._permits.append((review.id, name, action, name))

    def _ran(self, ran: Ran) -> TraceEvent:
        permit = self._permit(ran)
        if permit is None:
            nobody = Action(tool=ran.name, operation="reviewed", parameters=ran.arguments)
            return self._event("action_executed", at=ran.at, action_id="nobody asked", action=nobody)
        _, name, action, approval = permit
        given = {
            key: value if holds_mark(value) else ran.arguments.get(key) for key, value in action.parameters.items()
        }
        executed = replace(action, parameters=given)
        return self._event("action_executed", at=ran.at, action_id=name, approval_id=approval or None, action=executed)

    def _permit(self, ran: Ran) -> tuple[str, str, Action, str] | None:
        """What the call ran on: by its key, or where none reached the tool the latest permit of exactly such a call."""
        for permit in reversed(self._permits):
            key, _, action, _ = permit
            same = action.tool == ran.name and all(
                holds_mark(value) or ran.arguments.get(name) == value for name, value in action.parameters.items()
            )
            if ran.key == key or (not ran.key and same):
                return permit
        return None


def _of(event: TraceEvent, review_id: str) -> bool:
    if event.type in ("interrupt", "session_end"):
        return event.type == "session_end" or event.reason == review_id
    return (event.action_id or "").partition("+")[0] == review_id


def _held(review: Review) -> dict[str, Any]:
    """When it was decided, and until when that holds, where the policy says so."""
    at = datetime.fromisoformat(review.decision.at) if review.decision is not None else None
    if at is None or review.use_within is None:
        return {"at": at}
    return {"at": at, "expires_at": at + timedelta(seconds=review.use_within)}


def _action(name: str, arguments: dict[str, Any], operation: str) -> Action:
    return Action(tool=name, operation=operation, parameters=arguments)


def _intent(thread_id: str, action: Action) -> str:
    return digest(thread_id, action.tool, action.parameters)


def _end(seconds: int) -> TraceEvent:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return TraceEvent(type="session_end", timestamp=at, session_id="test")
