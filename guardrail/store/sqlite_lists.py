"""Lists of reviews in SQLite: the keys of a page come from indices alone, however many reviews there are.

An index has what is asked for first, then the order of the list. States and tiers are few, so a page is merged from one
branch for each pair of them, none of which reads more than the page needs.
"""

from __future__ import annotations

import json
import sqlite3
from itertools import product

from guardrail.store import listing, rows
from guardrail.store.queries import Value, queries
from guardrail.types import Review, ReviewFilter, ReviewPage, ReviewState, Tier

_FEW = 1000
"""Reviews of one state and tier with a deadline that are sorted; where more are due, the list's own order finds them
soon enough."""
_IN_ORDER = "reviews_in_order"
_NONE = "SELECT 0 AS rank, '' AS at, 0 AS seq WHERE FALSE"
_INDICES = (
    ({"claimed_by"}, "reviews_by_claim"),
    ({"requester", "tool"}, "reviews_by_requester_and_tool"),
    ({"requester"}, "reviews_by_requester"),
    ({"tool"}, "reviews_by_tool"),
    (set[str](), _IN_ORDER),
)


def find(connection: sqlite3.Connection, wanted: ReviewFilter, *, limit: int, after: str) -> ReviewPage:
    """The page of reviews behind ``after``.

    Raises:
        StoreError: ``after`` is nothing that a page said.
    """
    place = listing.place(after, wanted)
    if limit < 1 or wanted.states == frozenset() or wanted.tiers == frozenset():
        return ReviewPage(reviews=())
    query, given = statement(connection, wanted, place)
    found = connection.execute(query, {**given, "limit": limit + 1}).fetchall()
    reviews = tuple(rows.decode(Review, body, f"review {name}") for name, body, *_ in found[:limit])
    last = listing.Place(*found[limit - 1][2:]) if len(found) > limit else None
    return ReviewPage(reviews=reviews, after="" if last is None else listing.cursor(last, wanted))


def statement(
    connection: sqlite3.Connection, wanted: ReviewFilter, place: listing.Place | None
) -> tuple[str, dict[str, Value]]:
    """The query of a page, and its values but ``limit``."""
    states = sorted(ReviewState if wanted.states is None else wanted.states)
    tiers = sorted(Tier if wanted.tiers is None else wanted.tiers)
    given = _values(wanted, states, tiers)
    conditions = [name for name in given if name not in ("states", "tiers")]
    if place is not None:
        given |= {"rank": place.rank, "at": place.at, "seq": place.seq}
        conditions.append("after")
    index = _index(given)
    if index in ("reviews_by_thread", "reviews_by_record"):
        branches = [_branch(index, [*conditions, "states", "tiers"])]
    else:
        due = _due(connection, given) if index == _IN_ORDER and "due_before" in given else {}
        branches = [
            _branch("reviews_by_due" if few else index, conditions, state=state, tier=tier)
            for state, tier in product(range(len(states)), range(len(tiers)))
            if (few := due.get((states[state], tiers[tier]), None)) != 0
        ]
    given |= {f"state{number}": state.value for number, state in enumerate(states)}
    given |= {f"tier{number}": tier.value for number, tier in enumerate(tiers)}
    return queries()["find_reviews"].format(branches="\nUNION ALL\n".join(branches) or _NONE), given


def _values(wanted: ReviewFilter, states: list[ReviewState], tiers: list[Tier]) -> dict[str, Value]:
    asked: dict[str, str | None] = {
        "tenant": wanted.tenant,
        "tool": wanted.tool,
        "thread_id": wanted.thread_id,
        "record_id": wanted.record_id,
        "requester": wanted.requester,
        "claimed_by": wanted.claimed_by,
        "due_before": None if wanted.due_before is None else rows.sort_key(wanted.due_before),
        "states": json.dumps(states),
        "tiers": json.dumps(tiers),
    }
    return {name: rows.key(value) for name, value in asked.items() if value is not None}


def _index(given: dict[str, Value]) -> str:
    """The index that leaves least to read."""
    if "record_id" in given:
        return "reviews_by_record"
    if "thread_id" in given:
        return "reviews_by_thread"
    return next(index for names, index in _INDICES if names <= given.keys())


def _due(connection: sqlite3.Connection, given: dict[str, Value]) -> dict[tuple[str, str], int]:
    """How many are due of each state and tier, where they are few."""
    asked = {**given, "few": _FEW}
    return {(state, tier): count for state, tier, count in connection.execute(queries()["count_due"], asked)}


def _branch(index: str, conditions: list[str], **numbers: int) -> str:
    names = [*conditions, *numbers]
    held = " AND ".join(queries()[f"find_reviews.{name}"].format(**numbers) for name in names)
    return queries()["find_reviews.branch"].format(index=index, conditions=held)
