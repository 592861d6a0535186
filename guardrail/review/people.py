"""Who may do what: names that are one person, and what somebody has to be to decide on a review."""

from __future__ import annotations

import unicodedata
from typing import Final

from guardrail.errors import InvalidDecision, NotPermitted
from guardrail.types import Principal, PrincipalKind, Review

READ: Final = "reviews:read"
"""The scope to look at reviews."""
DECIDE: Final = "reviews:decide"
"""The scope to claim reviews, to comment on them and to decide."""
OVERRIDE: Final = "reviews:override"
"""The role that may decide on, or take over, what somebody else has claimed."""
MAX_NAME: Final = 200
"""Characters that a name may have."""

# Letters of other alphabets, and digits, that are drawn like a Latin one (after Unicode's confusables, UTS 39).
_LOOK_ALIKE: Final = str.maketrans(
    {
        **dict(zip("аеорсухіјѕһԁԛԝѵӏвкмнт", "aeopcyxijshdqwvlbkmht", strict=True)),  # Cyrillic
        **dict(zip("αεορυχικντ", "aeopuxiknt", strict=True)),  # Greek
        **dict(zip("\u0585\u057d\u0570\u0578\u0581\u0584", "oshngq", strict=True)),  # Armenian
        **dict(zip("01|\u0251\u0261\u0131", "ollagi", strict=True)),
    }
)
_ACCENTS: Final = range(0x300, 0x370)
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def same_person(one: str, other: str) -> bool:
    """Whether two names may be one person: case, spaces, invisible characters, accents and look-alikes do not count."""
    return skeleton(one) == skeleton(other)


def skeleton(name: str) -> str:
    """What is left of a name when all is taken away that a reader would not tell apart."""
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    return "".join(each for each in text if not _no_ink(each)).translate(_LOOK_ALIKE)


def _no_ink(character: str) -> bool:
    """An accent, or something that is not seen. Vowel signs of other scripts tell names apart, and stay."""
    return ord(character) in _ACCENTS or character in _BLANK or unicodedata.category(character)[0] in "CZ"


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
