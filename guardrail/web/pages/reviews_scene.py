"""Everything that the page of one review shows, gathered for whoever opens it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request

from guardrail.codec import to_json
from guardrail.engine import REVEAL
from guardrail.errors import NotFound
from guardrail.review import DECIDE, OVERRIDE, WAITING, live, same_person
from guardrail.review.deadlines import overdue
from guardrail.review.votes import same_json
from guardrail.types import (
    AuditEntry,
    Claim,
    DecisionType,
    Principal,
    PrincipalKind,
    Record,
    Review,
    ReviewState,
    ToolCall,
    ToolSpec,
    Verdict,
)
from guardrail.web.house import House, house, principal, visible_record

_TRAIL = 300
"""Entries of the audit log that a page shows."""


@dataclass(frozen=True, kw_only=True)
class Sibling:
    """Another call of the same step, what was decided about it, and its review if it has one."""

    call: ToolCall
    route: str
    why: str
    review: Review | None


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One review with all that belongs to it.

    ``refusal`` says why whoever looks may not decide; empty: they may. ``edited_call``: the review is about arguments
    that a person wrote, and the measurements are about those that the model had planned.
    """

    review: Review
    who: Principal
    now: datetime
    record: Record | None
    verdict: Verdict | None
    edited_call: bool
    tool: ToolSpec | None
    siblings: tuple[Sibling, ...]
    earlier: tuple[Review, ...]
    trail: tuple[AuditEntry, ...]
    claim: Claim | None
    refusal: str

    @property
    def waits(self) -> bool:
        """Whether people may still decide."""
        return self.review.state in WAITING

    @property
    def mine(self) -> bool:
        """Whether whoever looks holds the claim."""
        return self.claim is not None and self.claim.by == self.who.name

    @property
    def person(self) -> bool:
        """Whether whoever looks may claim, comment and decide at all."""
        return may_act(self.who)

    @property
    def decides(self) -> bool:
        """Whether whoever looks gets the forms of a decision."""
        return self.waits and not self.late and not self.refusal

    @property
    def late(self) -> bool:
        """Whether its deadline has passed, and nothing has written that down yet."""
        return overdue(self.review, self.now)

    @property
    def overrides(self) -> bool:
        """Whether deciding means to pass over somebody's claim, and whoever looks may."""
        return self.claim is not None and not self.mine and OVERRIDE in self.who.roles

    @property
    def held(self) -> bool:
        """Whether somebody else holds it, and whoever looks may not pass over that."""
        return self.claim is not None and not self.mine and not self.overrides

    def allows(self, kind: str) -> bool:
        """Whether this is one of the decisions that the call may get."""
        return DecisionType(kind) in self.review.decisions

    @property
    def reveals(self) -> bool:
        """Whether something of it is hidden, was kept, and may be looked at by whoever looks."""
        return self.review.sealed and REVEAL in self.who.roles and self.who.kind is PrincipalKind.HUMAN

    @property
    def resolves(self) -> bool:
        """Whether a crash may have left it here, so that a person has to say what became of the call."""
        return self.review.state is ReviewState.EXECUTING and not self.refusal


def may_act(who: Principal) -> bool:
    """Whether somebody is a person whose credentials are for deciding."""
    return who.kind is PrincipalKind.HUMAN and (who.scopes is None or DECIDE in who.scopes)


def scene(request: Request, review: Review) -> Scene:
    """What belongs to a review that is there for whoever asks."""
    place, who = house(request), principal(request)
    now = place.clock()
    try:
        record = visible_record(request, review.record_id) if review.record_id else None
    except NotFound:
        record = None  # deleted by retention, or nothing assessed the call
    verdict = record.verdict.verdict(review.call.id) if record is not None else None
    same_step = [
        one
        for one in (place.store.reviews(record_id=review.record_id, limit=200) if review.record_id else [])
        if one.tenant == review.tenant and one.id != review.id
    ]
    return Scene(
        review=review,
        who=who,
        now=now,
        record=record,
        verdict=verdict,
        edited_call=verdict is not None and not same_json(to_json(verdict.call), to_json(review.call)),
        tool=tool_of(record, review),
        siblings=_siblings(record, review, same_step),
        earlier=tuple(one for one in same_step if one.call.id == review.call.id),
        trail=_trail(place, review),
        claim=live(review, now),
        refusal=_refusal(who, review),
    )


def tool_of(record: Record | None, review: Review) -> ToolSpec | None:
    """The tool as the model was offered it; None where that is not known."""
    tools = record.tools if record is not None else ()
    return next((tool for tool in tools if tool.name == review.call.name), None)


def _siblings(record: Record | None, review: Review, same_step: list[Review]) -> tuple[Sibling, ...]:
    if record is None:
        return ()
    return tuple(
        Sibling(
            call=verdict.call,
            route=verdict.route.value,
            why=verdict.why,
            review=next((one for one in reversed(same_step) if one.call.id == verdict.call.id), None),
        )
        for verdict in record.verdict.verdicts
        if verdict.call.id != review.call.id
    )


def _trail(place: House, review: Review) -> tuple[AuditEntry, ...]:
    """What the audit log says of the review, from the beginning."""
    return tuple(place.store.audit_entries(tenant=review.tenant, subject=review.id, limit=_TRAIL))


def _refusal(who: Principal, review: Review) -> str:
    """Why somebody may not decide on it, before the queue says so; it has the last word."""
    if who.kind is not PrincipalKind.HUMAN:
        return "Only people decide, and these credentials are a program's."
    if not may_act(who):
        return "These credentials are for reading."
    if review.requester and same_person(who.name, review.requester):
        return "You asked for this call, so somebody else has to decide."
    if review.roles and not set(review.roles) & set(who.roles):
        return f"Whoever decides here needs the role {' or '.join(review.roles)}."
    return ""
