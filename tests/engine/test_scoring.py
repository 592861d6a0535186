"""Recorded steps, scored and replayed without a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.engine.scoring import replay, score
from guardrail.errors import EntailmentError
from guardrail.policy import Policy
from guardrail.types import Case, Reason, Route, Sample, Signal
from tests.engine.steps import BROKEN, GOOD, OTHER, PAY, READ, Broken, Model, decide, pay, read, sample, tiers
from tests.engine.test_judging import Same


def case(drawn: Sequence[Sample], *, planned: Sample = GOOD, signals: tuple[tuple[Signal, ...], ...] = ()) -> Case:
    return Case(id="1", planned=planned, samples=tuple(drawn), tools=(PAY, READ), signals=signals)


def test_every_signal_is_that_of_the_flow() -> None:
    drawn = [GOOD] * 5 + [OTHER] * 2 + [BROKEN]
    names = tiers("high").settings["high"].signals  # type: ignore[index]
    verdict = decide(tiers("high"), drawn, curtail=False)
    assert score([case(drawn)], names) == [(verdict.verdicts[0].signals,)]


def test_the_first_n_samples_alone_may_be_scored() -> None:
    drawn = [GOOD] * 3 + [OTHER] * 5
    three, all_, more = (score([case(drawn)], ["agreement"], n=n)[0][0][0] for n in (3, None, 10))
    assert (three.value, all_.value) == (1.0, 3 / 8)
    assert (more.value, more.bounds) == (None, (0.3, 0.5))


def test_all_texts_of_all_cases_go_to_the_judge_in_one_batch() -> None:
    judge = Same()
    memos = ["lunch for Ann", "lunch beside Ann", "taxi home"]
    cases = [case([sample(pay(10, memo)) for memo in memos], planned=sample(pay(10, "lunch with Ann")))] * 3
    found = score(cases, ["agreement", "semantic_entropy", "argument_entropy"], entailment=judge)
    assert len(judge.rounds) == 1
    assert len(set(judge.rounds[0])) == len(judge.rounds[0])
    assert {signals[0].value for (signals,) in found} == {2 / 3}


def test_calls_of_one_step_are_scored_each() -> None:
    planned = sample(pay(10), read("a"))
    drawn = [planned, sample(pay(20), read("a")), sample(pay(10))]
    assert [one[0].value for one in score([case(drawn, planned=planned)], ["agreement"])[0]] == [2 / 3, 2 / 3]
    assert score([case([GOOD], planned=sample())], ["agreement"]) == [()]


def test_what_the_model_answered_is_taken_from_the_record() -> None:
    told = case([GOOD] * 3, signals=((Signal(name="p_true", value=0.7),),))
    assert score([told], ["p_true"])[0][0][0].value == 0.7
    assert score([case([GOOD] * 3)], ["p_true"])[0][0][0].missing == "it was not recorded"
    (risk,) = score([told], ["risk"], risk_model=Model("agreement", "p_true"))[0][0]
    assert risk.value == pytest.approx(0.15)


def test_a_judge_that_fails_scores_nothing() -> None:
    one = case([sample(pay(10, "rent"))], planned=sample(pay(10, "lunch")))
    for judge in (Broken(EntailmentError("no")), Broken(answer=[]), Broken(answer=None)):
        with pytest.raises(EntailmentError):
            score([one], ["agreement"], entailment=judge)


def test_the_rules_of_a_policy_say_how_calls_are_compared() -> None:
    ignoring = Policy.parse(
        {"default": {"tier": "high"}, "tools": [{"match": "pay", "tier": "high", "arguments": {"memo": "ignore"}}]}
    )
    one = case([sample(pay(10, "rent"))] * 8, planned=sample(pay(10, "lunch")))
    plain, ruled = (score([one], ["agreement"], policy=policy)[0][0][0].value for policy in (None, ignoring))
    assert (plain, ruled) == (0.0, 1.0)
    assert replay(one, ignoring).verdict.route is Route.EXECUTE


@given(
    drawn=st.lists(st.sampled_from([GOOD, OTHER, BROKEN, sample()]), min_size=8, max_size=8),
    tier=st.sampled_from(["low", "medium", "high"]),
)
@settings(max_examples=60, deadline=None)
def test_a_replay_is_what_the_guard_would_have_done(drawn: list[Sample], tier: str) -> None:
    policy = tiers(tier)
    for curtail in (True, False):
        live, replayed = decide(policy, drawn, curtail=curtail), replay(case(drawn), policy, curtail=curtail)
        assert replayed.verdict.verdicts == live.verdicts or [
            (v.route, v.reason, v.signals) for v in replayed.verdict.verdicts
        ] == [(v.route, v.reason, v.signals) for v in live.verdicts]
        assert (replayed.verdict.drawn, replayed.verdict.asked) == (live.drawn, live.asked)


def test_a_replay_says_how_many_samples_in_how_many_rounds() -> None:
    assert replay(case([OTHER] * 8), tiers("high")).rounds == 1
    found = replay(case([GOOD] * 8), tiers("high"))
    assert (found.rounds, found.verdict.drawn) == (3, 8)
    four = replay(case([GOOD] * 8), tiers("high"), n=4)
    assert (four.verdict.asked, four.verdict.route) == (4, Route.EXECUTE)


def test_samples_that_were_not_recorded_cannot_be_drawn() -> None:
    found = replay(case([GOOD] * 3), tiers("high"))
    assert (found.verdict.route, found.verdict.verdicts[0].reason) == (Route.REVIEW, Reason.SAMPLING_FAILED)


def test_a_replay_reads_recorded_answers_and_survives_a_broken_judge() -> None:
    policy = Policy.parse(
        {
            "default": {"tier": "high"},
            "tiers": {"high": {"signals": ["agreement", "p_true"], "cascade": [{"doubt": {"p_true": {"lt": 0.5}}}]}},
        }
    )
    told = case([GOOD] * 8, signals=((Signal(name="p_true", value=0.1),),))
    assert replay(told, policy).verdict.verdicts[0].reason is Reason.DOUBTFUL
    texts: Any = case([sample(pay(10, "rent"))] * 8, planned=sample(pay(10, "lunch")))
    failed = replay(texts, tiers("high"), entailment=Broken(RuntimeError("no"))).verdict.verdicts[0]
    assert (failed.route, failed.reason) == (Route.REVIEW, Reason.ENTAILMENT_FAILED)
