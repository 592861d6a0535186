"""Values as rows, the same for every backend: the JSON body, and the keys that lists are ordered by."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from guardrail.codec import from_text, to_text
from guardrail.errors import ConfigError, NotFound, StoreError, StoreTooNew
from guardrail.types import RECORD_VERSION, Alarm, AuditDraw, Label, Notice, Record, Review, Sealed, Spending

T = TypeVar("T", Record, Review, Label, AuditDraw, Alarm, Notice, Sealed)
MIN_PREFIX = 6
MOST_TOKENS = 10**12
"""No entry has more: sums of so many stay exact in every backend."""


def encode(value: Record | Review | Label | AuditDraw | Alarm | Notice | Sealed) -> str:
    """The value as ASCII JSON, which holds any text, lone surrogates included.

    Raises:
        StoreError: it holds something that is no JSON, or is nested too deeply.
    """
    try:
        return to_text(value)
    except (ValueError, TypeError, RecursionError) as error:
        raise StoreError(f"this {_kind(type(value))} cannot be kept, it is no JSON: {error}") from error


def decode(kind: type[T], body: str, where: str) -> T:
    """The value that ``encode`` gave. ``where`` names the row in messages.

    Raises:
        StoreTooNew: a newer version of this package wrote it.
        StoreError: it is damaged.
    """
    try:
        value = from_text(kind, body)
    except (ConfigError, ValueError, TypeError, AttributeError, RecursionError) as error:
        if kind is Record:
            _check_version(_version(body), where)  # whatever is new in it, the version says so
        raise StoreError(f"{where} cannot be read: {error}") from error
    if isinstance(value, Record):
        _check_version(value.version, where)
    return value


def _version(body: str) -> int:
    try:
        found = json.loads(body)["version"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return 0
    return found if isinstance(found, int) else 0


def _check_version(version: int, where: str) -> None:
    if version > RECORD_VERSION:
        raise StoreTooNew(
            f"{where} has record version {version}, this package reads up to {RECORD_VERSION}: upgrade it"
        )


def body_digest(body: str) -> str:
    """SHA-256, in hex, of a value exactly as it is kept, for the audit log."""
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def without_labels(record: Record) -> Record:
    """The record as it is kept: its labels stand beside it, because they come later and one by one."""
    return replace(record, labels=())


def with_labels(record: Record, bodies: Iterable[str]) -> Record:
    """The record with the labels kept beside it, in the order in which they came."""
    labels = tuple(decode(Label, body, f"a label of record {record.id}") for body in bodies)
    return replace(record, labels=labels)


def sort_key(at: str) -> str:
    """The time as fixed-width UTC text, so that any two ISO 8601 notations compare by time.

    Raises:
        StoreError: it is not ISO 8601.
    """
    try:
        parsed = datetime.fromisoformat(at)
        moment = parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise StoreError(f"{at!r} is no time in ISO 8601, such as 2026-11-24T09:30:00Z") from error
    return moment.isoformat(timespec="microseconds")


def countable(entry: Spending) -> Spending:
    """The entry as the ledger has it: a count of tokens that cannot be one is unknown.

    Raises:
        StoreError: its requests or its seconds are none.
    """
    usage = entry.usage
    if not 0 <= usage.requests <= MOST_TOKENS or not 0 <= usage.seconds < math.inf:
        raise StoreError(f"{usage.requests} requests of {usage.seconds} seconds cannot be entered into the ledger")
    return replace(
        entry,
        usage=replace(
            usage,
            prompt_tokens=_count(usage.prompt_tokens),
            completion_tokens=_count(usage.completion_tokens),
        ),
    )


def _count(tokens: int | None) -> int | None:
    return tokens if tokens is not None and 0 <= tokens <= MOST_TOKENS else None


def key(text: str) -> str | bytes:
    """The text as a value that SQLite compares exactly: bytes, which equal no text, where it is not UTF-8."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def text(stored: str | bytes) -> str:
    """The text that ``key`` gave."""
    return stored if isinstance(stored, str) else stored.decode("utf-8", "surrogatepass")


def new_id(identity: str) -> str:
    """The id of something about to be kept.

    Raises:
        StoreError: nobody could type or look up such an id.
    """
    if not identity or isinstance(key(identity), bytes):
        raise StoreError(f"{identity!r} cannot be an id: it must be Unicode text and not empty")
    return identity


def prefix(kind: type[Record | Review], identity: str) -> str:
    """The beginning of an id, long enough to search by.

    Raises:
        NotFound: too short, or no text.
    """
    if len(identity) < MIN_PREFIX:
        raise NotFound(f"{identity!r} is no {_kind(kind)} id: give at least its first {MIN_PREFIX} characters")
    if isinstance(key(identity), bytes):
        raise missing(kind, identity)
    return identity


def missing_alarm(alarm_id: str) -> NotFound:
    """No alarm has this id."""
    return NotFound(f"there is no alarm {alarm_id!r}: `guardrail status` shows the ids")


def cleared(alarm: Alarm, *, by: str, at: str, note: str) -> Alarm:
    """The alarm as a person has cleared it."""
    return replace(alarm, cleared_by=by, cleared_at=at, note=note or alarm.note)


def missing(kind: type[Record | Review], identity: str) -> NotFound:
    """Nothing has this id."""
    return NotFound(f"there is no {_kind(kind)} {identity!r}: `guardrail {_LISTS[kind]}` shows the ids")


def ambiguous(kind: type[Record | Review], identity: str) -> NotFound:
    """Several ids begin so."""
    return NotFound(f"several {_kind(kind)}s have an id that begins with {identity!r}: give more of it")


_LISTS: dict[type[Record | Review], str] = {Record: "log", Review: "reviews list --all"}


def _kind(kind: type[object]) -> str:
    return kind.__name__.lower()
