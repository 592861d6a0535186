"""Lists of reviews, the same for every backend: what they are filtered and ordered by, and where a page ended."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from guardrail.codec import digest, to_json
from guardrail.errors import StoreError
from guardrail.store.rows import sort_key
from guardrail.types import Review, ReviewFilter, ReviewState

MOST_PRIORITY = 2**31 - 1
"""No priority is further from 0, so that every backend can count it."""
_CHECKED = 12
_MOST = 2**63
_WAITING = frozenset({ReviewState.PENDING, ReviewState.CLAIMED})


class Place(NamedTuple):
    """Where a review stands in a list: the least first. ``rank`` is minus its priority, ``seq`` the store's number."""

    rank: int
    at: str
    seq: int


def columns(body: Mapping[str, Any]) -> dict[str, str | int | None]:
    """What lists know of a review, given its JSON.

    Raises:
        StoreError: ``due`` is no time, or the priority is too far from 0.
    """
    priority, due, claim = body.get("priority", 0), body.get("due", ""), body.get("claim")
    if not -MOST_PRIORITY <= priority <= MOST_PRIORITY:
        raise StoreError(
            f"the priority {priority} is out of range: give one between -{MOST_PRIORITY} and {MOST_PRIORITY}"
        )
    return {
        "tenant": body.get("tenant", ""),
        "state": body["state"],
        "tier": body["tier"],
        "tool": body["call"]["name"],
        "requester": body.get("requester", ""),
        "claimed_by": None if claim is None else claim["by"],
        "due": sort_key(due) if due else None,
        "rank": -priority,
        "revision": body["revision"],
    }


def facts(review: Review) -> dict[str, Any]:
    """What ``columns`` and ``wakes`` look at in the JSON of a review."""
    return {
        "tenant": review.tenant,
        "state": review.state.value,
        "tier": review.tier.value,
        "call": {"name": review.call.name},
        "requester": review.requester,
        "claim": None if review.claim is None else {"by": review.claim.by},
        "due": review.due,
        "escalated": review.escalated,
        "escalate_at": review.escalate_at,
        "priority": review.priority,
        "revision": review.revision,
    }


def wakes(body: Mapping[str, Any]) -> str | None:
    """When time does something to a review, given its JSON, as lists order times; None: never, or it does not wait.

    Raises:
        StoreError: a deadline is no time.
    """
    if body["state"] not in _WAITING:
        return None
    later = (body.get("due", ""), "" if body.get("escalated", False) else body.get("escalate_at", ""))
    return min((sort_key(at) for at in later if at), default=None)


def matches(review: Review, wanted: ReviewFilter) -> bool:
    """Whether everything holds that is wanted."""
    claimed_by = None if review.claim is None else review.claim.by
    return (
        review.tenant == wanted.tenant
        and (wanted.states is None or review.state in wanted.states)
        and (wanted.tiers is None or review.tier in wanted.tiers)
        and wanted.tool in (None, review.call.name)
        and wanted.thread_id in (None, review.thread_id)
        and wanted.record_id in (None, review.record_id)
        and wanted.requester in (None, review.requester)
        and (wanted.claimed_by is None or wanted.claimed_by == claimed_by)
        and (wanted.due_before is None or (review.due != "" and sort_key(review.due) < sort_key(wanted.due_before)))
    )


def cursor(place: Place, wanted: ReviewFilter) -> str:
    """Where a page ended, as text that says nothing to its reader and fits only this list."""
    text = json.dumps([*place], separators=(",", ":"))
    return base64.urlsafe_b64encode((_check(text, wanted) + text).encode()).decode().rstrip("=")


def place(after: str, wanted: ReviewFilter) -> Place | None:
    """The place that ``cursor`` gave; None for the beginning.

    Raises:
        StoreError: it is none, or one of another list.
    """
    if not after:
        return None
    try:
        text = base64.urlsafe_b64decode(after.encode("ascii") + b"=" * (-len(after) % 4)).decode("ascii")
    except ValueError:
        text = ""
    found = _read(text[_CHECKED:]) if text[:_CHECKED] == _check(text[_CHECKED:], wanted) else None
    if found is None:
        raise StoreError(
            "this is no place in this list of reviews: start at its beginning, and go on with what a page of the same "
            "filters said"
        )
    return found


def _read(text: str) -> Place | None:
    """The place that is written there. Anybody can write the check, which has no key: nothing is taken on trust."""
    try:
        rank, at, seq = json.loads(text)
        known = type(rank) is int and type(seq) is int and max(abs(rank), abs(seq)) < _MOST and sort_key(at) == at
    except (ValueError, TypeError, AttributeError, RecursionError, StoreError):
        return None
    return Place(rank, at, seq) if known else None


def _check(text: str, wanted: ReviewFilter) -> str:
    asked = to_json(wanted)
    for name in ("states", "tiers"):
        asked[name] = None if asked[name] is None else sorted(asked[name])
    return digest("place in a list", asked, text)[:_CHECKED]
