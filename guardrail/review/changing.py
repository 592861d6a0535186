"""How a review is found and changed: tenants apart, the clock before the rules, a compare-and-set for each change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from guardrail.clock import utc_now
from guardrail.errors import NotFound, ReviewConflict, StoreError
from guardrail.review import deadlines, people
from guardrail.review.machine import WAITING, advance
from guardrail.store import Store
from guardrail.types import Principal, Review, ReviewFilter, ReviewPage, ReviewState

Who = str | Principal
"""Who acts: a principal, or the name of a person at this machine, who has no roles."""
Change = Callable[[Review, Principal, datetime], Review]
_RACES: Final = 64
_PAGE: Final = 500


class Reviews:
    """The reviews of one tenant of a store, or of all (``tenant`` None): found, and changed in one way."""

    def __init__(self, store: Store, *, tenant: str | None = "", clock: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._tenant = tenant
        self._clock = clock

    def get(self, review_id: str, *, by: Who | None = None) -> Review:
        """The review of that id.

        Raises:
            NotFound: there is none, it is another tenant's, or several ids begin so.
            NotPermitted: the credentials are not for reading.
        """
        if isinstance(by, Principal):
            people.check_scope(by, people.READ, "read reviews")
        return self._visible(review_id, by)

    def find(
        self, wanted: ReviewFilter | None = None, *, by: Who | None = None, limit: int = 50, after: str = ""
    ) -> ReviewPage:
        """A page of the reviews that are wanted, the highest priority first and the oldest of one priority first.

        The tenant is the principal's, or the queue's; that of ``wanted`` counts only where the queue is of all tenants.

        Raises:
            NotPermitted: the credentials are not for reading.
            StoreError: ``after`` is nothing that a page said.
        """
        wanted = wanted or ReviewFilter()
        if isinstance(by, Principal):
            people.check_scope(by, people.READ, "read reviews")
            if self._tenant not in (None, by.tenant):
                return ReviewPage(reviews=())
            wanted = replace(wanted, tenant=by.tenant)
        elif self._tenant is not None:
            wanted = replace(wanted, tenant=self._tenant)
        return self._store.find_reviews(wanted, limit=limit, after=after)

    def waiting(self, *, thread_id: str | None = None, limit: int = 1000) -> list[Review]:
        """The reviews that nobody has decided, oldest first."""
        return self.in_states(WAITING, thread_id=thread_id, limit=limit)

    def in_states(
        self, states: frozenset[ReviewState], *, thread_id: str | None = None, limit: int = 1000
    ) -> list[Review]:
        """The reviews that stand in one of the states, oldest first."""
        if self._tenant is None:
            return self._store.reviews(states=states, thread_id=thread_id, limit=limit)
        wanted = ReviewFilter(tenant=self._tenant, states=states, thread_id=thread_id)
        found: list[Review] = []
        after = ""
        while len(found) < limit:
            page = self._store.find_reviews(wanted, limit=min(_PAGE, limit - len(found)), after=after)
            found += page.reviews
            if not (after := page.after):
                break
        return sorted(found, key=_age)

    def standing(self, review_id: str) -> Review:
        """The review that counts for a call: this one, or the last of those opened after it for the same call."""
        review = self._visible(review_id, None)
        if not review.record_id:
            return review
        same_record = self._store.reviews(record_id=review.record_id, limit=1000)
        return [one for one in same_record if one.call.id == review.call.id and one.tenant == review.tenant][-1]

    def sweep(self, now: datetime | None = None) -> list[Review]:
        """Expire the reviews of all tenants whose deadline has passed, and escalate those for which it is time. Doing
        so twice, or in several processes at once, does no harm.

        Returns:
            Those that this call changed, as far as they are this queue's.
        """
        at = now or self._clock()
        found: list[Review] = []
        tried: set[str] = set()
        while due := [one for one in self._store.due_reviews(at.isoformat(), limit=_PAGE) if one.id not in tried]:
            tried |= {review.id for review in due}
            found += [review for review in (self._swept(one.id, at) for one in due) if review is not None]
        return [review for review in found if self._tenant in (None, review.tenant)]

    def _swept(self, review_id: str, now: datetime) -> Review | None:
        for _ in range(_RACES):
            after = deadlines.swept(self._store.review(review_id), now)
            if after is None or self._store.compare_and_set(after):
                return after
        raise _contended(review_id)

    def _visible(self, review_id: str, by: Who | None) -> Review:
        """The review, if it is there for this one: what others have is told in the same words as what is not there."""
        try:
            review = self._store.review(review_id)
        except NotFound:
            raise _missing(review_id) from None
        if self._tenant not in (None, review.tenant) or (isinstance(by, Principal) and by.tenant != review.tenant):
            raise _missing(review_id)
        return review

    def _exactly(self, review_id: str, by: Who) -> Review:
        review = self._visible(review_id, by)
        if review.id != review_id:
            raise no_whole_id(review_id)
        return review

    def _change(self, review_id: str, by: Who, change: Change) -> Review:
        """The one way in which a review changes. ``change`` that returns the review as it was leaves it so."""
        for _ in range(_RACES):
            review = self._visible(review_id, by)
            who = people.named(by if isinstance(by, Principal) else Principal(name=by, tenant=review.tenant))
            after = change(review, who, self._clock())
            if after is review or self._store.compare_and_set(after):
                return after
        raise _contended(review_id)

    def _check_waiting(self, review: Review, to: ReviewState, now: datetime) -> None:
        """Whether people may still act on it. One that is out of time ends here, if nobody swept it before.

        Raises:
            ReviewConflict: no; the message says where it stands.
        """
        if review.state not in WAITING:
            advance(review, to, at="", by="")  # says why not
        if deadlines.overdue(review, now):
            self._swept(review.id, now)
            raise ReviewConflict(
                f"review {review.id[:12]} of {review.call.name} had to be decided before {review.due}: it has expired, "
                "which is a reject"
            )


def no_whole_id(review_id: str) -> NotFound:
    """A shortened id was given where a whole one is needed."""
    return NotFound(f"there is no review {review_id!r}: a whole id is needed here")


def _age(review: Review) -> datetime:
    try:
        return datetime.fromisoformat(review.at).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)


def _missing(review_id: str) -> NotFound:
    return NotFound(
        f"there is no review {review_id!r}, or several begin so: `guardrail reviews list --all` shows the ids"
    )


def _contended(review_id: str) -> StoreError:
    return StoreError(f"review {review_id[:12]} kept changing while it was written: try again")
