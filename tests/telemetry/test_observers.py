"""What observers of a guard are told, and that they change nothing."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from guardrail import AsyncGuard, Decision, DecisionType, Guard, PlanningStep, Policy, Route
from guardrail.engine import Permit, permit
from guardrail.sampling import ScriptedSampler
from guardrail.store import MemoryStore
from guardrail.telemetry import log_observer
from tests.engine.steps import GOOD, OTHER, in_order, pay, read, sample, step

POLICY = Policy.parse({"default": {"tier": "high"}, "tiers": {"high": {"max_retries": 0}}})
SPLIT = [GOOD, OTHER] * 10
AGREED = [GOOD] * 20


class Noting:
    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def assessed(self, *told: Any) -> None:
        self.told.append(("assessed", *told))

    def permitted(self, *told: Any) -> None:
        self.told.append(("permitted", *told))

    def refused(self, *told: Any) -> None:
        self.told.append(("refused", *told))

    def reviewed(self, *told: Any) -> None:
        self.told.append(("reviewed", *told))

    def events(self) -> list[str]:
        return [event for event, *_ in self.told]


class Failing:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("memo-of-the-caller")


class Counting(MemoryStore):
    """Counts what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not name.startswith("_") and callable(found):
            self.asked[name] += 1
        return found


def guard(drawn: list[Any], store: MemoryStore | None = None, **options: Any) -> Guard:
    return Guard(POLICY, ScriptedSampler(in_order(drawn)), store or MemoryStore(), draw=lambda: 1.0, **options)


def let(of: Guard, one: PlanningStep, record_id: str) -> Any:
    call = one.planned.calls[0]
    return permit(of.store, of.queue, record_id=record_id, thread_id=one.thread_id, call=call)


def decide(of: Guard, review_id: str, kind: DecisionType = DecisionType.APPROVE) -> None:
    of.queue.decide(review_id, Decision(type=kind, by="ann", at="2026-01-01T00:00:00+00:00"))


def test_a_verdict_is_told_once_with_its_record() -> None:
    noting, one = Noting(), step(pay(10))
    guarded = guard(AGREED, observers=[noting])
    verdict = guarded.assess(one)
    assert guarded.assess(one) == verdict
    assert noting.told == [("assessed", one, verdict, verdict.record_id)]
    assert guarded.store.record(verdict.record_id).verdict == verdict


async def test_an_asynchronous_guard_tells_alike() -> None:
    noting, one = Noting(), step(pay(10))
    guarded = AsyncGuard(POLICY, ScriptedSampler(in_order(AGREED)), MemoryStore(), observers=[noting])
    verdict = await guarded.assess(one)
    assert noting.told == [("assessed", one, verdict, verdict.record_id)]


def test_what_may_run_and_what_may_not_is_told() -> None:
    noting, one = Noting(), step(pay(10))
    guarded = guard(AGREED, observers=[noting])
    verdict = guarded.assess(one)
    given = let(guarded, one, verdict.record_id)
    assert isinstance(given, Permit)
    refusal = let(guarded, one, "")
    assert noting.told[1:] == [("permitted", verdict.record_id, given), ("refused", "", refusal)]


def test_a_decision_is_told_once_and_its_use() -> None:
    noting, one = Noting(), step(pay(10))
    guarded = guard(SPLIT, observers=[noting])
    verdict = guarded.assess(one)
    assert verdict.route is Route.REVIEW
    review_id = verdict.verdicts[0].review_id
    decide(guarded, review_id)
    decide(guarded, review_id)
    assert noting.events() == ["assessed", "reviewed"]
    assert noting.told[-1][1].decision.type is DecisionType.APPROVE
    assert isinstance(let(guarded, one, verdict.record_id), Permit)
    assert not isinstance(let(guarded, one, verdict.record_id), Permit)
    assert noting.events() == ["assessed", "reviewed", "permitted", "refused"]


@pytest.mark.parametrize("kind", [DecisionType.REJECT, DecisionType.RESPOND])
def test_refusals_of_people_are_told(kind: DecisionType) -> None:
    noting = Noting()
    guarded = guard(SPLIT, observers=[noting])
    verdict = guarded.assess(step(pay(10)))
    said = Decision(type=kind, by="ann", at="2026-01-01T00:00:00+00:00", message="no")
    guarded.queue.decide(verdict.verdicts[0].review_id, said)
    assert noting.events() == ["assessed", "reviewed"]


@pytest.mark.parametrize("drawn", [AGREED, SPLIT, [sample()] * 20])
def test_a_failing_observer_changes_nothing_and_its_words_are_not_logged(
    drawn: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    def run(**options: Any) -> tuple[Any, ...]:
        one, guarded = step(pay(10, memo="memo-of-the-caller")), guard(list(drawn), **options)
        verdict = guarded.assess(one)
        if verdict.route is Route.REVIEW:
            decide(guarded, verdict.verdicts[0].review_id)
        given = [let(guarded, one, verdict.record_id) for _ in range(2)]
        told = [(one.key, one.call) if isinstance(one, Permit) else one for one in given]
        return verdict.record_id, verdict.route, verdict.verdicts, told

    noting = Noting()
    assert run(observers=[Failing(), noting]) == run()
    assert noting.events()[0] == "assessed"
    assert "observer Failing failed in assessed: RuntimeError" in caplog.text
    assert "memo-of-the-caller" not in caplog.text
    assert all(entry.exc_info is None for entry in caplog.records)


@pytest.mark.parametrize("drawn", [AGREED, SPLIT])
def test_nothing_more_is_read_or_written_for_observers(drawn: list[Any]) -> None:
    def asked(**options: Any) -> Counter[str]:
        store, one = Counting(), step(pay(10))
        guarded = guard(list(drawn), store, **options)
        verdict = guarded.assess(one)
        if verdict.route is Route.REVIEW:
            decide(guarded, verdict.verdicts[0].review_id)
        let(guarded, one, verdict.record_id)
        return store.asked

    assert asked(observers=[Noting(), log_observer()]) == asked()


def test_a_verdict_is_one_line_of_json(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "guardrail.verdicts")
    guarded = guard(SPLIT, observers=[log_observer()])
    verdict = guarded.assess(step(pay(10), read("x"), model="small"))
    lines = [json.loads(entry.getMessage()) for entry in caplog.records]
    assert [line["tool"] for line in lines] == ["pay", "read"]
    assert [line["route"] for line in lines] == [one.route.value for one in verdict.verdicts]
    first = lines[0]
    assert first["event"] == "guardrail.verdict"
    assert (first["record_id"], first["model"], first["tier"]) == (verdict.record_id, "small", "high")
    assert first["samples"] == verdict.drawn
    assert first["tokens"] == {"input": verdict.usage.prompt_tokens, "output": verdict.usage.completion_tokens}
    assert caplog.records[0].guardrail == first  # type: ignore[attr-defined]


def test_a_logger_that_is_off_gets_nothing(caplog: pytest.LogCaptureFixture) -> None:
    quiet = logging.getLogger("quiet")
    quiet.setLevel(logging.ERROR)
    guard(AGREED, observers=[log_observer(quiet)]).assess(step(pay(10)))
    assert caplog.records == []


def test_the_room_loads_no_optional_package() -> None:
    code = "import guardrail.telemetry, sys; print(sorted({'opentelemetry', 'langsmith'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
