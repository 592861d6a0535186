"""How often a step asks its judge of language, and what its verdict says about that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from guardrail import AsyncGuard, Guard
from guardrail.clustering import SharedEntailment, TextPair
from guardrail.errors import EntailmentError
from guardrail.sampling import ScriptedSampler
from guardrail.store import MemoryStore
from guardrail.types import Reason, Route, StepVerdict
from tests.engine.steps import in_order, pay, sample, step, tiers


class Same:
    """Holds texts equal that share their first word, and remembers what it was asked."""

    name = "first word"

    def __init__(self, *faults: Exception | None) -> None:
        self.rounds: list[list[tuple[str, str]]] = []
        self.faults = list(faults)

    def equivalent(self, pairs: Sequence[TextPair]) -> list[bool]:
        self.rounds.append([(pair.a, pair.b) for pair in pairs])
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            raise fault
        return [pair.a.split()[0] == pair.b.split()[0] for pair in pairs]

    async def aequivalent(self, pairs: Sequence[TextPair]) -> list[bool]:
        await asyncio.sleep(0.01)
        return self.equivalent(pairs)


PLANNED = step(pay(10, "lunch with Ann"))


def decide(judge: Any, memos: Sequence[str], *, tier: str = "medium", **options: Any) -> StepVerdict:
    drawn = [sample(pay(10, memo)) for memo in memos]
    guard = Guard(tiers(tier), ScriptedSampler(in_order(drawn)), MemoryStore(), entailment=judge, **options)
    return guard.assess(PLANNED)


def test_a_step_that_is_decided_early_asks_about_the_plan_then_about_the_rest() -> None:
    judge = Same()
    verdict = decide(judge, ["lunch for Ann", "lunch beside Ann", "lunch near Ann", "lunch via Ann"])
    assert (verdict.route, verdict.curtailed) == (Route.EXECUTE, True)
    assert [len(asked) for asked in judge.rounds] == [4, 6]
    assert all("lunch with Ann" in pair for pair in judge.rounds[0])
    assert (verdict.entailment, verdict.pairs, verdict.known_pairs) == ("first word", 10, 0)
    assert len(verdict.verdicts[0].clusters) == 1


@pytest.mark.parametrize("curtail", [True, False])
def test_a_step_takes_at_most_two_rounds_however_its_samples_come(curtail: bool) -> None:
    judge = Same()
    memos = ["lunch for Ann", "taxi home", "lunch beside Ann", "lunch near Ann", "lunch via Ann"]
    verdict = decide(judge, memos, curtail=curtail)
    assert (verdict.drawn, verdict.route) == (5, Route.EXECUTE)
    assert len(judge.rounds) == 2
    assert sorted(len(cluster.members) for cluster in verdict.verdicts[0].clusters) == [1, 4]


def test_nothing_is_asked_where_structure_tells() -> None:
    judge = Same()
    verdict = decide(judge, ["Lunch with Ann!"] * 4)
    assert (judge.rounds, verdict.pairs) == ([], 0)


def test_what_another_step_asked_is_known() -> None:
    judge = Same()
    memos = ["lunch for Ann", "lunch beside Ann", "lunch near Ann", "lunch via Ann"]
    first, second = decide(judge, memos), decide(judge, memos)
    assert (second.pairs, second.known_pairs) == (first.pairs, first.pairs)
    assert len(judge.rounds) == 2


def test_a_judge_that_fails_on_the_rest_is_no_evidence_either() -> None:
    memos = ["lunch for Ann", "lunch beside Ann", "lunch near Ann", "lunch via Ann"]
    verdict = decide(Same(None, EntailmentError("out of memory")), memos)
    assert (verdict.route, verdict.verdicts[0].reason) == (Route.REVIEW, Reason.ENTAILMENT_FAILED)


async def test_steps_in_flight_share_batches() -> None:
    judge = Same()
    memos = ["lunch for Ann", "lunch beside Ann", "lunch near Ann", "lunch via Ann"]

    async def one(number: int) -> StepVerdict:
        drawn = in_order([sample(pay(10, f"{memo} {'x' * number}")) for memo in memos])
        guard = AsyncGuard(tiers("medium"), ScriptedSampler(drawn), MemoryStore(), entailment=judge)
        return await guard.assess(step(pay(10, "lunch with Ann"), id=f"m{number}"))

    verdicts = await asyncio.gather(*map(one, range(1, 11)))
    assert {verdict.route for verdict in verdicts} == {Route.EXECUTE}
    assert sum(map(len, judge.rounds)) == sum(verdict.pairs - verdict.known_pairs for verdict in verdicts) == 100
    assert len(judge.rounds) < 20


def test_a_judge_that_is_shared_already_stays_as_it_is() -> None:
    judge = Same()
    uncached = SharedEntailment(judge, cache=0)
    memos = ["lunch for Ann", "lunch beside Ann", "lunch near Ann", "lunch via Ann"]
    for _ in range(2):
        assert decide(uncached, memos).entailment == "first word"
    assert len(judge.rounds) == 4
