"""What the agent is told of a call that did not run, or that a person changed: results of the protocol's own form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from guardrail.codec import canonical
from guardrail.types import Review, Verdict

META: Final = "guardrail/verdict"
"""Under this key of a result's ``_meta`` stands what was decided."""
KEY: Final = "guardrail/idempotency-key"
"""Under this key of a call's ``_meta`` the server finds the call's idempotency key."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """An answer in the tool's place."""

    text: str
    error: bool = True
    facts: dict[str, Any] = field(default_factory=dict)

    def result(self) -> dict[str, Any]:
        """The result of tools/call."""
        return {
            "content": [{"type": "text", "text": self.text}],
            "isError": self.error,
            "resultType": "complete",
            "_meta": {META: self.facts},
        }


def facts(verdict: Verdict | None, record_id: str) -> dict[str, Any]:
    """What is told of a verdict: no arguments, no samples."""
    if verdict is None:
        return {"record": record_id}
    found = {
        "record": record_id,
        "route": verdict.route.value,
        "reason": verdict.reason.value,
        "tier": verdict.tier.value,
        "measured": verdict.agreeing + verdict.disagreeing > 0,
        "why": verdict.why,
    }
    return {**found, "review": verdict.review_id} if verdict.review_id else found


def waits(review: Review, known: dict[str, Any]) -> Said:
    """Nobody has decided while the call waited."""
    return Said(
        text=f"Not executed yet: a human has to decide on this call, and has not so far (review {review.id[:12]}). "
        "Go on with something else, or call the same tool with the same arguments again later: it runs once it is "
        "approved.",
        facts={**known, "waiting": True},
    )


def changed(result: dict[str, Any], review: Review, known: dict[str, Any]) -> dict[str, Any]:
    """The tool's result, where a person changed the call before it ran; its other parts stay as they are."""
    edit = None if review.decision is None else review.decision.arguments
    shown = review.call.arguments if edit is None else edit  # an edit that others have approved
    note = {
        "type": "text",
        "text": "A human changed this call before it ran; this is the result of the changed call. It ran with: "
        + canonical(shown),
    }
    content, meta = result.get("content"), result.get("_meta")
    return {
        **result,
        "content": [note, *(content if isinstance(content, list) else [])],
        "_meta": {**(meta if isinstance(meta, dict) else {}), META: {**known, "edited": True}},
    }
