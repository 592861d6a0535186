"""Many people decide on one call through HTTP at the same moment."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from starlette.testclient import TestClient

from guardrail.types import Principal, Review, ReviewState
from tests.web.serving import Site

PEOPLE = 32


def test_of_32_people_one_decides_and_31_are_told_so(any_site: Site) -> None:
    clients = [any_site.client(Principal(name=f"person {number}")) for number in range(PEOPLE)]
    for _ in range(3):
        review = any_site.ask()
        assert sorted(_told(review, clients)) == [200] + [409] * (PEOPLE - 1)
        kept = any_site.store.review(review.id)
        assert kept.state is ReviewState.DECIDED
        assert [event.state for event in kept.history] == [ReviewState.DECIDED]
        whats = [one.what for one in any_site.store.audit_entries(limit=100_000) if one.subject == review.id]
        assert whats == ["review.opened", "review.decided"]


def _told(review: Review, clients: list[TestClient]) -> list[int]:
    """What each is told, who all decide at once and not alike."""
    start = threading.Barrier(len(clients))

    def decide(number: int) -> int:
        said = {"type": ("approve", "reject")[number % 2], "seen_digest": review.digest}
        start.wait()
        return clients[number].post(f"/api/v1/reviews/{review.id}/decide", json=said).status_code

    with ThreadPoolExecutor(len(clients)) as people:
        return list(people.map(decide, range(len(clients))))
