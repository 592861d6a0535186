"""The verdict does not depend on the door: each tier, each thing that can be wrong with a step, each decision."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.conftest import EACH, Opens, calmly
from tests.adapters.door import Way
from tests.adapters.doors import DOORS
from tests.adapters.reference import reference, summaries
from tests.adapters.script import Script, Turn, agreeing, dead, plan, splitting
from tests.adapters.tools import rules

TIERS = ("low", "medium", "high", "critical")
PAY = {"amount": 100, "to": "bob"}
RAN = ("pay", PAY)

SITUATIONS: dict[str, Script] = {
    "agreeing": agreeing(plan("pay", **PAY)),
    "split": splitting(plan("pay", **PAY), lambda number: plan("pay", amount=200 + number, to="bob")),
    "words": splitting(plan("pay", **PAY), lambda _number: Turn(text="I had rather not.")),
    "dead": dead(plan("pay", **PAY)),
    "unknown": agreeing(plan("fly", to="mars")),
}
ROUTES: dict[tuple[str, str], tuple[str, ...]] = {
    # what becomes of the step, and of it planned again
    ("agreeing", "low"): ("execute agreed",),
    ("agreeing", "medium"): ("execute agreed",),
    ("agreeing", "high"): ("execute agreed",),
    ("agreeing", "critical"): ("review critical",),
    **{("split", tier): ("retry disagreed", "review retries_spent") for tier in TIERS[:3]},
    ("split", "critical"): ("review critical",),
    **{("words", tier): ("retry disagreed", "review retries_spent") for tier in TIERS[:3]},
    ("words", "critical"): ("review critical",),
    **{("dead", tier): ("review sampling_failed",) for tier in TIERS[:3]},
    ("dead", "critical"): ("review critical",),
    **{("unknown", tier): ("retry unknown_tool", "review retries_spent") for tier in TIERS[:3]},
    ("unknown", "critical"): ("review unknown_tool",),
}
CELLS = [pytest.param(situation, tier, id=f"{situation}-{tier}") for situation, tier in ROUTES]
REVIEWED = [
    (situation, tier)
    for (situation, tier), steps in ROUTES.items()
    if steps[-1].startswith("review") and situation in ("agreeing", "split", "dead")
]
DECISIONS: dict[str, dict[str, Any]] = {
    "approve": {},
    "edit": {"arguments": {"amount": 5, "to": "eve"}},
    "reject": {"message": "too much"},
    "respond": {"message": "paid it by hand"},
    "expire": {},
}
DECIDED = {"approve": [RAN], "edit": [("pay", {"amount": 5, "to": "eve"})]}
TOLD = {
    "approve": "pay has run",
    "edit": "pay has run",
    "reject": "too much",
    "respond": "paid it by hand",
    "expire": "deadline",
}


@pytest.mark.parametrize(("situation", "tier"), CELLS)
def test_the_core_says_what_the_table_says(situation: str, tier: str) -> None:
    said = reference(SITUATIONS[situation], rules(tier))
    assert (
        tuple(f"{call['route']} {call['reason']}" for one in said for call in one["calls"]) == ROUTES[situation, tier]
    )


def _both_servers() -> list[Any]:
    """Each door with each cell, with a server that knows ``n`` and with one that does not; the ways take turns."""
    found = []
    for door in DOORS:
        for number, (situation, tier) in enumerate(ROUTES):
            for turn, n in enumerate(("honour", "ignore")):
                way: Way = door.ways[(2 * number + number // 2 + turn) % len(door.ways)]
                name = f"{door.name}-{way}-{situation}-{tier}-{n}"
                found.append(pytest.param(door, way, situation, tier, n, id=name))
    return found


@pytest.mark.parametrize(("door", "way", "situation", "tier", "n"), _both_servers())
async def test_every_door_says_what_the_core_says(opens: Opens, situation: str, tier: str, n: str) -> None:
    conversation = await opens(SITUATIONS[situation], policy=rules(tier), n=n)
    await conversation.go()
    assert summaries(conversation.records) == reference(SITUATIONS[situation], rules(tier))
    runs = ROUTES[situation, tier][-1].startswith("execute")
    assert conversation.ran == ([RAN] if runs else [])
    assert len(conversation.waiting) == (0 if runs else 1)
    assert conversation.final == ("done" if runs and conversation.speaks else "")


def _decided(place: int) -> list[tuple[str, str, str]]:
    """Every decision where agreement, doubt and blindness lead to a person, and elsewhere the decisions take turns."""
    whole = (("agreeing", "critical"), ("split", "medium"), ("dead", "high"))
    names = list(DECISIONS)
    cells = [(*cell, decision) for cell in whole for decision in names]
    rest = [cell for cell in REVIEWED if cell not in whole]
    return cells + [(*cell, names[(place + number) % len(names)]) for number, cell in enumerate(rest)]


def _one_way_each() -> list[Any]:
    """Each door with each cell and decision once; the ways and both kinds of server take turns."""
    found = []
    for place, door in enumerate(DOORS):
        for number, cell in enumerate(_decided(place)):
            way: Way = door.ways[number % len(door.ways)]
            n = ("honour", "ignore")[number // len(door.ways) % 2]
            found.append(pytest.param(door, way, *cell, n, id=f"{door.name}-{way}-{'-'.join(cell)}-{n}"))
    return found


@pytest.mark.parametrize(("door", "way", "situation", "tier", "decision", "n"), _one_way_each())
async def test_what_a_person_decides_is_what_happens(
    opens: Opens, situation: str, tier: str, decision: str, n: str
) -> None:
    policy = rules(tier, tiers={tier: {"timeout": {"after": "1h"}}})
    conversation = await opens(SITUATIONS[situation], policy=policy, n=n)
    await conversation.go()
    paid = conversation.setting.served.requests
    review = conversation.decide(decision, **DECISIONS[decision])
    await conversation.resume()
    assert conversation.ran == DECIDED.get(decision, [])
    assert TOLD[decision] in conversation.told[-1]
    assert conversation.queue.get(review.id).state == "done"
    assert conversation.final == ("done" if conversation.speaks else "")
    # whatever was decided, nothing is measured for it again
    assert conversation.setting.served.requests == paid
    assert len(conversation.reviews) == 1


@pytest.mark.parametrize("tier", ["low", "critical"])
@pytest.mark.parametrize(("door", "way"), EACH)
async def test_arguments_that_cannot_be_read_run_nothing(opens: Opens, tier: str) -> None:
    conversation = await opens(agreeing(Turn(calls=(("pay", '{"amount": 100'),))), policy=rules(tier))
    await calmly(conversation.go())
    assert conversation.ran == []
