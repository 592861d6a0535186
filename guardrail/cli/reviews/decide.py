"""Commands that decide on a review."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from guardrail.cli.options import by_option, full_option, reviewer, store_option
from guardrail.cli.reviews.group import local, opened_queue, override_option, print_review, reviews, tell, tenant_option
from guardrail.cli.safe_text import is_cut
from guardrail.errors import InvalidDecision
from guardrail.review import WAITING
from guardrail.types import DecisionType, Fault


@reviews.command()
@click.argument("identity", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@override_option
@full_option
@by_option
@tenant_option
@store_option
def approve(identity: str, by: str | None, *, yes: bool, override: bool, full: bool) -> None:
    """Let the call run as planned, once. Shows it and asks; a bare Enter approves nothing."""
    name = reviewer(by)
    with opened_queue() as (store, queue):
        review = queue.get(identity)
        if not yes and review.state in WAITING and DecisionType.APPROVE in review.decisions:
            print_review(store, review, full=full)
            if not full and any(is_cut(value) for value in review.call.arguments.values()):
                click.echo("Some values are cut: --full shows all that would run.")
            if not click.confirm("Let this call run?", default=False):
                click.echo("Nothing was approved.")
                click.get_current_context().exit(1)
        tell(queue.approve(review.id, by=local(name, review), seen_digest=review.digest, override=override))


@reviews.command()
@click.argument("identity", metavar="ID")
@click.option("--args", "arguments", metavar="JSON|@FILE", required=True, help="All arguments, as a JSON object.")
@override_option
@by_option
@tenant_option
@store_option
def edit(identity: str, arguments: str, by: str | None, *, override: bool) -> None:
    """Let the call run, once, with other arguments; they must fit the tool's schema."""
    name, given = reviewer(by), read_arguments(arguments)
    with opened_queue() as (_, queue):
        review = queue.get(identity)
        tell(queue.edit(review.id, by=local(name, review), arguments=given, override=override))


@reviews.command()
@click.argument("identity", metavar="ID")
@click.option("--message", default="", help="Tells the agent why.")
@click.option("--wrong", "fault", flag_value=Fault.WRONG.value, help="The call is not what was asked for.")
@click.option("--unwanted", "fault", flag_value=Fault.UNWANTED.value, help="It is, and should still not run.")
@override_option
@by_option
@tenant_option
@store_option
def reject(identity: str, message: str, fault: str | None, by: str | None, *, override: bool) -> None:
    """Do not let the call run."""
    name = reviewer(by)
    with opened_queue() as (_, queue):
        review = queue.get(identity)
        given = None if fault is None else Fault(fault)
        tell(queue.reject(review.id, by=local(name, review), message=message, fault=given, override=override))


@reviews.command()
@click.argument("identity", metavar="ID")
@click.option("--message", required=True, help="What the agent reads in the tool's place.")
@override_option
@by_option
@tenant_option
@store_option
def respond(identity: str, message: str, by: str | None, *, override: bool) -> None:
    """Answer the agent in the tool's place; the call does not run."""
    name = reviewer(by)
    with opened_queue() as (_, queue):
        review = queue.get(identity)
        tell(queue.respond(review.id, by=local(name, review), message=message, override=override))


@reviews.command()
@click.argument("identity", metavar="ID")
@click.option(
    "--outcome", type=click.Choice(["ran", "unknown"]), required=True, help="It took effect, or nobody can tell."
)
@click.option("--note", default="", help="How you know.")
@by_option
@tenant_option
@store_option
def resolve(identity: str, outcome: str, note: str, by: str | None) -> None:
    """Close a review that a crash left executing, after looking whether the call took effect."""
    name = reviewer(by)
    with opened_queue() as (_, queue):
        review = queue.get(identity)
        tell((queue.finish if outcome == "ran" else queue.unknown)(review.id, by=local(name, review), note=note))


def read_arguments(given: str) -> dict[str, Any]:
    """The arguments that a person wrote, as JSON or in a file.

    Raises:
        InvalidDecision: they are no JSON object.
    """
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
