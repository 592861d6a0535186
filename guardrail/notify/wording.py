"""What is said, in fixed words around a few facts, and how foreign text is made harmless in them.

Names of tools, tenants and roles may come from a model that was told to deceive. In a text for people each of their
characters is either one that no chat, mailbox or terminal gives a meaning to, or written out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from guardrail.types import NoticeEvent, Reason, Tier
from guardrail.visible import plain

LONGEST_NAME: Final = 80
LONGEST_ARGUMENTS: Final = 500
"""Characters of a call's arguments that are told, where they are."""
_NAMED: Final = 5
# No @ or # for mentions, no < > & for markup, no * ~ ` | [ ] ( ) for Markdown, no : or / for addresses. A dot would
# make a name that a mail program takes for a site. JSON needs a few more characters, and dots within its numbers.
_IN_NAMES: Final = re.compile(r"[A-Za-z0-9 _-]")
_IN_JSON: Final = re.compile(r"[A-Za-z0-9 _+={}\",:;'?!%^-]")
_NUMBER: Final = re.compile(r"(?<![\w.\\])\d+\.\d+(?![\w.])")

_WHY: Final = {
    Reason.AGREED: "the policy wants a person for it",
    Reason.LIKELY: "the policy wants a person for it",
    Reason.CLEARED: "the policy wants a person for it",
    Reason.FAIL_OPEN_BY_POLICY: "the policy wants a person for it",
    Reason.DISAGREED: "planned again, the step did not come to the same call often enough",
    Reason.DOUBTFUL: "a measurement is in doubt",
    Reason.CRITICAL: "critical calls always wait for a person",
    Reason.RETRIES_SPENT: "planning again did not remove the doubt",
    Reason.SAMPLING_FAILED: "it could not be measured: the step could not be planned again",
    Reason.INVALID_SAMPLES: "it could not be measured: too few of the plans drawn again were valid",
    Reason.ENTAILMENT_FAILED: "it could not be measured: the plans could not be compared",
    Reason.REQUEST_UNKNOWN: "it could not be measured: the request that planned it is not known",
    Reason.UNKNOWN_TOOL: "it names a tool that the model was not offered",
    Reason.UNPARSABLE_CALL: "the plan itself is not usable",
    Reason.SIBLING_RETRIED: "another call of the same step is in doubt",
    Reason.BUDGET_SPENT: "it could not be measured: the budget is spent",
    Reason.NOT_MEASURED: "it could not be measured",
    Reason.UNCALIBRATED: "there is no calibrated threshold for it",
    Reason.ALARM: "audits found more wrong calls of its kind than promised",
    Reason.REFUSED_BEFORE: "a person has refused the same call before",
    Reason.MAY_HAVE_RUN: "the same call was started before, and nobody knows whether it took effect",
    Reason.HOLDS_MARK: "it has the mark of a hidden value where the value should be",
}
_HEADINGS: Final = {
    NoticeEvent.OPENED: ("waits for a decision", "wait for a decision"),
    NoticeEvent.ESCALATED: ("still waits, and its deadline is near", "still wait, and their deadlines are near"),
    NoticeEvent.EXPIRED: (
        "was refused, since nobody decided in time",
        "were refused, since nobody decided in time",
    ),
    NoticeEvent.DECIDED: ("was decided", "were decided"),
    NoticeEvent.OUTCOME_UNKNOWN: (
        "was started, and its outcome is unknown",
        "were started, and their outcomes are unknown",
    ),
    NoticeEvent.STUCK: (
        "was started long ago and has not ended: somebody has to look whether it took effect",
        "were started long ago and have not ended: somebody has to look whether they took effect",
    ),
}
_ALARM: Final = (
    "{wrong} of {audits} audited calls {whose} were wrong; at most {most} % are promised. They wait for a person until "
    "the alarm is cleared."
)
_FLOOD: Final = (
    "An agent asks for more decisions than it may: its further calls are refused without being shown. Somebody has to "
    "look what it is doing."
)


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing that is told: an event, and the little that everybody may know of it."""

    event: NoticeEvent
    id: str
    tier: Tier
    tool: str
    tenant: str = ""
    why: str = ""
    """One of the fixed sentences of this module."""
    due: str = ""
    state: str = ""
    url: str = ""
    wrong: int = 0
    audits: int = 0
    alpha: float = 0.0
    arguments: str | None = None
    flood: bool = False
    """It is no call: an agent asks for more decisions than it may."""


def because(reason: Reason | None) -> str:
    """Why a call goes to a person, in fixed words."""
    return _WHY.get(reason, "a person has to decide") if reason is not None else "a person has to decide"


def harmless(name: str) -> str:
    """A foreign name as it may stand in a message: no link, no mention, no markup, nothing hidden; cut where long."""
    written = (one if _IN_NAMES.fullmatch(one) else _written_out(one) for one in name[:LONGEST_NAME])
    return "".join(written) + (" (cut)" if len(name) > LONGEST_NAME else "")


def harmless_json(value: str) -> str:
    """Foreign JSON as it may stand in a message."""
    numbers = {place for found in _NUMBER.finditer(value) for place in range(*found.span())}
    return "".join(
        one if _IN_JSON.fullmatch(one) or place in numbers else _written_out(one) for place, one in enumerate(value)
    )


def title(items: Sequence[Item]) -> str:
    """One line of what a message is about."""
    if len(items) == 1:
        one = items[0]
        if one.event is NoticeEvent.ALARM:
            return f"guardrail: alarm for {one.tier.value} calls"
        if one.flood:
            return "guardrail: an agent asks for more decisions than it may"
        return f"guardrail: a {one.tier.value} call of {harmless(one.tool)} {_HEADINGS[one.event][0].partition(',')[0]}"
    return f"guardrail: {'; '.join(_heading(event, some).partition(',')[0] for event, some in _by_event(items))}"


def text(items: Sequence[Item], url: str, identity: str) -> str:
    """What a message says: of one thing all that may be told, of several how many there are of which."""
    lines = [*_one(items[0])] if len(items) == 1 else [*_several(items)]
    link = items[0].url if len(items) == 1 else f"{url}/reviews" if url else ""
    if link:
        lines.append(link)
    return "\n".join((*lines, f"Message {identity[:12]}"))


def _one(item: Item) -> Sequence[str]:
    if item.event is NoticeEvent.ALARM:
        return [_alarm(item)]
    if item.flood and item.event in (NoticeEvent.OPENED, NoticeEvent.ESCALATED):
        return [_FLOOD]
    lines = [f"A {item.tier.value} call of {harmless(item.tool)} {_HEADINGS[item.event][0]}."]
    if item.tenant:
        lines.append(f"Tenant: {harmless(item.tenant)}")
    if item.why:
        lines.append(f"Why it was stopped: {item.why}.")
    if item.event is NoticeEvent.DECIDED and item.state:
        lines.append(f"Decision: {item.state}")
    if item.due and item.event in (NoticeEvent.OPENED, NoticeEvent.ESCALATED):
        lines.append(f"Deadline: {_when(item.due)}")
    if item.arguments is not None:
        lines.append(f"Arguments: {harmless_json(item.arguments)}")
    return lines


def _several(items: Sequence[Item]) -> Sequence[str]:
    lines = []
    for event, some in _by_event(items):
        lines.append(f"{_heading(event, some).capitalize()}.")
        if event is NoticeEvent.ALARM:
            lines += [_alarm(one) for one in some[:_NAMED]]
            continue
        tiers = [(tier, sum(one.tier is tier for one in some)) for tier in reversed(Tier)]
        lines.append(f"By tier: {', '.join(f'{tier.value} {count}' for tier, count in tiers if count)}")
        lines.append(f"By tool: {_tally(Counter(harmless(one.tool) for one in some))}")
        soonest = min((one.due for one in some if one.due), default="")
        if soonest and event in (NoticeEvent.OPENED, NoticeEvent.ESCALATED):
            lines.append(f"First deadline: {_when(soonest)}")
    return lines


def _heading(event: NoticeEvent, items: Sequence[Item]) -> str:
    count = len(items)
    if event is NoticeEvent.ALARM:
        return f"{count} {'alarm was' if count == 1 else 'alarms were'} raised"
    return f"{count} {'call' if count == 1 else 'calls'} {_HEADINGS[event][count != 1]}"


def _by_event(items: Sequence[Item]) -> list[tuple[NoticeEvent, list[Item]]]:
    found = [(event, [one for one in items if one.event is event]) for event in NoticeEvent]
    return [(event, some) for event, some in found if some]


def _alarm(item: Item) -> str:
    whose = f"of {harmless(item.tool)} in the {item.tier.value} tier" if item.tool else f"of the {item.tier.value} tier"
    return _ALARM.format(wrong=item.wrong, audits=item.audits, whose=whose, most=f"{100 * item.alpha:.3g}")


def _tally(counts: Counter[str]) -> str:
    first = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:_NAMED]
    others = counts.total() - sum(count for _, count in first)
    return ", ".join([*(f"{name} {count}" for name, count in first), *([f"others {others}"] if others else [])])


def _when(at: str) -> str:
    try:
        return f"{datetime.fromisoformat(at).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError):
        return "unknown"


def _written_out(character: str) -> str:
    if character == ".":
        return "[.]"  # as people write a site that nobody shall open
    shown = plain(character)
    if shown != character:
        return shown
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
