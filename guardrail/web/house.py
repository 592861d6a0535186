"""What every page and every call of the API works with, who asks, and what is there for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.requests import HTTPConnection

from guardrail.codec import digest
from guardrail.errors import ConfigError, NotFound, NotPermitted, NotSignedIn, StoreError, StoreFull, StoreLocked
from guardrail.policy import Policy
from guardrail.review import DECIDE, READ, Queue
from guardrail.store import Store
from guardrail.types import Principal, PrincipalKind, Record, Review, ReviewFilter, ReviewPage
from guardrail.web.live import Live
from guardrail.web.metrics import Metrics
from guardrail.web.settings import Settings

LOOKED_AT = 2_000
"""Records that one page of a list looks at, at most: those of other tenants among them make a page shorter."""
_RECORDS = 100
_CHECKED = 12


@dataclass(frozen=True, kw_only=True)
class House:
    """One served application: its store, its queue of all tenants (who acts sees its own), its policy if it has one."""

    store: Store
    queue: Queue
    settings: Settings
    clock: Callable[[], datetime]
    policy: Policy | None = None
    live: Live = field(init=False)
    metrics: Metrics = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "live", Live(self.store, most=self.settings.streams, each=self.settings.streams_each))
        object.__setattr__(self, "metrics", Metrics(self.store, self.clock))


def house(request: HTTPConnection) -> House:
    """The application that serves this request."""
    found: House = request.app.state.house
    return found


def principal(request: HTTPConnection) -> Principal:
    """Who asks, by the session or the token that came with the request: never by anything that the request says.

    Raises:
        NotSignedIn: nobody that is known here.
    """
    found: Principal | None = getattr(request.state, "principal", None)
    if found is None:
        raise NotSignedIn("sign in first: with a session, or with a token in the header Authorization (Bearer)")
    return found


def need(request: HTTPConnection, scope: str, doing: str) -> Principal:
    """Who asks, if the credentials are for this.

    Raises:
        NotSignedIn: nobody that is known here.
        NotPermitted: they lack the scope.
    """
    who = principal(request)
    if who.scopes is not None and scope not in who.scopes:
        raise NotPermitted(f"these credentials of {who.name} may not {doing}: they lack the scope {scope}")
    return who


def need_person(request: HTTPConnection, doing: str) -> Principal:
    """Who asks, if it is a person whose credentials are for deciding. The queue asks again, for each review.

    Raises:
        NotSignedIn: nobody that is known here.
        NotPermitted: an agent, or the credentials lack the scope.
    """
    who = need(request, DECIDE, doing)
    if who.kind is not PrincipalKind.HUMAN:
        raise NotPermitted(f"{who.name} is no person ({who.kind.value}): only people may {doing}")
    return who


def need_operator(request: HTTPConnection, scope: str, doing: str) -> Principal:
    """Who asks, if it is one of the server's own tenant: for what is of all tenants together.

    Raises:
        NotSignedIn: nobody that is known here.
        NotPermitted: of another tenant, or the credentials lack the scope.
    """
    who = need(request, scope, doing)
    if who.tenant != house(request).settings.tenant:
        raise NotPermitted(f"{who.name} may not {doing}: they are of all tenants, and for this server's own people")
    return who


def whole_review(request: HTTPConnection, review_id: str) -> Review:
    """The review of exactly that id, if it is there for whoever asks.

    Raises:
        NotSignedIn, NotPermitted: not signed in, or the credentials are not for reading.
        NotFound: there is none, or it is another tenant's.
    """
    who = principal(request)
    try:
        review = house(request).queue.get(review_id, by=who)
    except NotFound:
        review = None
    if review is None or review.id != review_id:
        raise NotFound("there is no review of this id")
    return review


def find_page(request: HTTPConnection, wanted: ReviewFilter, *, limit: int, after: str = "") -> ReviewPage:
    """A page of the reviews that are there for whoever asks.

    Raises:
        NotSignedIn, NotPermitted: not signed in, or the credentials are not for reading.
        ConfigError: ``after`` is nothing that a page of the same filters said, or a time is none.
    """
    if wanted.due_before is not None:
        _check_time(wanted.due_before)
    try:
        return house(request).queue.find(wanted, by=principal(request), limit=limit, after=after)
    except (StoreLocked, StoreFull):
        raise
    except StoreError as error:
        if after:
            raise ConfigError(str(error)) from error
        raise


def _check_time(text: str) -> None:
    try:
        datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{text[:50]!r} is no time: write it as 2026-01-31T12:00:00Z") from error


def visible_record(request: HTTPConnection, record_id: str) -> Record:
    """The record of exactly that id, if it is there for whoever asks.

    Raises:
        NotSignedIn, NotPermitted: not signed in, or the credentials are not for reading.
        NotFound: there is none, or it is another tenant's.
    """
    who = need(request, READ, "read records")
    try:
        record = house(request).store.record(record_id)
    except NotFound:
        record = None
    if record is None or record.id != record_id or record.tenant != who.tenant:
        raise NotFound("there is no record of this id")
    return record


def visible_records(
    request: HTTPConnection, *, thread_id: str | None = None, limit: int = 50, before: str = ""
) -> tuple[list[Record], str]:
    """Records that are there for whoever asks, newest first, and where to go on (empty: there are no more).

    A page looks at ``LOOKED_AT`` records at most, so that one may be short, or empty, with others behind it.

    Raises:
        NotSignedIn, NotPermitted: not signed in, or the credentials are not for reading.
        ConfigError: ``before`` is nothing that a page of the same list said.
    """
    who, store = need(request, READ, "read records"), house(request).store
    found: list[Record] = []
    place = _place(store, before, who.tenant, thread_id) if before else None
    for _ in range(LOOKED_AT // _RECORDS):
        page = store.records(thread_id=thread_id, limit=_RECORDS, before=place)
        for record in page:
            place = record.id
            if record.tenant == who.tenant:
                found.append(record)
                if len(found) == limit:
                    return found, _cursor(place, who.tenant, thread_id)
        if len(page) < _RECORDS:
            return found, ""
    return found, "" if place is None else _cursor(place, who.tenant, thread_id)


def _cursor(record_id: str, tenant: str, thread_id: str | None) -> str:
    """Where a page ended, which may be at a record of another tenant: nobody can ask by it whether there is one."""
    return f"{digest('place among records', tenant, thread_id, record_id)[:_CHECKED]}{record_id}"


def _place(store: Store, before: str, tenant: str, thread_id: str | None) -> str:
    record_id = before[_CHECKED:]
    try:
        if before == _cursor(record_id, tenant, thread_id) and store.record(record_id).id == record_id:
            return record_id
    except NotFound:
        pass
    raise ConfigError("this is no place in this list of records: start at its beginning")
