"""A checker's judgement on a plan, as labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardrail.bulk.planner import Checker
from guardrail.errors import ConfigError, GuardrailError
from guardrail.types import Case, Label, LabelSource


def judged(checker: Checker, case: Case, *, by: str) -> dict[str, Any]:
    """``correct`` and ``labels`` of a case. Each call that is judged has a label; a plan that is wrong, nobody says
    where, counts against every call of it.

    Raises:
        GuardrailError: the checker failed; the message has the kind of its error.
        ConfigError: what it said is no judgement.
    """
    try:
        said = checker(case)
    except Exception as error:
        raise GuardrailError(f"the checker {by} raised {type(error).__name__}") from error
    calls = case.planned.calls
    each = [said] * len(calls) if said is None or isinstance(said, bool) else _of_each(said, len(calls), by)
    labels = tuple(
        Label(call_id=call.id, correct=right, source=LabelSource.CHECKER, by=by, at=case.at)
        for call, right in zip(calls, each, strict=True)
        if right is not None
    )
    if said is None or isinstance(said, bool):
        return {"correct": said, "labels": labels}
    correct = False if False in each else (True if each and None not in each else None)
    return {"correct": correct, "labels": labels}


def _of_each(said: object, calls: int, by: str) -> list[bool | None]:
    if not isinstance(said, Sequence) or isinstance(said, str | bytes):
        raise ConfigError(f"the checker {by} gave {type(said).__name__}: it must give True, False or None, or a list")
    if len(said) != calls or not all(one is None or isinstance(one, bool) for one in said):
        raise ConfigError(f"the checker {by} gave {len(said)} judgements of {calls} calls: each True, False or None")
    return list(said)
