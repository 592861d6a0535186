"""Decisions on calls of which something is hidden: how they are written down, and what runs.

Stored calls hold marks; what runs is the call as the agent planned it, told by its digest. Nothing here opens a call's
own values: they come from whoever runs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from guardrail.codec import canonical, digest
from guardrail.errors import ConfigError, InvalidDecision, ReviewError
from guardrail.redaction import VARIABLE, HiddenEdit, Vault, hide_edit, masked_text, raw_digest, restored
from guardrail.store import Store
from guardrail.types import Decision, Review, Verdict

EDIT: Final = "edit "
"""In front of the digest of what was typed: where an edit is sealed."""


def planned_as(kept: Review | Verdict, thread_id: str, name: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a call is exactly the one that was planned and written down there."""
    if kept.raw:
        return raw_digest(thread_id, name, arguments) == kept.raw
    return not kept.hidden and kept.call.name == name and kept.call.arguments == dict(arguments)


def runs_as(review: Review, decision: Decision, name: str, arguments: Mapping[str, Any]) -> bool:
    """Whether a call is exactly what the decision lets run: the planned one, or the edit with what it keeps."""
    if decision.arguments is None:
        return planned_as(review, review.thread_id, name, arguments)
    if review.hidden or decision.hidden:
        return bool(decision.runs) and raw_digest(review.thread_id, name, arguments) == decision.runs
    return review.call.name == name and _same(decision.arguments, arguments)


def written(review: Review, decision: Decision) -> tuple[Decision, HiddenEdit | None]:
    """A decision as it is written down, and, where it is an edit, which of its places are hidden.

    Raises:
        InvalidDecision: a mark stands where it does not belong.
    """
    message = masked_text(decision.message)
    masked = decision if message == decision.message else replace(decision, message=message)
    if decision.arguments is None:
        return masked, None
    edit = hide(review, decision.arguments)
    return replace(masked, arguments=edit.arguments, hidden=edit.hidden, typed=edit.typed), edit


def hide(review: Review, arguments: Mapping[str, Any]) -> HiddenEdit:
    """An edit of a review's call as it is written down.

    Raises:
        InvalidDecision: a mark stands where it does not belong, or they are no JSON.
    """
    try:
        canonical(dict(arguments))
        return hide_edit(arguments, review.call.arguments, review.hidden, review.hiding, salt=review.id)
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidDecision(f"the edited arguments are no JSON ({type(error).__name__})") from error


def seal_edit(store: Store, review: Review, decision: Decision, edit: HiddenEdit, at: str) -> None:
    """Keep what a reviewer typed that is hidden: an edit that nobody can read any more could not run.

    Raises:
        InvalidDecision: there is no key, or the policy lets nothing be kept.
    """
    vault = Vault.from_environment() if review.hiding.keep else None
    if vault is None:
        typed = ", ".join(place for place in edit.hidden if place not in edit.kept)
        why = f"{VARIABLE} is not set here" if review.hiding.keep else "the policy keeps nothing that is hidden"
        raise InvalidDecision(
            f"the edit has a value that may not be written down ({typed}), and {why}, so it could not run: leave the "
            "planned value, or reject the call and say what to do instead"
        )
    sealed = vault.seal(
        decision.arguments or {}, review_id=review.id, tenant=review.tenant, slot=EDIT + edit.typed, at=at
    )
    store.add_sealed(sealed)


def what_runs(
    review: Review,
    decision: Decision,
    planned: Mapping[str, Any],
    store: Store,
    *,
    typed: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The arguments that run after an approval or edit: the ``planned`` ones as they are, or the edit of them.

    ``typed`` are the arguments of the edit as the reviewer gave them, where they are at hand; else they are unsealed.

    Raises:
        ReviewError: it cannot be told what was approved; it must not run.
        ConfigError: the key to what was typed is not there.
    """
    if decision.arguments is None:
        return dict(planned)
    given: Mapping[str, Any] = decision.arguments
    if decision.typed:
        at_hand = typed is not None and _digest(review, typed) == decision.typed
        given = typed if at_hand and typed is not None else _unsealed(store, review, decision)
    edit = hide(review, given)
    if edit.typed and decision.typed and canonical(edit.arguments) != canonical(decision.arguments):
        raise ReviewError("what was typed into the edit is not what was decided: have the agent plan the call again")
    return restored(given, review.call.arguments, planned, edit.kept)


def _unsealed(store: Store, review: Review, decision: Decision) -> dict[str, Any]:
    slot = EDIT + decision.typed
    sealed = next((one for one in store.sealed(review.id) if one.slot == slot), None)
    vault = Vault.from_environment()
    if sealed is None:
        raise ReviewError("what was typed into the edit was not kept: have the agent plan the call again")
    if vault is None:
        raise ConfigError(
            f"what was typed into the edit of review {review.id[:12]} is sealed, and {VARIABLE} is not set here: "
            "put the key there that the others use"
        )
    found = vault.open(sealed, review_id=review.id, tenant=review.tenant, slot=slot)
    if _digest(review, found) != decision.typed:
        raise ReviewError("what was typed into the edit is not what was decided: have the agent plan the call again")
    return found


def _digest(review: Review, typed: Mapping[str, Any]) -> str:
    try:
        return digest("typed", review.id, dict(typed))
    except (ValueError, TypeError, RecursionError):
        return ""


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return canonical(dict(one)) == canonical(dict(other))
