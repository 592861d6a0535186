"""``guardrail log`` and ``guardrail show``: what the guard decided."""

from __future__ import annotations

import json

import click
from rich.text import Text

from guardrail.cli import render
from guardrail.cli.evidence import record_view, review_view
from guardrail.cli.options import full_option, json_option, opened_store, store_option
from guardrail.codec import to_json
from guardrail.errors import NotFound
from guardrail.store import Store
from guardrail.types import Record, Review

_ALL = 1000


@click.command()
@click.option("--thread", "thread_id", metavar="ID", help="Only this thread's.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1), help="At most so many.")
@json_option
@store_option
def log(thread_id: str | None, limit: int, *, as_json: bool) -> None:
    """List what the guard decided, newest first."""
    with opened_store() as store:
        records = store.records(thread_id=thread_id, limit=limit)
        if as_json:
            print_json([to_json(record) for record in records])
        elif records:
            found = [(record, store.reviews(record_id=record.id, limit=_ALL)) for record in records]
            render.console().print(render.records_table(found))
        else:
            render.console().print(Text("no records yet" if thread_id is None else "no records of this thread"))


@click.command()
@click.argument("identity", metavar="ID")
@full_option
@json_option
@store_option
def show(identity: str, *, full: bool, as_json: bool) -> None:
    """Show a record, or the record behind a review, with all its evidence.

    ID may be shortened to its first 6 characters or more.
    """
    with opened_store() as store:
        record, reviews = _record_and_reviews(store, identity)
        if as_json:
            print_json(
                {
                    "record": None if record is None else to_json(record),
                    "reviews": [to_json(review) for review in reviews],
                }
            )
        elif record is None:
            render.console().print(review_view(reviews[0], full=full))
        else:
            render.console().print(record_view(record, reviews, full=full))


def _record_and_reviews(store: Store, identity: str) -> tuple[Record | None, list[Review]]:
    try:
        record = store.record(identity)
    except NotFound as no_record:
        try:
            review = store.review(identity)
        except NotFound as no_review:
            raise NotFound(f"{no_record}; {no_review}") from no_review
        try:
            record = store.record(review.record_id)
        except NotFound:
            return None, [review]
    return record, store.reviews(record_id=record.id, limit=_ALL)


def print_json(data: object) -> None:
    """Print data as ASCII JSON, which no terminal and no pipe can get wrong."""
    click.echo(json.dumps(data, indent=2))
