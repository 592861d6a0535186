"""Which reviews a list shows: what the address says, and what it becomes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from guardrail.codec import canonical
from guardrail.errors import InvalidDecision
from guardrail.review import FINAL, MAX_BATCH, UNFINISHED, WAITING
from guardrail.types import Principal, Review, ReviewFilter, ReviewState, Tier

OPEN: Final = "open"
WANTED: Final = {
    OPEN: WAITING,
    "unfinished": UNFINISHED,
    "closed": FINAL,
    "all": None,
    **{state.value: frozenset({state}) for state in ReviewState},
}
"""What may be asked for as ``state``."""
STATE_NAMES: Final = {
    OPEN: "waiting for people",
    "unfinished": "not closed",
    "closed": "closed",
    "all": "all",
    **{state.value: state.value.replace("_", " ") for state in ReviewState},
}
LONGEST: Final = 300
_TEXTS: Final = ("tool", "requester", "thread")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the filters of a list say, as they were written."""

    state: str = OPEN
    tier: str = ""
    tool: str = ""
    requester: str = ""
    thread: str = ""
    mine: bool = False
    after: str = ""

    @property
    def filtered(self) -> bool:
        """Whether anything but the usual is asked for."""
        return bool(self.state != OPEN or self.tier or self.tool or self.requester or self.thread or self.mine)

    def link(self, *, after: str = "") -> str:
        """The address of the same list, further on."""
        said = {"tier": self.tier, "tool": self.tool, "requester": self.requester, "thread": self.thread}
        pairs = {"state": self.state if self.state != OPEN else "", **said, "mine": "1" if self.mine else ""}
        query = urlencode({name: value for name, value in {**pairs, "after": after}.items() if value})
        return f"/reviews?{query}" if query else "/reviews"

    def wanted(self, who: Principal) -> ReviewFilter:
        """What to look for."""
        return ReviewFilter(
            states=WANTED[self.state],
            tiers=frozenset({Tier(self.tier)}) if self.tier else None,
            tool=self.tool or None,
            requester=self.requester or None,
            thread_id=self.thread or None,
            claimed_by=who.name if self.mine else None,
        )


def asked(query: QueryParams) -> Asked:
    """The filters that an address says.

    Raises:
        InvalidDecision: no such state or tier, or a text that can be in no review.
    """
    state, tier = query.get("state") or OPEN, query.get("tier", "")
    if state not in WANTED:
        raise InvalidDecision(f"there is no state {state[:50]!r}; there are: {', '.join(WANTED)}")
    if tier and tier not in [each.value for each in Tier]:
        raise InvalidDecision(f"there is no tier {tier[:50]!r}; there are: {', '.join(Tier)}")
    texts = {name: query.get(name, "") for name in _TEXTS}
    for name, text in texts.items():
        if len(text) > LONGEST or "\x00" in text:
            raise InvalidDecision(f"no review has such a {name}: it is too long, or holds a character of no text")
    return Asked(state=state, tier=tier, **texts, mine=bool(query.get("mine")), after=query.get("after", ""))


def equal_ones(reviews: Iterable[Review]) -> dict[str, list[str]]:
    """Of the reviews on a page that may be decided together: the ids of all that are equal, by each one's id."""
    groups: dict[tuple[str, str], list[str]] = {}
    for review in reviews:
        if review.tier is not Tier.LOW or review.state not in WAITING:
            continue
        try:
            alike = canonical(review.call.arguments)
        except (ValueError, TypeError, RecursionError):
            continue
        groups.setdefault((review.call.name, alike), []).append(review.id)
    return {one: ids[:MAX_BATCH] for ids in groups.values() if len(ids) > 1 for one in ids}
