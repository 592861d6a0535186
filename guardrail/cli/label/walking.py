"""One call after another put to a person: what was asked for and what would run first, the guard's evidence after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import click
from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.text import Text

from guardrail.calibration.judgements import contradict
from guardrail.calibration.labelled import judged_calls, judged_twice
from guardrail.cli import render
from guardrail.cli.evidence import evidence
from guardrail.cli.label.attaching import label_text
from guardrail.cli.safe_text import LONG, shown
from guardrail.engine.questions import Open, Why, open_calls
from guardrail.redaction import masked_text
from guardrail.store import Store, stored_records
from guardrail.types import Fault, Label, LabelSource, Record, Tier, Verdict

_TURNS: Final = 6
"""How many messages of the conversation are shown; more on request."""
_WORDS: Final = {
    "y": "y", "yes": "y", "right": "y",
    "n": "n", "no": "n", "wrong": "n",
    "u": "u", "unwanted": "u",
    "s": "s", "skip": "s",
    "b": "b", "back": "b",
    "t": "t", "note": "t",
    "m": "m", "more": "m",
    "?": "?", "h": "?", "help": "?",
    "q": "q", "quit": "q",
}  # fmt: skip
_HELP: Final = (
    "  y  right: it is what was asked for, and may run\n"
    "  n  wrong: it is not what was asked for\n"
    "  u  unwanted: it is what was asked for, and should still not run\n"
    "  s  skip: leave it open    b  back: the one before    t  write a note first\n"
    "  m  more: everything, uncut    q  quit: every answer is kept"
)
_ASKED: Final = {Why.DRAWN: "to be judged", Why.REVIEWED: "to be judged", Why.UNDRAWN: "nothing drew it"}
"""Where a call went is not told: that would say what the guard made of it."""


@dataclass
class _Place:
    """Where the walk stands."""

    at: int = 0
    answered: int = 0
    skipped: int = 0
    note: str = ""
    whole: bool = False


class Walk:
    """A person's way through the calls that nobody has judged, or (``again``) that were judged both right and wrong.
    ``tell`` is called after every answer that is kept.
    """

    def __init__(self, store: Store, *, by: str, again: bool = False, tell: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._by = by
        self._again = again
        self._tell = tell
        self._out = render.console()

    def run(
        self,
        *,
        tier: Tier | None = None,
        tool: str | None = None,
        limit: int | None = None,
        drawn_only: bool = False,
    ) -> bool:
        """Ask until there is nothing more to ask or the person has enough; False where it was interrupted."""
        todo = self._contradicted(tier, tool) if self._again else self._open(tier, tool, drawn_only=drawn_only)
        todo = todo[:limit]
        if not todo:
            self._say("nothing is open: no such call waits for a judgement")
            return True
        self._begin(todo)
        place = _Place()
        try:
            while place.at < len(todo) and self._ask(todo, place):
                pass
        except (click.Abort, KeyboardInterrupt, EOFError):
            click.echo()
            self._end(todo, place)
            return False
        self._end(todo, place)
        return True

    def _open(self, tier: Tier | None, tool: str | None, *, drawn_only: bool) -> list[Open]:
        return open_calls(self._store, tier=tier, tool=tool, drawn_only=drawn_only)

    def _contradicted(self, tier: Tier | None, tool: str | None) -> list[Open]:
        return [
            Open(record_id=record.id, call_id=verdict.call.id, at=record.at, why=Why.DRAWN)
            for record, verdict, _ in judged_twice(stored_records(self._store))
            if tier in (None, verdict.tier) and tool in (None, verdict.call.name)
        ]

    def _ask(self, todo: Sequence[Open], place: _Place) -> bool:
        """Put one call; False where the person quits."""
        one = todo[place.at]
        record = self._store.record(one.record_id)
        verdict = next(verdict for verdict, _ in judged_calls(record) if verdict.call.id == one.call_id)
        self._out.print(_question(record, verdict, self._title(one, todo, place), whole=place.whole))
        place.whole = False
        answer = self._answer()
        if answer == "q":
            return False
        if answer == "?":
            click.echo(_HELP)
        elif answer == "t":
            place.note = click.prompt("note", default="", show_default=False)
        elif answer == "m":
            place.whole = True
        elif answer == "b":
            if not place.at:
                click.echo("this is the first one")
            place.at = max(0, place.at - 1)
        elif answer == "s":
            place.at += 1
            place.skipped += 1
        else:
            self._keep(record, verdict, answer, place.note)
            self._tell()
            place.note = ""
            place.at += 1
            place.answered += 1
        return True

    def _answer(self) -> str:
        while True:
            said: str = click.prompt("right? [y/n/u/s/b/t/m/q, ? for help]", default="", show_default=False)
            known = _WORDS.get(said.strip().lower())
            if known is not None:
                return known
            # a bare Enter, or a slip of the finger, is no judgement
            click.echo("y: right, n: wrong, u: right and unwanted, s: skip, q: quit; ? tells more")

    def _keep(self, record: Record, verdict: Verdict, answer: str, note: str) -> None:
        label = Label(
            call_id=verdict.call.id,
            correct=answer == "y",
            source=LabelSource.AUDIT,
            by=self._by,
            at=datetime.now(UTC).isoformat(),
            note=masked_text(note),
            fault={"n": Fault.WRONG, "u": Fault.UNWANTED}.get(answer),
        )
        before = [one for one in record.labels if one.call_id == verdict.call.id]
        known = self._store.add_label(record.id, label)
        self._out.print(Text.assemble("kept.", ("  What the guard made of it:", "dim")))
        self._out.print(evidence(verdict))
        if before:
            self._out.print(Text("  what was said before"))
            self._out.print(Group(*(label_text(one) for one in before)))
        standing = next(said for one, said in judged_calls(known) if one.call.id == verdict.call.id)
        if contradict(standing):
            self._say("  this contradicts what was said before; the next answer of a person settles it", "bold red")

    def _title(self, one: Open, todo: Sequence[Open], place: _Place) -> str:
        why = "judged both right and wrong" if self._again else _ASKED[one.why]
        note = "  (with a note)" if place.note else ""
        return f"{place.at + 1} of {len(todo)}, {place.answered} answered: {why}{note}"

    def _begin(self, todo: Sequence[Open]) -> None:
        drawn = sum(one.why is not Why.UNDRAWN for one in todo)
        if self._again:
            self._say(f"{len(todo)} calls were judged both right and wrong. What was said is shown after your answer.")
            return
        self._say(f"{len(todo)} calls are not judged; {drawn} of them count as wrong until they are.")
        if drawn < len(todo):
            self._say(
                f"{len(todo) - drawn} come last, which nothing drew: what you say of them is kept, and no promise can "
                "rest on it (--audits-only leaves them out)."
            )

    def _end(self, todo: Sequence[Open], place: _Place) -> None:
        left = max(0, len(todo) - place.at)
        self._say(f"{place.answered} answers kept, {place.skipped} skipped, {left} not looked at.")

    def _say(self, text: str, style: str = "") -> None:
        self._out.print(Text(text, style))


def _question(record: Record, verdict: Verdict, title: str, *, whole: bool) -> RenderableType:
    """What was asked for and what would run: nothing that the guard made of it."""
    limit = None if whole else LONG
    turns = record.conversation if whole else record.conversation[-_TURNS:]
    left = len(record.conversation) - len(turns)
    tool = next((tool for tool in record.tools if tool.name == verdict.call.name), None)
    others = [one.call for one in record.verdict.verdicts if one.call.id != verdict.call.id]
    return Group(
        Rule(Text(title), align="left"),
        *([Text(f"… {left} messages before (m shows them)", "dim")] if left else []),
        *(Text.assemble(shown(turn.role, style="bold"), ": ", shown(turn.text, limit=limit)) for turn in turns),
        *([] if turns else [Text("the conversation is not on record", "dim")]),
        *(
            [Text.assemble(("the plan says: ", "bold"), shown(record.planned.text, limit=limit))]
            if record.planned.text
            else []
        ),
        *(
            [Text.assemble(("the tool: ", "dim"), shown(tool.description, limit=limit))]
            if tool and tool.description
            else []
        ),
        Text("the call", "bold underline"),
        render.call_block(verdict.call, full=whole),
        *(Text.assemble(("beside it: ", "dim"), render.call_text(call)) for call in others),
    )
