"""Commands about what is hidden of reviews: look at it, and make a key to keep it with."""

from __future__ import annotations

from dataclasses import replace

import click

from guardrail.cli.options import by_option, reviewer, store_option
from guardrail.cli.records import print_json
from guardrail.cli.reviews.group import local, opened_queue, reviews, tenant_option


@reviews.command()
@click.argument("identity", metavar="ID")
@by_option
@tenant_option
@store_option
def reveal(identity: str, by: str | None) -> None:
    """Show what is hidden of a call, as JSON. It takes the key in GUARDRAIL_KEY; the audit log keeps who looked."""
    from guardrail.engine import REVEAL
    from guardrail.engine import reveal as opened

    name = reviewer(by)
    with opened_queue() as (store, queue):
        review = queue.get(identity)
        who = local(name, review)
        found = opened(store, review.id, by=replace(who, roles=(*who.roles, REVEAL)))
    edited = {} if found.edited is None else {"edited": found.edited}
    print_json({"tool": review.call.name, "arguments": found.arguments, **edited})


@reviews.command(name="new-key")
def new_key() -> None:
    """Make a key for GUARDRAIL_KEY, with which what is hidden is kept. It is printed and stored nowhere."""
    from guardrail.redaction import new_key as made

    click.echo(made())
