"""``guardrail reviews``: look at the calls that wait for a human, and decide."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from guardrail.cli import render
from guardrail.cli.evidence import DECIDED, evidence, review_view
from guardrail.cli.options import by_option, full_option, json_option, opened_store, reviewer, store_option
from guardrail.cli.records import print_json
from guardrail.cli.safe_text import is_cut, plain
from guardrail.codec import to_json
from guardrail.errors import InvalidDecision, NotFound
from guardrail.review import UNFINISHED, WAITING, Queue
from guardrail.store import Store
from guardrail.types import DecisionType, Fault, Review, ReviewState, ToolCall, Verdict


@click.group()
def reviews() -> None:
    """Look at the calls that wait for a human, and decide."""


@reviews.command(name="list")
@click.option("--all", "everything", is_flag=True, help="Closed ones too.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(min=1), help="At most so many.")
@json_option
@store_option
def list_reviews(limit: int, *, everything: bool, as_json: bool) -> None:
    """List the reviews that are not closed, oldest first."""
    with opened_store() as store:
        found = store.reviews(states=None if everything else UNFINISHED, limit=limit)
    if as_json:
        print_json([to_json(review) for review in found])
    elif found:
        render.console().print(render.reviews_table(found))
    else:
        render.console().print(Text("no reviews" if everything else "no open reviews"))


@reviews.command()
@click.argument("identity", metavar="ID")
@full_option
@json_option
@store_option
def show(identity: str, *, full: bool, as_json: bool) -> None:
    """Show a review: the call, the evidence, what was decided."""
    with opened_store() as store:
        review = store.review(identity)
        if as_json:
            print_json(to_json(review))
        else:
            _print_review(store, review, full=full)


@reviews.command()
@click.argument("identity", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@full_option
@by_option
@store_option
def approve(identity: str, by: str | None, *, yes: bool, full: bool) -> None:
    """Let the call run as planned, once. Shows it and asks; a bare Enter approves nothing."""
    name = reviewer(by)
    with opened_store() as store:
        queue = Queue(store)
        review = queue.get(identity)
        if not yes and review.state in WAITING and DecisionType.APPROVE in review.decisions:
            _print_review(store, review, full=full)
            if not full and any(is_cut(value) for value in review.call.arguments.values()):
                click.echo("Some values are cut: --full shows all that would run.")
            if not click.confirm("Let this call run?", default=False):
                click.echo("Nothing was approved.")
                click.get_current_context().exit(1)
        _tell(queue.approve(review.id, by=name))


@reviews.command()
@click.argument("identity", metavar="ID")
@click.option("--args", "arguments", metavar="JSON|@FILE", required=True, help="All arguments, as a JSON object.")
@by_option
@store_option
def edit(identity: str, arguments: str, by: str | None) -> None:
    """Let the call run, once, with other arguments; they must fit the tool's schema."""
    name, given = reviewer(by), _read_arguments(arguments)
    with opened_store() as store:
        queue = Queue(store)
        _tell(queue.edit(queue.get(identity).id, by=name, arguments=given))


@reviews.command()
@click.argument("identity", metavar="ID")
@click.option("--message", default="", help="Tells the agent why.")
@click.option("--wrong", "fault", flag_value=Fault.WRONG.value, help="The call is not what was asked for.")
@click.option("--unwanted", "fault", flag_value=Fault.UNWANTED.value, help="It is, and should still not run.")
@by_option
@store_option
def reject(identity: str, message: str, fault: str | None, by: str | None) -> None:
    """Do not let the call run."""
    name = reviewer(by)
    with opened_store() as store:
        given = None if fault is None else Fault(fault)
        _tell(Queue(store).reject(identity, by=name, message=message, fault=given))


@reviews.command()
@click.argument("identity", metavar="ID")
@click.option("--message", required=True, help="What the agent reads in the tool's place.")
@by_option
@store_option
def respond(identity: str, message: str, by: str | None) -> None:
    """Answer the agent in the tool's place; the call does not run."""
    name = reviewer(by)
    with opened_store() as store:
        _tell(Queue(store).respond(identity, by=name, message=message))


@reviews.command()
@click.argument("identity", metavar="ID")
@click.option(
    "--outcome", type=click.Choice(["ran", "unknown"]), required=True, help="It took effect, or nobody can tell."
)
@click.option("--note", default="", help="How you know.")
@by_option
@store_option
def resolve(identity: str, outcome: str, note: str, by: str | None) -> None:
    """Close a review that a crash left executing, after looking whether the call took effect."""
    name = reviewer(by)
    with opened_store() as store:
        queue = Queue(store)
        review = queue.get(identity)
        _tell((queue.finish if outcome == "ran" else queue.unknown)(review.id, by=name, note=note))


def _print_review(store: Store, review: Review, *, full: bool) -> None:
    out = render.console()
    out.print(review_view(review, full=full))
    verdict = _verdict(store, review)
    if verdict is not None:
        out.print(evidence(verdict))


def _verdict(store: Store, review: Review) -> Verdict | None:
    try:
        return store.record(review.record_id).verdict.verdict(review.call.id)
    except NotFound:
        return None


def _tell(review: Review) -> None:
    call = review.call
    if review.decision is not None and review.decision.arguments is not None:
        call = ToolCall(name=call.name, arguments=review.decision.arguments)
    said = ""
    if review.decision is not None:
        said = f"{DECIDED[review.decision.type]} by {plain(review.decision.by)}"
    if review.state is not ReviewState.DECIDED:
        said += f"{', ' if said else ''}{review.state.value}"
    render.console().print(Text.assemble(f"{said}: ", render.call_text(call), "  [", render.short_id(review.id), "]"))


def _read_arguments(given: str) -> dict[str, Any]:
    where = "--args"
    if given.startswith("@"):
        where = given[1:]
        try:
            given = Path(where).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidDecision(f"{where} cannot be read: {error}") from error
    try:
        arguments = json.loads(given, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidDecision(f"{where} is no JSON: {error}") from error
    if not isinstance(arguments, dict):
        raise InvalidDecision(f'{where} must be a JSON object of all arguments, such as {{"amount": 20}}')
    return arguments


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("the same name is given twice")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
