"""Look at records, the audit log, draws and alarms."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.requests import Request

from guardrail.errors import NotFound
from guardrail.review import READ
from guardrail.types import AuditDraw
from guardrail.web.api import telling, told
from guardrail.web.api.asked import AlarmsQuery, DrawsQuery, EntriesQuery, NoQuery, Once, RecordsQuery
from guardrail.web.api.routing import READING, may_read, problems, room, signed_in
from guardrail.web.house import house, need, need_operator, principal, visible_record, visible_records

router = room("records", may_read)
own = room("records", signed_in)
RecordId = Annotated[str, Path(max_length=200, description="The whole id of a record.")]


@router.get("/records", summary="List records", responses=READING | problems(400), dependencies=[Once])
def list_records(request: Request, wanted: RecordsQuery) -> told.RecordsTold:
    """Assessed planning steps, newest first. A page may be short, with more behind it. Needs `reviews:read`."""
    found, after = visible_records(request, thread_id=wanted.thread, limit=wanted.limit, before=wanted.after)
    return told.RecordsTold(records=tuple(map(telling.record_line, found)), after=after)


@router.get("/records/{record_id}", summary="One record", responses=READING | problems(404), dependencies=[NoQuery])
def get_record(request: Request, record_id: RecordId) -> told.RecordTold:
    """What was planned, drawn again, decided and judged. All of it is untrusted text. Needs `reviews:read`."""
    return telling.record(visible_record(request, record_id))


@router.get("/audit/heads", summary="Where the audit log ends", responses=READING, dependencies=[NoQuery])
def get_heads(request: Request) -> told.HeadsTold:
    """The end of each chain. Kept elsewhere, they show later that nothing was cut off. Needs `reviews:read`."""
    who = need(request, READ, "read the audit log")
    return told.HeadsTold(heads=tuple(house(request).store.audit_heads(tenant=who.tenant)))


@router.get("/audit/entries", summary="A part of the audit log", responses=READING, dependencies=[Once])
def list_entries(request: Request, wanted: EntriesQuery) -> told.EntriesTold:
    """Entries of one chain, in order. Needs the scope `reviews:read`."""
    who = need(request, READ, "read the audit log")
    store, limit = house(request).store, wanted.limit
    page = store.audit_entries(tenant=who.tenant, shard=wanted.shard, after=wanted.after, limit=limit)
    after = page[-1].number if page else wanted.after
    return told.EntriesTold(entries=tuple(page), after=after, more=len(page) == limit)


@router.get("/alarms", summary="Alarms", responses=READING, dependencies=[Once])
def list_alarms(request: Request, wanted: AlarmsQuery) -> told.AlarmsTold:
    """They are about all tenants together, and for people of the server's own. Needs the scope `reviews:read`."""
    need_operator(request, READ, "read alarms")
    return told.AlarmsTold(alarms=tuple(house(request).store.alarms(standing=wanted.standing)))


@router.get("/draws", summary="Calls drawn to be judged", responses=READING, dependencies=[Once])
def list_draws(request: Request, wanted: DrawsQuery) -> told.DrawsTold:
    """In the order of the draws. A page may be short, with `more` behind it. Needs the scope `reviews:read`."""
    need(request, READ, "read draws")
    page = house(request).store.draws(record_id=wanted.record, limit=wanted.limit, after=wanted.after)
    return told.DrawsTold(
        draws=tuple(draw for _, draw in page if _visible(request, draw)),
        after=page[-1][0] if page else wanted.after,
        more=len(page) == wanted.limit,
    )


@own.get("/me", summary="Who you are", responses=problems(401, 421, 422, 500), dependencies=[NoQuery])
def me(request: Request) -> told.Me:
    """Whose credentials these are, and what they are for."""
    who = principal(request)
    return told.Me(name=who.name, kind=who.kind, tenant=who.tenant, roles=who.roles, scopes=who.scopes)


def _visible(request: Request, draw: AuditDraw) -> bool:
    try:
        visible_record(request, draw.record_id)
    except NotFound:
        return False
    return True
