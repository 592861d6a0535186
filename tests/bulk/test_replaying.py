"""Recorded steps planned, drawn and scored again, on one machine."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from guardrail import AsyncGuard, Policy
from guardrail.bulk import Job, PlannerOptions, Worker, local
from guardrail.bulk.replaying import spent
from guardrail.clustering import ExactEntailment
from guardrail.errors import ConfigError
from guardrail.store import MemoryStore
from guardrail.types import SCORE_KEYS, Case, Fault, Label, LabelSource, Route, Sample, SampleStatus, Usage
from tests.support import bulk
from tests.support.bulk import Steady, case, pay


def job(**more: Any) -> Job:
    settings = more.pop("settings", {})
    return Job(
        planner=bulk.steady, options=PlannerOptions(settings=settings), started="2026-02-03T00:00:00+00:00", **more
    )


def replayed(cases: list[Case], asked: Job, **more: Any) -> list[Case]:
    done: list[Case] = []
    asyncio.run(local.run(cases, asked, done.append, **more))
    return sorted(done, key=lambda one: one.id)


def test_a_step_is_planned_drawn_scored_and_judged_again() -> None:
    (found,) = replayed([case(4)], job(policy=Policy(), samples=6))
    assert found.planned.calls == (pay(4),)
    assert len(found.samples) == 6
    assert (found.id, found.group, found.model) == ("case 0004", "task 2", "new")
    assert found.correct is None
    assert found.at == "2026-02-03T00:00:00+00:00"
    assert found.failure == ""
    assert found.verdict is not None
    assert found.verdict.route is Route.EXECUTE
    assert found.verdict.verdicts[0].signal("agreement").value == 1  # type: ignore[union-attr]
    assert found.usage == Usage(requests=1, prompt_tokens=50, completion_tokens=42, seconds=1.0)
    assert found.planning == Usage(requests=1, prompt_tokens=50, completion_tokens=7, seconds=0.5)
    assert spent(found) == Usage(requests=2, prompt_tokens=100, completion_tokens=49, seconds=1.5)


def test_samples_that_disagree_send_the_step_to_where_the_policy_sends_it() -> None:
    (found,) = replayed([case(5)], job(samples=6))
    assert found.verdict is not None
    assert found.verdict.verdicts[0].signal("agreement").value == 0.5  # type: ignore[union-attr]
    assert found.verdict.route is Route.RETRY
    (again,) = replayed([case(5, attempt=1)], job(samples=6))
    assert again.verdict is not None
    assert again.verdict.route is Route.REVIEW


def test_a_kept_plan_is_only_drawn_again_and_keeps_its_label() -> None:
    label = Label(call_id="call_1", correct=False, source=LabelSource.AUDIT, by="ana", at="x", fault=Fault.WRONG)
    recorded = case(3, correct=False, labels=(label,))
    (found,) = replayed([recorded], job(keep_plan=True, samples=5))
    assert found.planned == recorded.planned
    assert (found.correct, found.labels, found.at, found.planning) == (False, (label,), recorded.at, None)
    assert spent(found).requests == 1
    # samples of one model about a plan of another are a score of their own
    assert found.fingerprint["model"] == "old, drawn again by new"
    (own,) = replayed([replace(recorded, model="new")], job(keep_plan=True, samples=5))
    assert own.fingerprint["model"] == "new"


async def test_scores_are_those_that_a_guard_would_have_had() -> None:
    """Else a calibration on replayed steps would hold for none that runs."""
    (found,) = await asyncio.to_thread(replayed, [case(5)], job())
    planner = Steady(PlannerOptions())
    step = (await planner.plan(replace(case(5), request={"messages": []}))).step
    whole, store = MemoryStore(), MemoryStore()
    verdict = await AsyncGuard(Policy(), planner, whole, curtail=False, entailment=ExactEntailment()).assess(step)
    live = await AsyncGuard(Policy(), planner, store).assess(step)
    assert found.verdict is not None
    assert found.verdict.verdicts[0].signals == verdict.verdicts[0].signals
    # the guard that runs stops early, which leads every call where all samples do
    assert found.verdict.route is verdict.route is live.route
    kept = store.record(live.record_id).fingerprint
    assert {key: found.fingerprint.get(key) for key in SCORE_KEYS} == {key: kept.get(key) for key in SCORE_KEYS}


def test_a_checker_judges_new_plans() -> None:
    good, bad = replayed([case(4), case(6)], job(checker=bulk.checker, named={"checker": "right"}))
    assert (good.correct, bad.correct) == (True, False)
    (label,) = bad.labels
    assert (label.call_id, label.correct, label.source, label.by) == ("call_1", False, LabelSource.CHECKER, "right")


@pytest.mark.parametrize(
    ("said", "correct", "labels"),
    [([True], True, [True]), ([False], False, [False]), ([None], None, []), (None, None, [])],
)
def test_a_checker_may_judge_each_call_or_none(said: Any, correct: bool | None, labels: list[bool]) -> None:
    (found,) = replayed([case(4)], job(checker=lambda: lambda _: said))
    assert found.correct is correct
    assert [label.correct for label in found.labels] == labels


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (1, "gave int: it must give True, False or None"),
        ([True, False], "gave 2 judgements of 1 calls"),
        ([1], "each True, False or None"),
        (RuntimeError("secret"), "the checker right raised RuntimeError"),
    ],
)
def test_what_is_no_judgement_is_no_label(said: Any, reason: str) -> None:
    def check(_: Case) -> Any:
        if isinstance(said, Exception):
            raise said
        return said

    (found,) = replayed([case(4)], job(checker=lambda: check, named={"checker": "right"}))
    assert reason in found.failure
    assert "secret" not in found.failure
    assert (found.correct, found.labels) == (None, ())


def test_a_kept_label_is_not_asked_of_a_checker() -> None:
    (found,) = replayed([case(4, correct=True)], job(keep_plan=True, checker=lambda: lambda _: False))
    assert found.correct is True


def test_one_that_fails_is_written_with_the_reason_and_what_was_paid() -> None:
    good, bad = replayed([case(1), case(2)], job(settings={"failing": [2]}))
    assert (good.failure, bad.failure) == ("", "the server is full")
    assert bad.planned.status is SampleStatus.FAILED
    assert (bad.verdict, bad.correct, bad.samples) == (None, None, ())
    assert spent(bad) == Usage(requests=1, prompt_tokens=10, completion_tokens=0)


def test_whatever_a_planner_raises_only_its_kind_is_told() -> None:
    class Broken(Steady):
        async def asample(self, step: Any, n: int) -> Any:
            raise ValueError("Bearer sk-secret")

    (found,) = replayed([case(4)], replace(job(), planner=Broken))
    assert found.failure == "ValueError in the planner"
    # what it had planned is kept, and so is its cost
    assert found.planned.calls == (pay(4),)
    assert found.planning is not None


def test_what_cannot_be_planned_is_told_before_anything_is_sent() -> None:
    async def refusals() -> list[str]:
        worker = Worker(job())
        return [worker.refusal(one) for one in (case(1), case(1, conversation=()))]

    fine, refused = asyncio.run(refusals())
    assert fine == ""
    assert "neither request nor conversation" in refused
    (found,) = replayed([case(1, conversation=())], job())
    assert found.failure == refused
    assert spent(found).requests == 0


def test_signals_that_ask_are_asked_where_they_are_wanted() -> None:
    (without,) = replayed([case(4)], job())
    (found,) = replayed([case(4)], job(signals=("verbalized_confidence", "kernel_entropy")))
    names = {signal.name for signal in found.signals[0]}
    assert {"verbalized_confidence", "kernel_entropy", "agreement"} <= names
    assert "verbalized_confidence" not in {signal.name for signal in without.signals[0]}
    assert spent(found).requests == spent(without).requests + 1
    with pytest.raises(ConfigError, match="unknown signal 'nonsense'"):
        replayed([case(4)], job(signals=("nonsense",)))


def test_a_plan_in_words_draws_nothing() -> None:
    class Talks(Steady):
        async def plan(self, case: Case) -> Any:
            planned = await super().plan(case)
            return replace(planned, step=replace(planned.step, planned=Sample(text="I would rather not.")))

    (found,) = replayed([case(4)], replace(job(checker=lambda: lambda _: False), planner=Talks))
    assert (found.failure, found.samples, found.correct) == ("", (), False)
    assert spent(found).requests == 1


def test_results_do_not_depend_on_order_or_on_how_many_run_at_once() -> None:
    cases = [case(number) for number in range(30)]
    first = replayed(cases, job(concurrency=1, settings={"failing": [7]}))
    random.Random(1).shuffle(cases)
    assert replayed(cases, job(concurrency=9, settings={"failing": [7]})) == first


def test_no_more_run_at_once_than_were_asked_for() -> None:
    at_once = [0, 0]

    class Counting(Steady):
        async def plan(self, case: Case) -> Any:
            at_once[0] += 1
            at_once[1] = max(at_once)
            await asyncio.sleep(0)
            planned = await super().plan(case)
            at_once[0] -= 1
            return planned

    replayed([case(number) for number in range(20)], replace(job(concurrency=3), planner=Counting))
    assert at_once == [0, 3]


def test_at_the_first_no_what_is_in_work_is_finished_and_nothing_else_begun() -> None:
    begun: list[str] = []

    def begin(one: Case) -> bool:
        begun.append(one.id)
        return len(begun) != 6

    found = replayed([case(number) for number in range(20)], job(concurrency=3), begin=begin)
    assert [one.id for one in found] == sorted(begun)[:5]


@pytest.mark.parametrize("ends", ["well", "badly"])
def test_the_planner_is_closed_however_a_run_ends(ends: str) -> None:
    made: list[Steady] = []

    def make(options: PlannerOptions) -> Steady:
        made.append(Steady(options))
        return made[0]

    def done(_: Case) -> None:
        if ends == "badly":
            raise OSError("no room left")

    run: Callable[[], None] = lambda: asyncio.run(local.run([case(1)], replace(job(), planner=make), done))  # noqa: E731
    if ends == "badly":
        with pytest.raises(OSError, match="no room left"):
            run()
    else:
        run()
    assert made[0].closed
