"""Who may do what: names that are one person, and what somebody has to be to decide on a review."""

from __future__ import annotations

from typing import Final

from guardrail.errors import InvalidDecision, NotPermitted
from guardrail.names import same_person, skeleton
from guardrail.types import Principal, PrincipalKind, Review

READ: Final = "reviews:read"
"""The scope to look at reviews."""
DECIDE: Final = "reviews:decide"
"""The scope to claim reviews, to comment on them and to decide."""
OVERRIDE: Final = "reviews:override"
"""The role that may decide on, or take over, what somebody else has claimed."""
MAX_NAME: Final = 200
"""Characters that a name may have."""


def named(principal: Principal) -> Principal:
    """The principal, if it has a usable name.

    Raises:
        InvalidDecision: no.
    """
    if not skeleton(principal.name):
        raise InvalidDecision("a decision needs the name of who takes it")
    if len(principal.name) > MAX_NAME:
        raise InvalidDecision(f"the name of who decides has {len(principal.name)} characters, the limit is {MAX_NAME}")
    return principal


def check_person(principal: Principal, doing: str) -> None:
    """Whether somebody is a person whose credentials are for this.

    Raises:
        NotPermitted: an agent, a part of this package, or credentials without the scope.
    """
    if principal.kind is not PrincipalKind.HUMAN:
        raise NotPermitted(f"{principal.name} is no person ({principal.kind.value}): only people may {doing}")
    check_scope(principal, DECIDE, doing)


def check_scope(principal: Principal, scope: str, doing: str) -> None:
    """Whether somebody's credentials are for this.

    Raises:
        NotPermitted: no.
    """
    if principal.scopes is not None and scope not in principal.scopes:
        raise NotPermitted(f"these credentials of {principal.name} may not {doing}: they lack the scope {scope}")


def check_reviewer(principal: Principal, review: Review, doing: str) -> None:
    """Whether somebody may decide on this review.

    Raises:
        NotPermitted: no person, the requester, or none of the roles that it asks for.
    """
    check_person(principal, doing)
    if review.requester and same_person(principal.name, review.requester):
        raise NotPermitted(f"{principal.name} asked for this call of {review.call.name}: somebody else has to {doing}")
    if review.roles and not set(review.roles) & set(principal.roles):
        wanted = " or ".join(review.roles)
        raise NotPermitted(f"{principal.name} lacks the role to {doing} here: {wanted} is needed")
