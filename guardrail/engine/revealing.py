"""Looking at what is hidden of a review: by somebody who may, and never without a line in the audit log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from guardrail import audit
from guardrail.codec import digest
from guardrail.errors import ConfigError, NotFound, NotPermitted, ReviewError
from guardrail.redaction import VARIABLE, Vault, raw_digest
from guardrail.review import CALL, EDIT, Queue
from guardrail.types import Principal, PrincipalKind, Sealed

if TYPE_CHECKING:
    from guardrail.store import Store

REVEAL: Final = "reviews:reveal"
"""The role that may look at what is hidden."""
REVEALED: Final = "hidden.revealed"
"""What the audit log calls it; its subject is the review's id."""


@dataclass(frozen=True, kw_only=True)
class Revealed:
    """The arguments of a call as they were planned, and as a reviewer typed the edit of it, where something of that is
    hidden too: it may keep marks of planned values.
    """

    arguments: dict[str, Any] = field(repr=False)
    edited: dict[str, Any] | None = field(default=None, repr=False)


def reveal(
    store: Store, review_id: str, *, by: Principal, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Revealed:
    """What is hidden of a review (its id may be shortened). The audit log says so before anybody sees it.

    Raises:
        NotPermitted: no person, or one without the role ``reviews:reveal`` or the scope ``reviews:read``.
        NotFound: there is no such review for this one, or nothing of it was kept.
        ConfigError: there is no key, or not the one that it was sealed with.
        ReviewError: what was kept was changed, or belongs to another review.
        StoreError: it could not be written into the audit log; nothing is shown.
    """
    review = Queue(store, tenant=by.tenant).get(review_id, by=by)
    if by.kind is not PrincipalKind.HUMAN or REVEAL not in by.roles:
        raise NotPermitted(f"{by.name} may not look at what is hidden: a person with the role {REVEAL} may")
    kept = {one.slot: one for one in store.sealed(review.id)}
    if CALL not in kept:
        why = "it was not kept" if review.hidden else "nothing of it is hidden"
        raise NotFound(f"review {review.id[:12]} of {review.call.name} has nothing to reveal: {why}")
    vault = Vault.from_environment()
    if vault is None:
        raise ConfigError(f"what is hidden is sealed, and {VARIABLE} is not set here: put the key there")

    def opened(sealed: Sealed) -> dict[str, Any]:
        return vault.open(sealed, review_id=review.id, tenant=review.tenant, slot=sealed.slot)

    arguments = opened(kept[CALL])
    if raw_digest(review.thread_id, review.call.name, arguments) != review.raw:
        raise ReviewError(
            f"what is sealed for review {review.id[:12]} is not the call that it is about: it is not used"
        )
    typed = kept.get(EDIT + review.decision.typed) if review.decision is not None else None
    found = Revealed(arguments=arguments, edited=None if typed is None else opened(typed))
    bound = digest(REVEALED, review.digest)
    store.note(
        audit.draft(
            what=REVEALED, subject=review.id, body=bound, by=by.name, at=now().isoformat(), tenant=review.tenant
        )
    )
    return found
