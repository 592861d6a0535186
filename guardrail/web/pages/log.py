"""The tenant's audit log: read backwards, checked, and taken away as files."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from guardrail.audit import MEANING, SEAL, SHARDS, Problem, verify
from guardrail.codec import to_json
from guardrail.errors import ConfigError, StoreError, TooManyReviews
from guardrail.heads import write_heads
from guardrail.review import READ
from guardrail.store import Store
from guardrail.store.trail import backwards, entries_about, trail
from guardrail.types import AuditEntry, AuditHead
from guardrail.web.house import house, need
from guardrail.web.pages import figures
from guardrail.web.templating import page

MOST_VERIFIED: Final = 200_000
"""Entries that a page checks; more are for the command line."""
_ABOUT: Final = 20_000
_SEALS: Final = 5_000
_PROBLEMS: Final = 200
_PAGE: Final = 500
_LONGEST: Final = 300
_DIGITS: Final = 15
_one_at_a_time = threading.Lock()
router = APIRouter()


@router.get("/log")
def show(request: Request, about: str = "", before: str = "") -> Response:
    """A page of entries, the newest first; ``about`` wants those of one review, record or alarm."""
    who = need(request, READ, "read the log")
    store, about = house(request).store, about.strip()
    whole, place = True, ""
    if about:
        if len(about) > _LONGEST:
            raise ConfigError(f"an id has at most {_LONGEST} characters")
        entries, whole = entries_about(store, about, tenant=who.tenant, most=_ABOUT)
    else:
        found = trail(store, tenant=who.tenant, before=_place(before), limit=house(request).settings.page_size)
        entries, place = list(found.entries), "-".join(map(str, found.before))
    heads = store.audit_heads(tenant=who.tenant)
    return page(
        request,
        "log.html",
        entries=entries,
        about=about,
        whole=whole,
        before=place,
        later=bool(before),
        heads=heads,
        total=sum(one.number for one in heads),
        sealed=_last_seal(store, who.tenant),
        verifiable=MOST_VERIFIED,
        link=_link,
        say=figures,
    )


@router.post("/log/verify")
def check(request: Request) -> Response:
    """Check the whole log of the tenant, and what it tells of, as both stand at one moment. It changes nothing; it is
    a POST because it takes a while, and no link may set it off.
    """
    who = need(request, READ, "check the log")
    store = house(request).store
    total = sum(one.number for one in store.audit_heads(tenant=who.tenant))
    if total > MOST_VERIFIED:
        raise ConfigError(f"{total:,} entries are too many for a page: run `guardrail audit verify`")
    if not _one_at_a_time.acquire(blocking=False):
        raise TooManyReviews("the log is being checked already: try again in a moment")
    try:
        counter = _Counter()
        with store.audit_view(tenant=who.tenant) as view:
            problems = verify(counter.count(view.entries), (), view.bodies)
    finally:
        _one_at_a_time.release()
    return page(
        request,
        "log_checked.html",
        count=counter.seen,
        problems=[_told(one) for one in problems[:_PROBLEMS]],
        more=max(0, len(problems) - _PROBLEMS),
        at=house(request).clock().isoformat(),
        say=figures,
    )


@router.get("/log/verify")
def back() -> Response:
    """Where a page that was checked leads when it is loaded anew."""
    return RedirectResponse("/log", status_code=303)


@router.get("/log/export.jsonl")
def export(request: Request) -> Response:
    """The log as `guardrail audit export` writes it, up to where its chains end now."""
    who = need(request, READ, "export the log")
    store = house(request).store
    lines = _lines(store, who.tenant, _settled(store, who.tenant))
    return StreamingResponse(
        lines, media_type="application/jsonl", headers={"content-disposition": 'attachment; filename="audit-log.jsonl"'}
    )


@router.get("/log/heads.json")
def heads(request: Request) -> Response:
    """Where the chains end now, as `guardrail audit head` writes it, not signed."""
    who = need(request, READ, "export the heads of the log")
    served = house(request)
    text = write_heads(served.store.audit_heads(tenant=who.tenant), at=served.clock().isoformat(), key_file=None)
    return Response(
        text,
        media_type="application/json",
        headers={"content-disposition": 'attachment; filename="audit-heads.json"'},
    )


class _Counter:
    def __init__(self) -> None:
        self.seen = 0

    def count(self, entries: Iterable[AuditEntry]) -> Iterator[AuditEntry]:
        for entry in entries:
            self.seen += 1
            yield entry


def _place(before: str) -> tuple[int, ...]:
    """Where a page goes on.

    Raises:
        ConfigError: it is nothing that a page said.
    """
    parts = before.split("-") if before else []
    known = len(parts) in (0, SHARDS)
    if not known or any(not part.isascii() or not part.isdecimal() or len(part) > _DIGITS for part in parts):
        raise ConfigError("this is no place in the log: begin at its end")
    return tuple(map(int, parts))


def _last_seal(store: Store, tenant: str) -> AuditEntry | None:
    """The last seal, which stands in every chain; None where none is among the latest entries."""
    for seen, entry in enumerate(backwards(store, 0, tenant=tenant)):
        if entry.what == SEAL:
            return entry
        if seen == _SEALS:
            return None
    return None


def _settled(store: Store, tenant: str) -> list[AuditHead]:
    """Where all chains end at one moment: a seal that is being written stands in all of them or in none."""
    for _ in range(_PAGE):
        found = store.audit_heads(tenant=tenant)
        if found == store.audit_heads(tenant=tenant):
            return found
    raise StoreError("the log keeps growing while its end is looked for: try again")


def _lines(store: Store, tenant: str, heads: Iterable[AuditHead]) -> Iterator[str]:
    for head in heads:
        after = 0
        while after < head.number:
            entries = store.audit_entries(
                tenant=tenant, shard=head.shard, after=after, limit=min(_PAGE, head.number - after)
            )
            if not entries:
                break
            yield "".join(json.dumps(to_json(entry)) + "\n" for entry in entries if entry.number <= head.number)
            after = entries[-1].number


def _told(problem: Problem) -> dict[str, object]:
    return {
        "flaw": problem.flaw.value,
        "meaning": MEANING[problem.flaw],
        "shard": problem.shard,
        "number": problem.number,
        "subject": problem.subject,
    }


def _link(entry: AuditEntry) -> str:
    """Where to see what an entry is about; empty where there is no page."""
    kind = entry.what.partition(".")[0]
    room = {"review": "/reviews/", "label": "/records/"}.get(kind, "")
    return room and room + figures.segment(entry.subject)
