"""The group of commands, and what they share: who acts, for which tenant, and what they say of a review."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from rich.text import Text

from guardrail.cli import render
from guardrail.cli.evidence import DECIDED, evidence, review_view
from guardrail.cli.options import opened_store
from guardrail.cli.safe_text import plain
from guardrail.errors import NotFound
from guardrail.review import OVERRIDE, WAITING, Queue
from guardrail.store import Store
from guardrail.types import Principal, Review, ReviewState, ToolCall, Verdict

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def reviews() -> None:
    """Look at the calls that wait for a human, and decide.

    Who can open the store is trusted: here you act as a person with every role, under the name that --by says. What
    keeps people apart (quorum, claims, not the requester) goes by that name.
    """


def _remember(context: click.Context, _: click.Parameter, tenant: str) -> None:
    context.ensure_object(dict)["tenant"] = tenant


def tenant_option(command: F) -> F:
    """``--tenant``: whose reviews."""
    return click.option(
        "--tenant",
        metavar="NAME",
        default="",
        envvar="GUARDRAIL_TENANT",
        callback=_remember,
        expose_value=False,
        help="Whose reviews, where a store has several tenants.",
    )(command)


override_option = click.option("--override", is_flag=True, help="Although somebody else has claimed it.")


@contextmanager
def opened_queue() -> Iterator[tuple[Store, Queue]]:
    """The store, and its reviews of the tenant that was named."""
    with opened_store() as store:
        yield store, Queue(store, tenant=click.get_current_context().obj.get("tenant", ""))


def local(name: str, *asked: Review) -> Principal:
    """The person at this machine, who has every role that these reviews ask for."""
    roles = dict.fromkeys(role for review in asked for role in review.roles)
    return Principal(name=name, roles=(*roles, OVERRIDE), tenant=asked[0].tenant)


def print_review(store: Store, review: Review, *, full: bool) -> None:
    """A review with its evidence."""
    out = render.console()
    out.print(review_view(review, full=full))
    if review.hidden:
        kept = f"`guardrail reviews reveal {review.id[:12]}` shows it" if review.sealed else "it was not kept"
        places = f"{len(review.hidden)} {'place' if len(review.hidden) == 1 else 'places'}"
        out.print(Text(f"something is hidden in {places}; {kept}. What runs is what was planned.", "dim"))
    verdict = _verdict(store, review)
    if verdict is not None:
        out.print(evidence(verdict))


def tell(review: Review) -> None:
    """What became of a review, in a line."""
    call = review.call
    if review.decision is not None and review.decision.arguments is not None:
        call = ToolCall(name=call.name, arguments=review.decision.arguments)
    said = ""
    if review.decision is not None:
        said = f"{DECIDED[review.decision.type]} by {plain(review.decision.by)}"
    elif review.votes and review.state is ReviewState.PENDING:
        last = review.votes[-1]
        said = f"{last.type.value} by {plain(last.by)} counts; {review.quorum} people have to agree"
    if review.state is not ReviewState.DECIDED:
        said += f"{', ' if said else ''}{review.state.value}"
    if review.state is ReviewState.CLAIMED and review.claim is not None:
        said += f" by {plain(review.claim.by)} until {render.time_text(review.claim.until)} UTC"
    if review.escalated and review.state in WAITING:
        said += ", escalated"
    render.console().print(Text.assemble(f"{said}: ", render.call_text(call), "  [", render.short_id(review.id), "]"))


def listed(found: list[Review]) -> None:
    """Reviews as a table."""
    render.console().print(render.reviews_table(found))


def _verdict(store: Store, review: Review) -> Verdict | None:
    try:
        return store.record(review.record_id).verdict.verdict(review.call.id)
    except NotFound:
        return None
