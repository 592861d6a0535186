"""Claim, decide, comment: what people do in the queue. Nothing here happens on GET, and no agent may do it."""

from __future__ import annotations

from starlette.requests import Request

from guardrail.errors import GuardrailError, ReviewConflict
from guardrail.review import Outcome
from guardrail.review.people import check_reviewer
from guardrail.types import Decision, DecisionType, Fault, Principal, Review, ReviewState
from guardrail.web.api import telling, told
from guardrail.web.api.asked import (
    Decide,
    DecideAll,
    Lease,
    NoQuery,
    Release,
    Remark,
    Renewal,
    Resolution,
)
from guardrail.web.api.reviews import ReviewId
from guardrail.web.api.routing import WRITING, may_decide, room
from guardrail.web.errors import described
from guardrail.web.house import house, need_person, whole_review

router = room("deciding", may_decide)


@router.post("/reviews/{review_id}/claim", summary="Claim a review", responses=WRITING, dependencies=[NoQuery])
def claim(request: Request, review_id: ReviewId, body: Lease) -> told.ReviewLine:
    """Take it to look at it: nobody else decides on it until the lease ends. Needs the scope `reviews:decide`."""
    who, review = _mine(request, review_id)
    given = {"lease": body.lease_seconds, "override": body.override}
    return telling.line(house(request).queue.claim(review.id, by=who, **given))  # type: ignore[arg-type]


@router.post("/reviews/{review_id}/renew", summary="Prolong a claim", responses=WRITING, dependencies=[NoQuery])
def renew(request: Request, review_id: ReviewId, body: Renewal) -> told.ReviewLine:
    """One's own, also one that ran out if nobody took it. Needs the scope `reviews:decide`."""
    who, review = _mine(request, review_id)
    return telling.line(house(request).queue.renew(review.id, by=who, lease=body.lease_seconds))


@router.post("/reviews/{review_id}/release", summary="Give a claim back", responses=WRITING, dependencies=[NoQuery])
def release(request: Request, review_id: ReviewId, body: Release) -> told.ReviewLine:
    """The review is pending again. Needs the scope `reviews:decide`."""
    who, review = _mine(request, review_id)
    return telling.line(house(request).queue.release(review.id, by=who, override=body.override))


@router.post("/reviews/{review_id}/decide", summary="Decide", responses=WRITING, dependencies=[NoQuery])
def decide(request: Request, review_id: ReviewId, body: Decide) -> told.ReviewLine:
    """Approve, edit, reject or respond, once. The same decision of the same person again is answered alike; any other
    is a conflict (409). `seen_digest` binds the decision to what was shown. Where a quorum is asked for, the answer may
    be a review that is still `pending`, with one more vote. Needs the scope `reviews:decide`.
    """
    who, review = _mine(request, review_id)
    decision = Decision(
        type=DecisionType(body.type),
        by=who.name,
        at="",
        arguments=body.arguments,
        message=body.message,
        fault=None if body.fault is None else Fault(body.fault),
    )
    given = {"seen_digest": body.seen_digest, "override": body.override}
    return telling.line(house(request).queue.decide(review.id, decision, by=who, **given))  # type: ignore[arg-type]


@router.post("/reviews/decide-all", summary="Decide alike on equal calls", responses=WRITING, dependencies=[NoQuery])
def decide_all(request: Request, body: DecideAll) -> told.OutcomesTold:
    """Only for calls of the low tier with one tool and equal arguments; each is decided by itself, and the answer says
    what became of each. If they are not equal, none is decided (422). Needs the scope `reviews:decide`.
    """
    who = need_person(request, "decide")
    reviews = [whole_review(request, one.id) for one in body.reviews]
    decision = Decision(
        type=DecisionType(body.type),
        by=who.name,
        at="",
        message=body.message,
        fault=None if body.fault is None else Fault(body.fault),
    )
    outcomes = house(request).queue.decide_all(
        [review.id for review in reviews],
        decision,
        by=who,
        seen_digests={one.id: one.seen_digest for one in body.reviews},
    )
    return told.OutcomesTold(outcomes=tuple(map(_outcome, outcomes)))


@router.post("/reviews/{review_id}/comments", summary="Comment", responses=WRITING, dependencies=[NoQuery])
def comment(request: Request, review_id: ReviewId, body: Remark) -> told.HistoryTold:
    """Write something beside it. It decides nothing, and the agent does not read it. Needs `reviews:decide`."""
    who, review = _mine(request, review_id)
    changed = house(request).queue.comment(review.id, by=who, text=body.text)
    return telling.history(changed)


@router.post(
    "/reviews/{review_id}/resolve", summary="Say what became of a call", responses=WRITING, dependencies=[NoQuery]
)
def resolve(request: Request, review_id: ReviewId, body: Resolution) -> told.ReviewLine:
    """Close a review that a crash left `executing`, after looking whether it took effect. Needs `reviews:decide`."""
    who, review = _mine(request, review_id)
    check_reviewer(who, review, "say what became of it")
    if review.state is not ReviewState.EXECUTING:
        raise ReviewConflict(f"review {review.id[:12]} is {review.state.value}: only one that is executing is resolved")
    queue = house(request).queue
    change = queue.finish if body.outcome == "ran" else queue.unknown
    return telling.line(change(review.id, by=who, note=body.note))


def _mine(request: Request, review_id: str) -> tuple[Principal, Review]:
    """Who acts, who must be a person, and the review, which must be there for them.

    Raises:
        NotSignedIn, NotPermitted: nobody, or an agent, or credentials that are not for deciding.
        NotFound: no review of exactly that id, or it is another tenant's.
    """
    who = need_person(request, "decide")
    return who, whole_review(request, review_id)


def _outcome(outcome: Outcome) -> told.OutcomeTold:
    if outcome.review is not None:
        return told.OutcomeTold(
            id=outcome.review_id, status=200, code="", detail="", review=telling.line(outcome.review)
        )
    kind, detail = described(outcome.error or GuardrailError("nothing is known of it"))
    return told.OutcomeTold(id=outcome.review_id, status=kind.status, code=kind.code, detail=detail, review=None)
