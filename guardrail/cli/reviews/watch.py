"""``guardrail reviews watch``: what waits, as it changes, and the next decision, asked for in words."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

import click

from guardrail.cli import render
from guardrail.cli.options import by_option, full_option, reviewer, store_option
from guardrail.cli.reviews.decide import read_arguments
from guardrail.cli.reviews.group import listed, local, opened_queue, print_review, reviews, tell, tenant_option
from guardrail.cli.safe_text import is_cut, plain
from guardrail.errors import GuardrailError, InvalidDecision
from guardrail.review import WAITING, Queue
from guardrail.store import Store
from guardrail.types import DecisionType, Review, ReviewFilter

_ASKED: Final = "Which one? Its id, Enter to look again, q to leave: "
_MOST: Final = 20


class _Lines:
    """What a person types, line by line, so that the table can change in the meantime."""

    def __init__(self) -> None:
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def next(self, seconds: float | None = None) -> str | None:
        """The next line; None at the end.

        Raises:
            Empty: nothing was typed in that time.
        """
        line = self._lines.get(timeout=seconds)
        if line is None:
            self._lines.put(None)
        return line

    def _read(self) -> None:
        for line in sys.stdin:
            self._lines.put(line.strip())
        self._lines.put(None)


@reviews.command()
@click.option(
    "--every", default=2.0, show_default=True, type=click.FloatRange(0.1), help="Seconds between looks at the store."
)
@full_option
@by_option
@tenant_option
@store_option
def watch(every: float, by: str | None, *, full: bool) -> None:
    """Watch what waits, pick one, and decide on it. Deadlines are kept meanwhile.

    The one that you pick is claimed for you as long as you look at it.
    """
    name, lines = reviewer(by), _Lines()
    with opened_queue() as (store, queue):
        seen: list[tuple[str, int]] | None = None
        while True:
            queue.sweep()
            page = queue.find(ReviewFilter(states=WAITING), limit=_MOST)
            now = [(review.id, review.revision) for review in page.reviews]
            if now != seen:
                seen = now
                _table(list(page.reviews), more=bool(page.after))
            try:
                line = lines.next(every)
            except Empty:
                continue
            if line is None or line in ("q", "quit"):
                return
            seen = None
            if line:
                _guarded(lambda line=line: _one(store, queue, line, name, lines, full=full))  # type: ignore[misc]


def _table(found: list[Review], *, more: bool) -> None:
    if sys.stdout.isatty():
        click.clear()
    if not found:
        click.echo("nothing waits for a human; q to leave")
        return
    listed(found)
    if more:
        click.echo(f"... and more than these {_MOST}")
    click.echo(_ASKED, nl=False)
    sys.stdout.flush()


def _one(store: Store, queue: Queue, identity: str, name: str, lines: _Lines, *, full: bool) -> None:
    """One review: claimed, shown, decided or given back."""
    review = queue.get(identity)
    who = local(name, review)
    review = queue.claim(review.id, by=who)
    try:
        print_review(store, review, full=full)
        whole = full or not any(is_cut(value) for value in review.call.arguments.values())
        if not whole:
            click.echo("Some values are cut, so it cannot be approved here: --full shows all that would run.")
        kinds = [kind.value for kind in review.decisions if whole or kind is not DecisionType.APPROVE]
        click.echo(f"{', '.join(kinds)} or comment? The whole word; Enter gives it back: ", nl=False)
        said = lines.next() or ""
        if said == "comment":
            tell(queue.comment(review.id, by=who, text=_ask(lines, "comment")))
        elif said in kinds:
            tell(_decided(queue, review, said, name, lines))
        elif said:
            click.echo(f"{plain(said)} is none of these; nothing was decided.")
    finally:
        if queue.get(review.id).state in WAITING:
            queue.release(review.id, by=who)


def _decided(queue: Queue, review: Review, kind: str, name: str, lines: _Lines) -> Review:
    who, seen = local(name, review), review.digest
    queue.renew(review.id, by=who)
    match kind:
        case "approve":
            return queue.approve(review.id, by=who, seen_digest=seen)
        case "edit":
            arguments = read_arguments(_ask(lines, "all arguments, as JSON or @FILE"))
            return queue.edit(review.id, by=who, arguments=arguments, seen_digest=seen)
        case "reject":
            return queue.reject(review.id, by=who, message=_ask(lines, "why (Enter: without a word)"), seen_digest=seen)
        case _:
            return queue.respond(review.id, by=who, message=_ask(lines, "answer to the agent"), seen_digest=seen)


def _ask(lines: _Lines, what: str) -> str:
    click.echo(f"{what}: ", nl=False)
    line = lines.next()
    if line is None:
        raise InvalidDecision("nothing more was typed; nothing was decided")
    return line


def _guarded(act: Callable[[], None]) -> None:
    """What cannot be done is said, and the watch goes on."""
    try:
        act()
    except GuardrailError as error:
        render.console().print(plain(str(error)))
