"""Judgements of a program that knows the right answer, on every call of a store that it can judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from guardrail.calibration.labelled import judged_calls
from guardrail.engine.labelling import contradicted
from guardrail.errors import ConfigError
from guardrail.store import Store, stored_records
from guardrail.types import Label, LabelSource, Record, Tier, ToolCall, Turn, Verdict

Checker = Callable[[ToolCall, tuple[Turn, ...], Record], bool | None]
"""Told a call, its conversation and its record: is the call right? None: it does not know. It never sees the score as
the answer: what it says has to come from what was asked for.
"""
_EVERY: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a checker said of the calls it was asked about. ``complete`` has the tiers of which it judged every call:
    only of these is it known how probable their labels were (1). ``partly`` has the others, ``open`` how many calls it
    left open. ``contradictions`` are calls (record and call id) that are now judged both right and wrong.
    """

    right: int = 0
    wrong: int = 0
    open: dict[Tier, int] = field(default_factory=dict)
    complete: tuple[Tier, ...] = ()
    partly: tuple[Tier, ...] = ()
    before: int = 0
    contradictions: tuple[tuple[str, str], ...] = ()


def check(
    store: Store,
    checker: Checker,
    *,
    by: str,
    tier: Tier | None = None,
    tool: str | None = None,
    limit: int | None = None,
    tell: Callable[[int], None] = lambda _done: None,
) -> Checked:
    """Ask a checker about the calls that it has not judged yet, and keep its answers once it has given all of them.

    ``tell`` hears how many calls it was asked about. Of a tier that it was asked about in part (``tool``, ``limit``),
    or of which it left a call open, the labels have no probability: they count only where a draw chose the call.

    Raises:
        ConfigError: it raised an exception, or answered neither True, False nor None; the message has the call's place,
            and nothing was kept.
    """
    answers: list[tuple[str, Tier, Label]] = []
    earlier: list[tuple[str, Tier, Label]] = []
    left: dict[Tier, int] = {}
    asked = 0
    cut: set[Tier] = set()
    at = datetime.now(UTC).isoformat()
    for record in stored_records(store):
        for verdict, said in judged_calls(record):
            if tier not in (None, verdict.tier):
                continue
            known = next((one for one in said if one.source is LabelSource.CHECKER and one.by == by), None)
            if known is not None:
                earlier.append((record.id, verdict.tier, replace(known, at=at)))
            elif tool not in (None, verdict.call.name) or (limit is not None and asked >= limit):
                cut.add(verdict.tier)
            else:
                answer = _asked(checker, record, verdict)
                asked += 1
                tell(asked)
                if answer is None:
                    left[verdict.tier] = left.get(verdict.tier, 0) + 1
                else:
                    one = Label(call_id=verdict.call.id, correct=answer, source=LabelSource.CHECKER, by=by, at=at)
                    answers.append((record.id, verdict.tier, one))
    complete = {of for _, of, _ in (*answers, *earlier)} - cut - left.keys()
    against = _kept(store, answers, earlier, complete)
    right = sum(one.correct for _, _, one in answers)
    return Checked(
        right=right,
        wrong=len(answers) - right,
        open=left,
        complete=tuple(of for of in Tier if of in complete),
        partly=tuple(of for of in Tier if of in {mine for _, mine, _ in answers} - complete),
        before=len(earlier),
        contradictions=tuple(against),
    )


def _kept(
    store: Store,
    answers: list[tuple[str, Tier, Label]],
    earlier: list[tuple[str, Tier, Label]],
    complete: set[Tier],
) -> list[tuple[str, str]]:
    """Keep the answers; where every call is judged now, earlier answers that did not know so say it again."""
    against = []
    again = [(record, of, one) for record, of, one in earlier if of in complete and one.probability != _EVERY]
    for record_id, of, one in (*answers, *again):
        label = replace(one, probability=_EVERY) if of in complete else one
        against += contradicted(store.add_label(record_id, label), label)
    return against


def _asked(checker: Checker, record: Record, verdict: Verdict) -> bool | None:
    where = f"record {record.id[:12]}, call {verdict.call.id!r} of {verdict.call.name}"
    try:
        answer: object = checker(verdict.call, record.conversation, record)
    except Exception as error:
        raise ConfigError(
            f"{where}: the checker raised {type(error).__name__} ({error}); no label was kept. Let it answer None "
            "where it does not know"
        ) from error
    if answer is not None and not isinstance(answer, bool):
        raise ConfigError(
            f"{where}: the checker answered {answer!r}; it must be True, False, or None; no label was kept"
        )
    return answer
