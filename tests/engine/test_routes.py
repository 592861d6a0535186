"""What the guard decides, by stakes and samples, through ``Guard`` and ``AsyncGuard``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from guardrail import AsyncGuard, Guard
from guardrail.clustering import TextPair
from guardrail.errors import ConfigError, EntailmentError, SamplingError
from guardrail.sampling import ScriptedSampler
from guardrail.store import MemoryStore
from guardrail.types import Reason, Route, Sample, SampleBatch, SampleStatus, Tier, ToolCall
from tests.engine.steps import BROKEN, GOOD, OTHER, Broken, decide, in_order, likely, pay, sample, step, tiers

TABLE = [
    ("low", [GOOD, GOOD, OTHER], Route.EXECUTE, Reason.AGREED),
    ("low", [GOOD, OTHER, OTHER], Route.RETRY, Reason.DISAGREED),
    ("medium", [GOOD] * 4 + [OTHER], Route.EXECUTE, Reason.AGREED),
    ("medium", [GOOD] * 3 + [OTHER] * 2, Route.RETRY, Reason.DISAGREED),
    ("high", [GOOD] * 8, Route.EXECUTE, Reason.AGREED),
    ("high", [GOOD] * 7 + [OTHER], Route.RETRY, Reason.DISAGREED),
    ("high", [GOOD] * 7 + [sample()], Route.RETRY, Reason.DISAGREED),
    ("high", [GOOD] * 7 + [BROKEN], Route.REVIEW, Reason.INVALID_SAMPLES),
    ("high", [BROKEN] * 8, Route.REVIEW, Reason.INVALID_SAMPLES),
    ("medium", [GOOD] * 4 + [BROKEN], Route.EXECUTE, Reason.AGREED),
    ("critical", [GOOD] * 8, Route.REVIEW, Reason.CRITICAL),
    ("critical", [OTHER] * 8, Route.REVIEW, Reason.CRITICAL),
]


@pytest.mark.parametrize(("tier", "drawn", "route", "reason"), TABLE)
@pytest.mark.parametrize("curtail", [True, False])
def test_routes_by_stakes(tier: str, drawn: list[Sample], route: Route, reason: Reason, curtail: bool) -> None:
    verdict = decide(tiers(tier), drawn, curtail=curtail)
    assert (verdict.route, verdict.verdicts[0].reason) == (route, reason)


def test_a_spent_retry_budget_ends_before_a_human() -> None:
    verdict = decide(tiers("high"), [OTHER] * 8, step(pay(10), attempt=1))
    assert (verdict.route, verdict.verdicts[0].reason) == (Route.REVIEW, Reason.RETRIES_SPENT)


def test_the_planned_call_is_not_a_sample() -> None:
    verdict = decide(tiers("medium"), [OTHER] * 5)
    assert verdict.verdicts[0].agreeing == 0


FAULTS = {
    "error of ours": Broken(SamplingError("no")),
    "error of theirs": Broken(RuntimeError("no")),
    "nothing": Broken(answer=None),
    "no samples": Broken(answer=SampleBatch(samples=())),
    "not a batch": Broken(answer=["x"]),
    "all failed": Broken(answer=SampleBatch(samples=(sample(status=SampleStatus.FAILED),) * 3)),
    "one response as often as asked": Broken(
        answer=SampleBatch(samples=(sample(pay(10), response_id="r1", choice=0),) * 8)
    ),
}


@pytest.mark.parametrize("fault", list(FAULTS))
@pytest.mark.parametrize("tier", list(Tier))
@pytest.mark.parametrize("way", ["sync", "async"])
async def test_no_measurement_is_no_evidence_of_confidence(fault: str, tier: Tier, way: str) -> None:
    backend = FAULTS[fault]
    if way == "sync":
        verdict = Guard(tiers(tier), backend, MemoryStore()).assess(step(pay(10)))
    else:
        verdict = await AsyncGuard(tiers(tier), backend, MemoryStore()).assess(step(pay(10)))
    assert verdict.route is Route.REVIEW


def test_a_sample_that_is_the_plans_own_response_is_a_copy() -> None:
    planned = sample(pay(10), response_id="r1", choice=0)
    verdict = decide(tiers("high"), [planned, *[GOOD] * 7], step(planned=planned))
    assert (verdict.route, verdict.invalid) == (Route.REVIEW, 1)


def test_the_low_tier_runs_unmeasured_only_where_the_policy_says_so_and_the_record_says_it() -> None:
    verdict = decide(tiers("low", tiers={"low": {"unmeasured": "execute"}}), [BROKEN] * 3)
    assert (verdict.route, verdict.verdicts[0].reason) == (Route.EXECUTE, Reason.FAIL_OPEN_BY_POLICY)


ENTAILMENT_FAULTS = {
    "error of ours": Broken(EntailmentError("no")),
    "error of theirs": Broken(ValueError("nan")),
    "too few answers": Broken(answer=[]),
    "nothing": Broken(answer=None),
}


@pytest.mark.parametrize("fault", list(ENTAILMENT_FAULTS))
def test_texts_that_could_not_be_compared_are_no_evidence(fault: str) -> None:
    drawn = [sample(pay(10, "rent for the flat"))] * 8
    verdict = decide(tiers("high"), drawn, step(pay(10, "monthly payment")), entailment=ENTAILMENT_FAULTS[fault])
    assert (verdict.route, verdict.verdicts[0].reason) == (Route.REVIEW, Reason.ENTAILMENT_FAILED)


def test_the_policy_may_let_texts_differ_where_their_judge_fails_and_the_verdict_says_so() -> None:
    one = step(pay(10, "monthly payment"))
    judge = Broken(EntailmentError("no weights"))
    drawn = [sample(pay(10, "monthly payment"))] * 4 + [sample(pay(10, "rent for the flat"))]
    verdict = decide(tiers("medium", judge_fallback="exact"), drawn, one, entailment=judge, curtail=False)
    assert (verdict.route, verdict.entailment) == (Route.EXECUTE, "exact, in place of broken")
    strict = decide(tiers("medium"), drawn, one, entailment=judge, curtail=False)
    assert (strict.route, strict.entailment) == (Route.REVIEW, "broken")


@pytest.mark.parametrize(
    ("error", "says", "hides"),
    [
        (ConfigError("no weights: run hf download x"), "hf download x", "RuntimeError"),
        (RuntimeError("key sk-123 refused"), "RuntimeError", "sk-123"),
    ],
)
def test_the_human_reads_why_a_measurement_failed_and_no_words_of_others(
    error: Exception, says: str, hides: str
) -> None:
    drawn = [sample(pay(10, "rent for the flat"))] * 8
    judged = decide(tiers("high"), drawn, step(pay(10, "monthly payment")), entailment=Broken(error))
    sampled = Guard(tiers("high"), Broken(error), MemoryStore()).assess(step(pay(10)))
    for verdict in (judged, sampled):
        assert says in verdict.verdicts[0].why
        assert hides not in verdict.verdicts[0].why


@pytest.mark.parametrize("answer", ["yes", 1, float("nan"), 0.9])
def test_only_a_plain_true_makes_texts_the_same(answer: Any) -> None:
    class Vague(Broken):
        def equivalent(self, pairs: Sequence[TextPair]) -> Any:
            return [answer] * len(pairs)

    drawn = [sample(pay(10, "rent for the flat"))] * 8
    verdict = decide(tiers("high"), drawn, step(pay(10, "monthly payment")), entailment=Vague())
    assert verdict.route is not Route.EXECUTE


def test_control_flow_of_a_framework_passes_through() -> None:
    class Bubble(Exception):
        pass

    guard = Guard(tiers("high"), Broken(Bubble()), MemoryStore(), passthrough=(Bubble,))
    with pytest.raises(Bubble):
        guard.assess(step(pay(10)))


UNSEEN = {
    "request unknown": (step(pay(10), request=None), Reason.REQUEST_UNKNOWN),
    "plan cut short": (step(planned=sample(pay(10), status=SampleStatus.TRUNCATED)), Reason.UNPARSABLE_CALL),
    "tool not offered, retries spent": (
        step(ToolCall(name="pays", arguments={}, id="c1"), attempt=1),
        Reason.RETRIES_SPENT,
    ),
}


@pytest.mark.parametrize("case", list(UNSEEN))
def test_what_cannot_be_sampled_costs_nothing_and_goes_to_a_human(case: str) -> None:
    one, reason = UNSEEN[case]
    sampler = ScriptedSampler(in_order([]))
    verdict = Guard(tiers("low"), sampler, MemoryStore()).assess(one)
    assert (verdict.route, verdict.verdicts[0].reason, verdict.drawn) == (Route.REVIEW, reason, 0)


def test_a_misspelt_tool_is_planned_again_first() -> None:
    verdict = decide(tiers("low"), [], step(ToolCall(name="pays", arguments={}, id="c1")))
    assert (verdict.route, verdict.verdicts[0].reason) == (Route.RETRY, Reason.UNKNOWN_TOOL)


def test_a_retry_holds_the_whole_step() -> None:
    both = sample(pay(10), ToolCall(name="read", arguments={"id": "a"}, id="c2"))
    one = step(*both.calls)
    drawn = [sample(pay(20), both.calls[1])] * 8
    verdict = decide(tiers("high"), drawn, one)
    assert [v.route for v in verdict.verdicts] == [Route.RETRY, Route.RETRY]
    assert [v.reason for v in verdict.verdicts] == [Reason.DISAGREED, Reason.SIBLING_RETRIED]


def test_a_likely_low_stakes_call_costs_no_sample() -> None:
    sampler = ScriptedSampler(in_order([]))
    verdict = Guard(tiers("low"), sampler, MemoryStore()).assess(likely(-0.01))
    assert (verdict.route, verdict.verdicts[0].reason, verdict.drawn) == (Route.EXECUTE, Reason.LIKELY, 0)


@pytest.mark.parametrize("tier", ["medium", "high", "critical"])
def test_log_probability_alone_never_runs_a_call_of_higher_stakes(tier: str) -> None:
    verdict = Guard(tiers(tier), Broken(SamplingError("no")), MemoryStore()).assess(likely(-0.01))
    assert verdict.route is Route.REVIEW


def test_an_unlikely_low_stakes_call_is_sampled() -> None:
    verdict = decide(tiers("low"), [GOOD, GOOD, GOOD], likely(-3.0))
    assert (verdict.verdicts[0].reason, verdict.drawn) == (Reason.AGREED, 2)


def test_audits_are_drawn_before_sampling_and_take_all_samples() -> None:
    policy = tiers("high", tiers={"high": {"audit": 0.25}})
    audited = decide(policy, [OTHER] * 8, draw=lambda: 0.2)
    free = decide(policy, [OTHER] * 8, draw=lambda: 0.3)
    assert (audited.audited, audited.audit_probability, audited.drawn, audited.curtailed) == (True, 0.25, 8, False)
    assert (free.audited, free.audit_probability, free.drawn, free.curtailed) == (False, 0.25, 1, True)


def test_evidence_for_the_human_is_complete_on_critical_calls() -> None:
    assert decide(tiers("critical"), [OTHER] * 8).drawn == 8


async def test_sync_and_async_decide_alike() -> None:
    drawn = [GOOD, OTHER, GOOD, BROKEN, GOOD, GOOD, GOOD, GOOD]
    for tier in Tier:
        a = Guard(tiers(tier), ScriptedSampler(in_order(drawn)), MemoryStore()).assess(step(pay(10)))
        b = await AsyncGuard(tiers(tier), ScriptedSampler(in_order(drawn)), MemoryStore()).assess(step(pay(10)))
        assert a.verdicts == b.verdicts
