"""The cases that the benchmark reads: recorded ones, records of the store, and plain lists of calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from guardrail.cli.rows import Tools, json_values, row_of
from guardrail.codec import from_json
from guardrail.errors import ConfigError
from guardrail.store import Store, stored_records
from guardrail.types import Case, Record, Sample, SampleStatus, Signal, Token

_FORMS = (
    'give {"plan": ..., "samples": [...], "tools": [...], "correct": true}, a case as `guardrail record` writes it, '
    "or a record as `guardrail show --json` prints it"
)


def read_cases(path: Path, tools: Tools) -> Iterator[Case]:
    """The cases of a JSON lines file, in its order.

    A plain row is ``plan`` and ``samples`` (lists of calls, or objects with ``calls``), ``correct``, and, where known,
    ``tools``, ``group``, ``model``, ``tokens`` of the plan with ``logprobs``, and ``signals``, a name to a number.

    Raises:
        ConfigError: the file cannot be read, a line is not a case, or an id comes twice; the message has the line.
    """
    return (case for _, case in placed_cases(path, tools))


def placed_cases(path: Path, tools: Tools) -> Iterator[tuple[str, Case]]:
    """The same, each with its place in words.

    Raises:
        ConfigError: as ``read_cases``.
    """
    seen: dict[str, int] = {}
    for line, data in json_values(path):
        where = f"{path}, line {line}"
        try:
            case = _case(data, where, line, tools)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise ConfigError(f"{where}: no case ({said}); {_FORMS}") from error
        if case.id in seen:
            raise ConfigError(f"{where}: the id {case.id!r} was in line {seen[case.id]} already; remove one of them")
        seen[case.id] = line
        yield where, case


def stored_cases(store: Store) -> Iterator[Case]:
    """Every record of a store as a case, newest first."""
    return map(case_of, stored_records(store))


def case_of(record: Record) -> Case:
    """A record as a case. Its plan was right where every call of it is labelled right, and wrong where one is wrong."""
    return Case(
        id=record.id,
        planned=record.planned,
        samples=record.samples,
        tools=record.tools,
        correct=_correct(record),
        group=record.thread_id,
        model=record.model,
        at=record.at,
        conversation=record.conversation,
        signals=tuple(verdict.signals for verdict in record.verdict.verdicts),
        usage=record.verdict.usage,
        labels=record.labels,
        verdict=record.verdict,
        fingerprint=record.fingerprint,
        attempt=record.attempt,
    )


def _correct(record: Record) -> bool | None:
    said: dict[str, set[bool]] = {}
    for label in record.labels:
        said.setdefault(label.call_id, set()).add(label.correct)
    calls = [call.id for call in record.planned.calls]
    if any(said.get(call) == {False} for call in calls):
        return False
    # a call on which people contradict each other is not known to be either
    return True if calls and all(said.get(call) == {True} for call in calls) else None


def _case(data: Any, where: str, line: int, tools: Tools) -> Case:
    if isinstance(data, dict) and isinstance(data.get("record"), dict):
        data = data["record"]
    if "verdict" in data and "run" not in data:  # which a case has
        return case_of(from_json(Record, data))
    if "planned" in data:
        return from_json(Case, data)
    row = row_of(data, where, line, tools)
    correct = data.get("correct")
    if correct is not None and not isinstance(correct, bool):
        raise TypeError(f"'correct' must be true, false or null, not {correct!r}")
    identity = row.id or f"line {line}"
    return Case(
        id=identity,
        planned=_planned(data, row.planned),
        samples=row.samples,
        tools=row.tools,
        correct=correct,
        group=str(data.get("group") or identity),
        model=str(data.get("model") or ""),
        signals=(tuple(_reported(data.get("signals") or {})),) * max(1, len(row.planned or ())),
    )


def _planned(data: Mapping[str, Any], calls: Any) -> Sample:
    plan = data["plan"]
    if calls is None:
        return Sample(status=SampleStatus.UNPARSABLE)
    details = plan if isinstance(plan, dict) else {}
    return Sample(calls=calls, text=details.get("text") or "", tokens=_tokens(details))


def _tokens(plan: Mapping[str, Any]) -> tuple[Token, ...] | None:
    tokens = plan.get("tokens")
    if not tokens:
        return None
    if all(isinstance(token, str) for token in tokens):
        logprobs = plan["logprobs"]
        if len(logprobs) not in (len(tokens), len(tokens) + 1):
            raise ValueError(f"{len(tokens)} tokens have {len(logprobs)} log-probabilities")
        # one more is the end token's, whose text is empty
        return tuple(
            Token(text=text, logprob=float(logprob)) for text, logprob in zip([*tokens, ""], logprobs, strict=False)
        )
    return tuple(from_json(Token, token) for token in tokens)


def _reported(signals: Mapping[str, Any]) -> Iterator[Signal]:
    for name, value in signals.items():
        if value is None:
            yield Signal(name=name, missing="not recorded")
        elif isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"the signal {name!r} is {value!r}, which is no number")
        else:
            yield Signal(name=name, value=float(value))
