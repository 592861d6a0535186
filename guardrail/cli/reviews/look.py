"""Commands that show reviews, hold them, and keep their deadlines; none of them decides."""

from __future__ import annotations

import click
from rich.text import Text

from guardrail.cli import render
from guardrail.cli.options import by_option, full_option, json_option, reviewer, store_option
from guardrail.cli.records import print_json
from guardrail.cli.reviews.group import (
    listed,
    local,
    opened_queue,
    override_option,
    print_review,
    reviews,
    tell,
    tenant_option,
)
from guardrail.codec import to_json
from guardrail.review import LEASE, LONGEST_LEASE, UNFINISHED
from guardrail.types import ReviewFilter, ReviewState, Tier


@reviews.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Closed ones too.")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([each.value for each in ReviewState]),
    help="Only these states.",
)
@click.option(
    "--tier", "tiers", multiple=True, type=click.Choice([each.value for each in Tier]), help="Only these tiers."
)
@click.option("--tool", help="Only calls of this tool.")
@click.option("--requester", help="Only what this one asked for.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(min=1), help="At most so many.")
@json_option
@tenant_option
@store_option
def list_reviews(
    limit: int,
    states: tuple[str, ...],
    tiers: tuple[str, ...],
    tool: str | None,
    requester: str | None,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    """List the reviews that are not closed: the highest stakes first, and of one priority the oldest."""
    chosen = frozenset(map(ReviewState, states)) or (None if everything else UNFINISHED)
    wanted = ReviewFilter(states=chosen, tiers=frozenset(map(Tier, tiers)) or None, tool=tool, requester=requester)
    with opened_queue() as (_, queue):
        page = queue.find(wanted, limit=limit)
    if as_json:
        print_json([to_json(review) for review in page.reviews])
    elif page.reviews:
        listed(list(page.reviews))
        if page.after:
            click.echo(f"There are more than these {limit}: --limit shows them.")
    else:
        render.console().print(Text("no reviews" if everything else "no open reviews"))


@reviews.command()
@click.argument("identity", metavar="ID")
@full_option
@json_option
@tenant_option
@store_option
def show(identity: str, *, full: bool, as_json: bool) -> None:
    """Show a review: the call, the evidence, what was decided."""
    with opened_queue() as (store, queue):
        review = queue.get(identity)
        if as_json:
            print_json(to_json(review))
        else:
            print_review(store, review, full=full)


@reviews.command()
@click.argument("identity", metavar="ID")
@click.option(
    "--for",
    "lease",
    default=LEASE,
    show_default=True,
    type=click.FloatRange(0, LONGEST_LEASE, min_open=True),
    help="Seconds.",
)
@override_option
@by_option
@tenant_option
@store_option
def claim(identity: str, lease: float, by: str | None, *, override: bool) -> None:
    """Hold a review while you look at it: nobody else decides on it meanwhile."""
    name = reviewer(by)
    with opened_queue() as (_, queue):
        review = queue.get(identity)
        tell(queue.claim(review.id, by=local(name, review), lease=lease, override=override))


@reviews.command()
@click.argument("identity", metavar="ID")
@override_option
@by_option
@tenant_option
@store_option
def release(identity: str, by: str | None, *, override: bool) -> None:
    """Give back a review that you have claimed."""
    name = reviewer(by)
    with opened_queue() as (_, queue):
        review = queue.get(identity)
        tell(queue.release(review.id, by=local(name, review), override=override))


@reviews.command()
@click.argument("identity", metavar="ID")
@click.argument("text")
@by_option
@tenant_option
@store_option
def comment(identity: str, text: str, by: str | None) -> None:
    """Write something beside a review, for other people; it decides nothing, and the agent does not read it."""
    name = reviewer(by)
    with opened_queue() as (_, queue):
        review = queue.get(identity)
        tell(queue.comment(review.id, by=local(name, review), text=text))


@reviews.command()
@json_option
@tenant_option
@store_option
def sweep(*, as_json: bool) -> None:
    """Reject the reviews whose deadline has passed, and escalate those for which it is time; for cron.

    It does so for all tenants, and tells of those of yours.
    """
    with opened_queue() as (_, queue):
        changed = queue.sweep()
    if as_json:
        print_json([to_json(review) for review in changed])
        return
    for review in changed:
        tell(review)
