"""Asking the client's own user, where the client offers that and it is allowed for calls of such a tier.

Whoever drives the client may be the agent: what is of high stakes is decided in the queue, unless it is said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
from mcp_types import JSONRPCError

from guardrail.codec import canonical
from guardrail.errors import GuardrailError
from guardrail.review import Queue
from guardrail.types import Decision, DecisionType, Review
from guardrail.visible import plain
from guardrail_mcp.wire import Gone, Id, Side

if TYPE_CHECKING:
    from guardrail_mcp.proxy import Settings

_LONGEST: Final = 4000
_SCHEMA: Final = {
    "type": "object",
    "properties": {
        "decision": {"type": "string", "enum": ["approve", "reject"], "title": "May this call run?"},
        "message": {"type": "string", "title": "What the agent is told if it may not", "maxLength": 1000},
    },
    "required": ["decision"],
}


@dataclass(kw_only=True)
class _Client:
    asks: bool = False
    name: str = ""


class Eliciting:
    """The client's user as a reviewer, by the name of the client. The queue's rules hold for them as for anybody."""

    def __init__(self, client: Side, queue: Queue, settings: Settings) -> None:
        self._side = client
        self._queue = queue
        self._settings = settings
        self._client = _Client()

    def offered(self, capabilities: Mapping[str, Any] | None, info: object) -> None:
        """What the client said of itself."""
        form = (capabilities or {}).get("elicitation")
        name = info.get("name") if isinstance(info, Mapping) else None
        self._client = _Client(
            asks=isinstance(form, Mapping) and (not form or "form" in form),
            name=plain(name)[:100] if isinstance(name, str) else "",
        )

    async def ask(self, review: Review, about: Id, seconds: float) -> None:
        """Put a review before the client's user, for so many seconds; what they decide is written into the queue."""
        if not self._may(review):
            return
        text = _question(review)
        if len(text) > _LONGEST:  # nobody decides on what is not shown whole
            return
        params = {"mode": "form", "message": text, "requestedSchema": _SCHEMA}
        try:
            reply = await self._side.ask("elicitation/create", params, about=about, limit=seconds)
        except Gone:
            return
        if isinstance(reply, JSONRPCError):
            return
        decision = self._decision(reply.result)
        if decision is not None:
            await anyio.to_thread.run_sync(self._decide, review, decision)

    def _may(self, review: Review) -> bool:
        return (
            self._client.asks
            and review.tier in self._settings.elicit
            and not review.roles
            and review.quorum == 1
            and {DecisionType.APPROVE, DecisionType.REJECT} <= set(review.decisions)
        )

    def _decision(self, result: Mapping[str, Any]) -> Decision | None:
        content = result.get("content")
        content = content if isinstance(content, Mapping) else {}
        message = content.get("message")
        said = result.get("action"), content.get("decision")
        by, at = f"user of {self._client.name or 'the client'}", datetime.now(UTC).isoformat()
        if said == ("accept", "approve"):
            return Decision(type=DecisionType.APPROVE, by=by, at=at)
        if said == ("accept", "reject") or said[0] == "decline":
            text = message if isinstance(message, str) else ""
            return Decision(type=DecisionType.REJECT, by=by, at=at, message=text)
        return None  # put aside: the queue decides

    def _decide(self, review: Review, decision: Decision) -> None:
        try:
            self._queue.decide(review.id, decision, seen_digest=review.digest)
        except GuardrailError:
            return  # somebody else has decided, or this one may not: the queue goes on


def _question(review: Review) -> str:
    call = f"{plain(review.call.name)} {plain(canonical(review.call.arguments))}"
    return (
        f"The agent wants to call a tool ({review.tier.value} stakes): {call}\nWhy you are asked: {plain(review.why)}"
    )
