"""How it goes: open items, waiting times, what runs and how often it is wrong; alarms, and taking them back."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from guardrail.errors import InvalidDecision, NotFound, NotPermitted
from guardrail.review import READ
from guardrail.review.people import check_person, named
from guardrail.types import DecisionType, Principal, PrincipalKind
from guardrail.watching.desk import OPEN
from guardrail.web.house import house, need, principal
from guardrail.web.pages import figures
from guardrail.web.pages.board import board_for, boards, operates
from guardrail.web.templating import page

DAYS: Final = (1, 7, 30)
ADMIN: Final = "admin"
"""The role that may take an alarm back."""
LONGEST_REASON: Final = 5000
router = APIRouter()


@router.get("/dashboard")
def show(request: Request, days: str = "7") -> Response:
    """The whole of it, for the tenant of who asks."""
    who = need(request, READ, "see how it goes")
    span = int(days) if days in map(str, DAYS) else 7
    found = board_for(request, who, float(span))
    return page(
        request,
        "dashboard.html",
        board=found,
        desk=found.desk,
        state=found.status,
        tools=found.traffic,
        whole={one.tier: one for one in found.traffic if not one.tool},
        picture=figures.diagram(found.reliability),
        say=figures,
        days=span,
        spans=DAYS,
        states=OPEN,
        kinds=tuple(DecisionType),
        operator=operates(request, who),
        may_clear=_may_clear(request, who),
    )


@router.post("/dashboard/alarms/{alarm_id}/clear")
def clear(request: Request, alarm_id: str, note: Annotated[str, Form()] = "") -> Response:
    """Take an alarm back: its calls may run again."""
    who = named(principal(request))
    check_person(who, "clear alarms")
    if not _may_clear(request, who):
        raise NotPermitted(f"{who.name} may not clear alarms: that takes the role {ADMIN} in this server's own tenant")
    reason = note.strip()
    if not reason or len(reason) > LONGEST_REASON:
        raise InvalidDecision(
            "say why the alarm may be cleared: what was found, and what was changed"
            if not reason
            else f"the reason has {len(reason)} characters, the limit is {LONGEST_REASON}"
        )
    served = house(request)
    if all(one.id != alarm_id for one in served.store.alarms()):
        raise NotFound("no such alarm stands: somebody may have cleared it before")
    served.store.clear_alarm(alarm_id, by=who.name, at=served.clock().isoformat(), note=reason)
    boards(request).forget(who.tenant)
    return RedirectResponse("/dashboard#alarms", status_code=303)


def _may_clear(request: Request, who: Principal) -> bool:
    """Alarms are about the calls of all tenants, and so not any tenant's to clear."""
    return who.kind is PrincipalKind.HUMAN and ADMIN in who.roles and operates(request, who)
