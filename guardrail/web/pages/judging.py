"""Calls that chance has drawn, judged by people one after another: by what was asked for, not by what was measured."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from guardrail.calibration.judgements import contradict
from guardrail.engine.questions import Why
from guardrail.errors import ConfigError, InvalidDecision, NotPermitted
from guardrail.review import READ
from guardrail.review.people import check_person, named
from guardrail.types import Principal, Record, Tier
from guardrail.web.house import house, need, principal, visible_record
from guardrail.web.pages import figures, reviews_words
from guardrail.web.pages.board import operates, promise_of
from guardrail.web.pages.questions import Asked, after_label, call_at, check_judge, keep, place_of, told_apart, waiting
from guardrail.web.pages.records import says
from guardrail.web.show import Opening, show_conversation, show_meanings, show_value
from guardrail.web.templating import page

_LONGEST: Final = 300
_MOST_SKIPPED: Final = 1_000_000
_JUDGE: Final = "judge calls"
router = APIRouter()


@router.get("/audits")
def ask(request: Request, record: str = "", call: str = "") -> Response:
    """The next call that waits for a judgement, or the one that is named."""
    who = need(request, READ, "see which calls are to be judged")
    found, wanted = waiting(request, who), _Wanted.of(request)
    left = [one for one in found.calls if wanted.fits(one)]
    if record:
        kept = visible_record(request, record)
        return _question(request, kept, call_at(kept, call), left, wanted)
    for place, one in enumerate(left[wanted.skip :], start=wanted.skip):
        kept = visible_record(request, one.open.record_id)
        if not told_apart(kept, one.open.call_id)[1]:  # somebody may have judged it since
            return _question(request, kept, one.open.call_id, left, wanted.at(place))
    return page(
        request,
        "judging_done.html",
        skipped=min(wanted.skip, len(left)),
        left=left,
        wanted=wanted,
        found=found,
        undrawn=sum(one.open.why is Why.UNDRAWN for one in found.calls),
        advice=_advice(request, who),
        say=figures,
    )


@router.post("/audits/answer")
def answer(
    request: Request,
    record: Annotated[str, Form()],
    call: Annotated[str, Form()] = "",
    answer: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
) -> Response:
    """Keep an answer, tell the watch, and show what the guard had made of the call."""
    who = named(principal(request))
    check_person(who, _JUDGE)
    kept = visible_record(request, record)
    call_id = call_at(kept, call)
    check_judge(house(request).store, who, kept, call_id)
    keep(request, kept, call_id, who=who, answer=answer, note=note)
    _, problem = after_label(request, who)
    query = _Wanted.of(request).query(record=kept.id, call=call, late="1" if problem else "")
    return RedirectResponse(f"/audits/answer?{query}", status_code=303)


@router.get("/audits/answer")
def answered(request: Request, record: str = "", call: str = "", late: str = "") -> Response:
    """What the guard made of a call, and what others said of it: for who has judged it."""
    who = need(request, READ, "see judged calls")
    kept, wanted = visible_record(request, record), _Wanted.of(request)
    verdict, standing = told_apart(kept, call_at(kept, call))
    said = [label for label in kept.labels if label.call_id == verdict.call.id]
    if all(label.by != who.name for label in said):
        return RedirectResponse(f"/audits?{wanted.query(record=kept.id, call=call)}", status_code=303)
    found = waiting(request, who)
    return page(
        request,
        "judged.html",
        record=kept,
        verdict=verdict,
        meanings=show_meanings(verdict, kept.verdict, editable=False),
        signals=[reviews_words.measured(signal) for signal in verdict.signals],
        labels=said,
        standing=standing,
        against=contradict(standing),
        says=says,
        left=sum(wanted.fits(one) for one in found.calls),
        alarms=house(request).store.alarms() if operates(request, who) else (),
        late=bool(late),
        next=f"/audits?{wanted.query()}".rstrip("?"),
        again=f"/audits?{wanted.query(record=kept.id, call=call)}",
        say=figures,
        words=reviews_words,
    )


class _Wanted:
    """Which calls somebody wants to be asked about, and how many of them were skipped."""

    def __init__(self, *, tier: str, tool: str, undrawn: bool, skip: int) -> None:
        self.tier, self.tool, self.undrawn, self.skip = tier, tool, undrawn, skip

    @classmethod
    def of(cls, request: Request) -> _Wanted:
        """As the address says.

        Raises:
            ConfigError: a tier or a number is none.
        """
        said = request.query_params
        tier, tool, skip = said.get("tier", ""), said.get("tool", ""), said.get("skip", "") or "0"
        if tier and tier not in list(Tier):
            raise ConfigError(f"a tier is one of {', '.join(Tier)}")
        if not skip.isascii() or not skip.isdecimal() or len(skip) > len(str(_MOST_SKIPPED)):
            raise ConfigError("skip is how many calls are left for later: give a number")
        return cls(tier=tier, tool=tool[:_LONGEST], undrawn=said.get("undrawn", "") == "1", skip=int(skip))

    def at(self, skip: int) -> _Wanted:
        """The same, further on."""
        return _Wanted(tier=self.tier, tool=self.tool, undrawn=self.undrawn, skip=skip)

    def fits(self, one: Asked) -> bool:
        """Whether a call is one of these."""
        return (
            self.tier in ("", one.tier.value)
            and self.tool in ("", one.tool)
            and (self.undrawn or one.open.why is not Why.UNDRAWN)
        )

    def query(self, *, skip: int | None = None, **more: str) -> str:
        """The same as part of an address."""
        said = {
            "tier": self.tier,
            "tool": self.tool,
            "undrawn": "1" if self.undrawn else "",
            "skip": str(self.skip if skip is None else skip),
            **more,
        }
        return figures.query(**{name: value for name, value in said.items() if (name, value) != ("skip", "0")})


def _question(request: Request, record: Record, call_id: str, left: list[Asked], wanted: _Wanted) -> Response:
    verdict, said = told_apart(record, call_id)
    opening = Opening(
        here="/audits",
        keys=frozenset(request.query_params.getlist("open")),
        query=(("record", record.id), ("call", str(place_of(record, call_id))), ("skip", str(wanted.skip))),
    )
    counts = Counter(one.tier for one in left)
    return page(
        request,
        "judging.html",
        record=record,
        call=verdict.call,
        call_place=place_of(record, call_id),
        arguments=show_value(verdict.call.arguments, opening),
        conversation=show_conversation(record.conversation, opening),
        tool=next((tool for tool in record.tools if tool.name == verdict.call.name), None),
        beside=[
            (one.call.name, show_value(one.call.arguments, opening))
            for one in record.verdict.verdicts
            if one.call.id != call_id
        ],
        named=bool(request.query_params.get("record")),
        judged=bool(said),
        drawn=all(one.open.why is not Why.UNDRAWN for one in left[wanted.skip : wanted.skip + 1]),
        refusal=_refusal(request, record, call_id),
        place=wanted.skip + 1,
        left=len(left),
        by_tier=[(tier.value, counts[tier]) for tier in Tier if counts[tier]],
        form=wanted.query(),
        skip=f"/audits?{wanted.query(skip=wanted.skip + 1)}",
        say=figures,
    )


def _refusal(request: Request, record: Record, call_id: str) -> str:
    """Why somebody may not judge a call; empty: they may."""
    who = principal(request)
    try:
        check_person(who, _JUDGE)
        check_judge(house(request).store, who, record, call_id)
    except (NotPermitted, InvalidDecision) as error:
        return str(error)
    return ""


def _advice(request: Request, who: Principal) -> list[tuple[str, str]]:
    """By tier, what its threshold lacks, as the calibration says."""
    if not operates(request, who):
        return []
    try:
        promised = promise_of(house(request))
    except ConfigError:
        return []
    tiers: Any = () if promised is None else promised.tiers
    return [
        (tier.tier.value, one.refusal.message) for tier in tiers for one in tier.thresholds if one.refusal is not None
    ]
