"""What callers send: nothing that is not listed here, and nothing twice."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import Depends, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.requests import Request

from guardrail.review import LEASE, LONGEST_LEASE, MAX_BATCH, MAX_COMMENT, MAX_MESSAGE
from guardrail.types import ReviewFilter, ReviewState, Tier
from guardrail.web.errors import UNPROCESSABLE, Refused

MOST: Final = 200
"""Entries of a page, at most."""
_MANY: Final = frozenset({"state", "tier"})
_LAST: Final = 2**62


def _readable(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("it holds half a character") from None
    return text


Name = Annotated[str, Field(max_length=1_000), AfterValidator(_readable)]
Id = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_readable)]
Digest = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_readable)]
Limit = Annotated[int, Field(ge=1, le=MOST, description="Entries of a page, at most.")]
After = Annotated[
    str, Field(max_length=2_000, description="What the page before said as `after`; empty: from the start.")
]
Number = Annotated[int, Field(ge=0, le=_LAST)]


class Asked(BaseModel):
    """Nothing else may be said."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sent(BaseModel):
    """A body: values have the types that they should have, and are not made to fit."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Nothing(Asked):
    """No parameters."""


class WantedReviews(Asked):
    """Which reviews: everything that is given has to hold."""

    state: Annotated[
        list[ReviewState], Field(max_length=20, description="One of these; may be given several times.")
    ] = []
    tier: Annotated[list[Tier], Field(max_length=20, description="One of these; may be given several times.")] = []
    tool: Name | None = None
    thread: Name | None = None
    record: Name | None = None
    requester: Name | None = None
    claimed_by: Name | None = None
    due_before: Annotated[
        str | None, Field(max_length=64, description="Has a deadline before that moment (ISO 8601).")
    ] = None
    limit: Limit = 50
    after: After = ""

    def filter(self) -> ReviewFilter:
        """As the queue takes it."""
        return ReviewFilter(
            states=frozenset(self.state) or None,
            tiers=frozenset(self.tier) or None,
            tool=self.tool,
            thread_id=self.thread,
            record_id=self.record,
            requester=self.requester,
            claimed_by=self.claimed_by,
            due_before=self.due_before,
        )


class WantedRecords(Asked):
    """Which records."""

    thread: Name | None = None
    limit: Limit = 50
    after: After = ""


class WantedEntries(Asked):
    """Which part of a chain of the audit log."""

    shard: Annotated[int, Field(ge=0, le=255)]
    after: Annotated[Number, Field(description="The number of the last entry that was seen.")] = 0
    limit: Limit = 50


class WantedTrail(Asked):
    """Which part of a review's audit trail."""

    after: Annotated[Number, Field(description="What the page before said as `after`.")] = 0
    limit: Limit = 50


class WantedDraws(Asked):
    """Which draws."""

    record: Name | None = None
    after: Annotated[Number, Field(description="What the page before said as `after`.")] = 0
    limit: Limit = 50


class WantedAlarms(Asked):
    """Which alarms."""

    standing: Annotated[bool, Field(description="Only those that nobody has cleared.")] = True


class WantedEvents(Asked):
    """From where on."""

    since: Annotated[
        int | None,
        Field(ge=0, le=_LAST, description="A change mark: what came after it is told too. See Last-Event-ID."),
    ] = None


class Lease(Sent):
    """A claim."""

    lease_seconds: Annotated[float, Field(gt=0, le=LONGEST_LEASE)] = LEASE
    override: Annotated[
        bool, Field(description="Take it from somebody else, which the role `reviews:override` may.")
    ] = False


class Renewal(Sent):
    """A claim that is to last longer."""

    lease_seconds: Annotated[float, Field(gt=0, le=LONGEST_LEASE)] = LEASE


class Release(Sent):
    """Giving a claim back."""

    override: bool = False


class Said(Sent):
    """A reviewer's answer."""

    type: Literal["approve", "edit", "reject", "respond"]
    message: Annotated[
        str,
        Field(max_length=MAX_MESSAGE, description="What the agent reads, on reject and respond."),
        AfterValidator(_readable),
    ] = ""
    fault: Annotated[
        Literal["wrong", "unwanted"] | None,
        Field(description="With edit and reject: is the call not what was asked for, or merely unwanted?"),
    ] = None


class Decide(Said):
    """A decision on one call."""

    seen_digest: Annotated[Digest, Field(description="`digest` of the review as it was shown to whoever decides.")]
    arguments: Annotated[
        dict[str, Any] | None, Field(description="With edit: all arguments, which must fit the tool's JSON Schema.")
    ] = None
    override: Annotated[
        bool, Field(description="Decide although somebody else has claimed it; the role `reviews:override` may.")
    ] = False


class Seen(Sent):
    """One review of a batch."""

    id: Id
    seen_digest: Digest


class DecideAll(Said):
    """The same decision on equal calls of the low tier."""

    type: Literal["approve", "reject", "respond"]
    reviews: Annotated[list[Seen], Field(min_length=1, max_length=MAX_BATCH)]


class Remark(Sent):
    """A comment."""

    text: Annotated[str, Field(min_length=1, max_length=MAX_COMMENT), AfterValidator(_readable)]


class Resolution(Sent):
    """What became of a call that a crash left executing."""

    outcome: Annotated[
        Literal["ran", "unknown"], Field(description="It took effect, or nobody can tell. Look before you say so.")
    ]
    note: Annotated[str, Field(max_length=1_000), AfterValidator(_readable)] = ""


def once(request: Request) -> None:
    """No parameter may stand twice, of which only one would count.

    Raises:
        Refused: one does.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1 and name not in _MANY]
    if twice:
        raise Refused(UNPROCESSABLE, f"the parameter {twice[0][:100]!r} stands there twice")


def no_query(request: Request) -> None:
    """Nothing may be said in the address.

    Raises:
        Refused: something is.
    """
    if request.query_params:
        raise Refused(UNPROCESSABLE, "no parameters are taken here")


Once = Depends(once)
NoQuery = Depends(no_query)
ReviewsQuery = Annotated[WantedReviews, Query()]
RecordsQuery = Annotated[WantedRecords, Query()]
EntriesQuery = Annotated[WantedEntries, Query()]
TrailQuery = Annotated[WantedTrail, Query()]
DrawsQuery = Annotated[WantedDraws, Query()]
AlarmsQuery = Annotated[WantedAlarms, Query()]
EventsQuery = Annotated[WantedEvents, Query()]
