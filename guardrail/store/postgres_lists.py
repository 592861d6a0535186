"""Lists of reviews in PostgreSQL: the keys of a page come from indices alone, however many reviews there are.

An index has what is asked for first, then the order of the list. States and tiers are few, so a page is merged from one
branch for each pair of them, none of which reads more than the page needs.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from guardrail.store import listing, rows
from guardrail.store.postgres_database import Connection
from guardrail.store.postgres_texts import lookup
from guardrail.store.queries import queries
from guardrail.types import Review, ReviewFilter, ReviewPage, ReviewState, Tier

_FEW = 1000
"""Reviews of one state and tier with a deadline that are sorted; where more are due, the list's own order finds them
soon enough."""
_BY = frozenset({"tool", "requester", "claimed_by", "due_before"})
"""What there are indices for, besides states and tiers."""
_NONE = "SELECT NULL::bigint AS rank, NULL AS at, NULL::bigint AS seq WHERE FALSE"


def find(connection: Connection, wanted: ReviewFilter, *, limit: int, after: str) -> ReviewPage:
    """The page of reviews behind ``after``.

    Raises:
        StoreError: ``after`` is nothing that a page said.
    """
    place = listing.place(after, wanted)
    if limit < 1 or wanted.states == frozenset() or wanted.tiers == frozenset():
        return ReviewPage(reviews=())
    query, given = statement(connection, wanted, place)
    # planned for these values: what is best depends on how many reviews they leave
    found = connection.execute(query.encode(), {**given, "limit": limit + 1}, prepare=False).fetchall()
    reviews = tuple(rows.decode(Review, body, f"review {name}") for name, body, *_ in found[:limit])
    last = listing.Place(*found[limit - 1][2:]) if len(found) > limit else None
    return ReviewPage(reviews=reviews, after="" if last is None else listing.cursor(last, wanted))


def statement(connection: Connection, wanted: ReviewFilter, place: listing.Place | None) -> tuple[str, dict[str, Any]]:
    """The query of a page, and its values but ``limit``."""
    states = sorted(ReviewState if wanted.states is None else wanted.states)
    tiers = sorted(Tier if wanted.tiers is None else wanted.tiers)
    given = _values(wanted)
    conditions = [*given]
    given |= {"states": [state.value for state in states], "tiers": [tier.value for tier in tiers]}
    if place is not None:
        given |= {"rank": place.rank, "at": place.at, "seq": place.seq}
        conditions.append("after")
    if "record_id" in given or "thread_id" in given:
        branches = [_branch("few_branch", [*conditions, "states", "tiers"])]
    else:
        due = _due(connection, given) if given.keys() & _BY == {"due_before"} else {}
        branches = [
            _branch("few_branch" if few else "branch", conditions, state=state, tier=tier)
            for state, tier in product(range(len(states)), range(len(tiers)))
            if (few := due.get((states[state], tiers[tier]), None)) != 0
        ]
        given |= {f"state{number}": state.value for number, state in enumerate(states)}
        given |= {f"tier{number}": tier.value for number, tier in enumerate(tiers)}
    return queries("postgresql")["find_reviews"].format(branches="\nUNION ALL\n".join(branches) or _NONE), given


def _values(wanted: ReviewFilter) -> dict[str, Any]:
    asked: dict[str, str | None] = {
        "tenant": wanted.tenant,
        "tool": wanted.tool,
        "thread_id": wanted.thread_id,
        "record_id": wanted.record_id,
        "requester": wanted.requester,
        "claimed_by": wanted.claimed_by,
        "due_before": None if wanted.due_before is None else rows.sort_key(wanted.due_before),
    }
    return {name: lookup(value) for name, value in asked.items() if value is not None}


def _due(connection: Connection, given: dict[str, Any]) -> dict[tuple[str, str], int]:
    """How many are due of each state and tier, where they are few."""
    found = connection.execute(queries("postgresql")["count_due"].encode(), {**given, "few": _FEW}, prepare=False)
    return {(state, tier): count for state, tier, count in found}


def _branch(kind: str, conditions: list[str], **numbers: int) -> str:
    known = queries("postgresql")
    held = " AND ".join(known[f"find_reviews.{name}"].format(**numbers) for name in [*conditions, *numbers])
    return known[f"find_reviews.{kind}"].format(conditions=held)
