"""Stages in order: what each pays for, what it decides, and what the verdict says."""

from __future__ import annotations

import pytest

from guardrail.errors import AskingError
from guardrail.policy import Stopping, StoppingRule
from guardrail.types import Reason, Reply, ReplyBatch, Route, SampleStatus, Tier
from tests.engine.flows import Rules, run, stage, tier
from tests.engine.steps import BROKEN, GOOD, OTHER, Answering, Broken, Stated, likely, pay, read, sample, step
from tests.engine.test_judging import Same

THREE = stage(3, execute="agreement ge 1.0", doubt="agreement le 0.0")
ASKED = stage(execute="p_true ge 0.9", doubt="p_true le 0.1")


def test_an_early_stage_that_clears_ends_the_drawing() -> None:
    ran = run(step(pay(10)), tier(THREE), [GOOD] * 8)
    (one,) = ran.verdict.verdicts
    assert (one.route, one.reason, one.stage) == (Route.EXECUTE, Reason.CLEARED, 1)
    assert (ran.drawn, ran.verdict.drawn, ran.verdict.asked, ran.verdict.curtailed) == ([3], 3, 8, True)
    assert (one.agreeing, one.needed, one.asked, one.threshold) == (3, 3, 3, 1.0)
    assert one.why == "cleared at stage 1 of 2: agreement 3 of 3, at least 1 (not calibrated): it runs."


def test_an_early_stage_that_doubts_ends_it_too() -> None:
    ran = run(step(pay(10)), tier(THREE), [OTHER] * 8)
    (one,) = ran.verdict.verdicts
    assert (one.route, one.reason, one.stage, ran.drawn) == (Route.RETRY, Reason.DOUBTFUL, 1, [3])
    assert one.why.startswith("in doubt at stage 1 of 2: agreement 0 of 3, at most 0 (not calibrated)")
    spent = run(step(pay(10), attempt=1), tier(THREE), [OTHER] * 8).verdict.verdicts[0]
    assert (spent.route, spent.reason) == (Route.REVIEW, Reason.RETRIES_SPENT)


def test_what_an_early_stage_leaves_open_the_last_one_decides() -> None:
    ran = run(step(pay(10)), tier(THREE, samples=5, agreement=0.8), [GOOD, OTHER, GOOD, GOOD, GOOD])
    (one,) = ran.verdict.verdicts
    assert (one.route, one.reason, one.stage) == (Route.EXECUTE, Reason.AGREED, 2)
    assert (ran.drawn, one.agreeing, one.asked) == ([3, 1, 1], 4, 5)


def test_an_invalid_sample_speaks_for_no_side_of_a_stage() -> None:
    ran = run(step(pay(10)), tier(THREE, samples=5, agreement=0.8), [GOOD, GOOD, BROKEN, GOOD, GOOD])
    assert (ran.verdict.verdicts[0].stage, ran.verdict.verdicts[0].reason) == (2, Reason.AGREED)


def test_a_question_is_asked_where_a_stage_names_it_and_nothing_is_drawn_where_it_decides() -> None:
    asker = Answering("0.95")
    ran = run(step(pay(10)), tier(ASKED), [GOOD] * 8, own=[Stated()], asker=asker)
    (one,) = ran.verdict.verdicts
    assert (one.reason, one.stage, ran.drawn, ran.judged) == (Reason.CLEARED, 1, [], [])
    assert (ran.inquired, ran.verdict.questions) == ([["p_true of 0"]], 1)
    assert ran.verdict.usage.prompt_tokens == 50
    assert one.signal("p_true").value == 0.95  # type: ignore[union-attr]
    assert "P(True) 0.95, at least 0.9" in one.why


def test_a_stage_that_is_not_reached_costs_nothing() -> None:
    late = tier(THREE, stage(5, execute="p_true ge 0.9,agreement ge 1.0"))
    ran = run(step(pay(10)), late, [GOOD] * 8, own=[Stated()], asker=Answering("0.95"))
    assert (ran.inquired, ran.drawn) == ([], [3])
    named = tier(THREE, signals=("agreement", "p_true"))
    signal = (
        run(step(pay(10)), named, [GOOD] * 8, own=[Stated()], asker=Answering("0.95"))
        .verdict.verdicts[0]
        .signal("p_true")
    )
    assert signal is not None
    assert signal.missing == "the model was not asked: no stage that was reached needs it"


def test_the_signals_of_a_tier_are_paid_for_in_its_last_stage() -> None:
    asker = Answering("0.5")
    ran = run(step(pay(10)), tier(signals=("agreement", "p_true")), [GOOD] * 8, own=[Stated()], asker=asker)
    assert ran.inquired == [["p_true of 0"]]
    assert ran.verdict.verdicts[0].reason is Reason.AGREED


@pytest.mark.parametrize(
    ("asker", "reason"),
    [
        (None, "the guard has no asker"),
        (Broken(answer=AskingError("down")), "down"),
        (Broken(answer=None), "wrong form"),
        (Broken(answer=ReplyBatch(replies=())), "wrong form"),
        (Broken(answer=ReplyBatch(replies=("0.99",))), "wrong form"),  # type: ignore[arg-type]
        (Broken(answer=ReplyBatch(replies=(Reply(text="0.99", status=SampleStatus.TRUNCATED),))), "no usable reply"),
        (Broken(answer=ReplyBatch(replies=(Reply(text="surely"),))), "no number"),
    ],
)
def test_a_question_without_an_answer_leaves_its_signal_missing_and_the_next_stage_decides(
    asker: object, reason: str
) -> None:
    ran = run(step(pay(10)), tier(ASKED), [GOOD] * 7 + [OTHER], own=[Stated()], asker=asker)
    (one,) = ran.verdict.verdicts
    assert (one.reason, one.stage) == (Reason.DISAGREED, 2)
    assert reason in (one.signal("p_true").missing or "")  # type: ignore[union-attr]


def test_a_call_is_not_cleared_where_a_doubt_could_not_be_measured() -> None:
    careful = stage(3, execute="agreement ge 1.0", doubt="p_true le 0.1")
    cleared = run(step(pay(10)), tier(careful), [GOOD] * 8, own=[Stated()], asker=Answering("0.5"))
    unasked = run(step(pay(10)), tier(careful), [GOOD] * 8, own=[Stated()])
    assert (cleared.verdict.verdicts[0].stage, unasked.verdict.verdicts[0].stage) == (1, 2)


def test_a_stage_that_has_nothing_to_say_any_more_draws_no_samples_unless_all_are_to_be_drawn() -> None:
    rules = tier(stage(3, execute="agreement ge 1.0,p_true ge 0.9"), samples=5, agreement=0.8)
    early, full = (
        run(step(pay(10)), rules, [GOOD] * 5, own=[Stated()], asker=Answering("0.1"), curtail=curtail)
        for curtail in (True, False)
    )
    assert (early.drawn, full.drawn) == ([2, 2], [3, 2])


def test_calls_of_one_step_are_asked_about_together_and_drawn_for_together() -> None:
    one = step(pay(10), read("a"))
    rules = Rules({"pay": tier(ASKED, THREE), "read": tier(ASKED, samples=5, agreement=0.8)})
    both = sample(pay(10), read("a"))
    ran = run(one, rules, [both] * 8, own=[Stated()], asker=Answering("0.5"))
    assert ran.inquired == [["p_true of 0", "p_true of 1"]]
    assert ran.drawn == [3, 1]  # the first is cleared at 3, and what is left asks for 5, of which 4 are enough
    assert [(v.reason, v.stage, v.asked) for v in ran.verdict.verdicts] == [
        (Reason.CLEARED, 2, 3),
        (Reason.AGREED, 2, 5),
    ]


def test_a_call_decided_early_stays_decided_while_its_siblings_go_on() -> None:
    one = step(pay(10), read("a"))
    rules = Rules({"pay": tier(THREE), "read": tier(samples=5, agreement=0.8)})
    drawn = [sample(pay(10), read("a"))] * 3 + [sample(pay(20), read("a"))] * 5
    ran = run(one, rules, drawn, curtail=False)
    first, second = ran.verdict.verdicts
    assert (first.reason, first.stage, first.agreeing, first.asked) == (Reason.CLEARED, 1, 3, 3)
    assert (second.reason, second.asked, second.agreeing) == (Reason.AGREED, 5, 5)
    assert (ran.drawn, ran.verdict.asked) == ([5], 8)


def test_an_audit_raises_no_number_that_decides() -> None:
    one = step(pay(10), read("a"))
    rules = Rules({"pay": tier(THREE, audit=0.5), "read": tier(samples=5, agreement=0.8)})
    drawn = [sample(pay(10), read("a"))] * 4 + [sample(pay(20), read("b"))] * 4
    plain, audited = (run(one, rules, drawn, audit=audit).verdict for audit in (0.9, 0.1))
    assert (plain.drawn, audited.drawn) == (4, 8)
    assert [(v.reason, v.stage, v.agreeing) for v in audited.verdicts] == [
        (Reason.CLEARED, 1, 3),
        (Reason.AGREED, 1, 4),
    ]
    assert [v.route for v in plain.verdicts] == [v.route for v in audited.verdicts]


def test_the_last_stage_of_every_call_looks_at_all_samples_of_the_step() -> None:
    one = step(pay(10), read("a"))
    rules = Rules({"pay": tier(samples=8), "read": tier(samples=5, agreement=0.8)})
    drawn = [sample(pay(10), read("a"))] * 6 + [sample(pay(10), read("b"))] * 2
    ran = run(one, rules, drawn)
    assert [(v.asked, v.needed) for v in ran.verdict.verdicts] == [(8, 8), (8, 7)]
    assert ran.verdict.verdicts[1].reason is Reason.DISAGREED


def test_an_audited_step_draws_all_and_decides_as_if_it_were_not() -> None:
    drawn = [GOOD] * 3 + [OTHER] * 5
    plain = run(step(pay(10)), tier(THREE, audit=0.5), drawn, audit=0.9)
    audited = run(step(pay(10)), tier(THREE, audit=0.5), drawn, audit=0.1)
    assert (plain.drawn, audited.drawn, audited.verdict.audited) == ([3], [8], True)
    one, other = plain.verdict.verdicts[0], audited.verdict.verdicts[0]
    assert (one.route, one.reason, one.stage, one.why) == (other.route, other.reason, other.stage, other.why)
    assert one.signal("agreement").bounds == (3 / 8, 1.0)  # type: ignore[union-attr]
    assert other.signal("agreement").value == 3 / 8  # type: ignore[union-attr]
    assert other.clusters[0].members == (0, 1, 2)


def test_an_audited_step_measures_what_no_stage_had_to() -> None:
    rules = tier(THREE, audit=1.0, signals=("agreement", "p_true", "semantic_entropy"))
    drawn = [sample(pay(10, "lunch"))] * 4 + [sample(pay(10, "rent"))] * 4
    ran = run(step(pay(10, "lunch")), rules, drawn, own=[Stated()], asker=Answering("0.4"), audit=0.0)
    (one,) = ran.verdict.verdicts
    assert (one.reason, one.stage) == (Reason.CLEARED, 1)
    assert ran.inquired == [["p_true of 0"]]
    assert [one.signal(name).value for name in ("agreement", "p_true")] == [0.5, 0.4]  # type: ignore[union-attr]
    assert one.signal("semantic_entropy").value == pytest.approx(0.6931, abs=1e-4)  # type: ignore[union-attr]


def test_only_what_is_needed_is_paid_for() -> None:
    free = tier(samples=8, signals=("logprob_min",), tier=Tier.CRITICAL)
    ran = run(likely(-0.1), free, [GOOD] * 8)
    assert (ran.drawn, ran.judged, ran.verdict.verdicts[0].reason) == ([], [], Reason.CRITICAL)
    none = tier(samples=0, signals=("agreement",), tier=Tier.CRITICAL)
    assert run(step(pay(10)), none, [GOOD] * 8).drawn == []
    words = [sample(pay(10, f"rent {'abcdefgh'[i]}")) for i in range(8)]
    wording = tier(samples=8, signals=("lexical_entropy",), tier=Tier.CRITICAL)
    assert run(step(pay(10, "lunch")), wording, words).judged == []
    agreeing = tier(samples=8, signals=("agreement",), tier=Tier.CRITICAL)
    assert run(step(pay(10, "lunch")), agreeing, words).judged == [8]
    spread = tier(samples=8, signals=("agreement", "semantic_entropy"), tier=Tier.CRITICAL)
    assert run(step(pay(10, "lunch")), spread, words).judged == [8, 7]


def test_arguments_are_compared_where_a_signal_needs_them() -> None:
    drawn = [sample(pay(10 + i % 2, f"rent {'abcdefgh'[i]}")) for i in range(8)]
    by_argument = tier(samples=8, signals=("agreement", "argument_entropy"), tier=Tier.CRITICAL)
    ran = run(step(pay(10, "lunch")), by_argument, drawn)
    signal = ran.verdict.verdicts[0].signal("argument_entropy")
    assert signal is not None
    assert set(signal.parts) == {"amount", "memo"}
    assert sum(ran.judged) > 8


def test_what_was_not_compared_is_missing_and_not_measured_wrongly() -> None:
    drawn = [sample(pay(10, "rent")), sample(pay(10, "taxi home")), sample(pay(10, "train fare"))]
    rules = tier(
        stage(3, execute="agreement ge 1.0", doubt="agreement le 0.0"), signals=("agreement", "semantic_entropy")
    )
    (one,) = run(step(pay(10, "lunch")), rules, drawn).verdict.verdicts
    assert one.reason is Reason.DOUBTFUL
    assert one.signal("semantic_entropy").missing == (  # type: ignore[union-attr]
        "the samples were not compared: no stage that was reached needs it"
    )


def test_a_free_stage_of_the_low_tier_is_a_stage() -> None:
    low = tier(samples=3, agreement=2 / 3, logprob=-0.5, tier=Tier.LOW)
    free = run(likely(-0.1), low, []).verdict.verdicts[0]
    drawn = run(likely(-1.0), low, [GOOD] * 3).verdict.verdicts[0]
    assert (free.reason, free.stage, free.threshold) == (Reason.LIKELY, 1, -0.5)
    assert (drawn.reason, drawn.stage, drawn.threshold) == (Reason.AGREED, 2, 2 / 3)


def test_waves_are_drawn_as_the_policy_says() -> None:
    assert run(step(pay(10)), tier(waves=(5, 3)), [GOOD] * 8).drawn == [5, 3]
    assert run(step(pay(10)), tier(waves=(5, 3)), [OTHER] * 8).drawn == [5]
    assert run(step(pay(10)), tier(THREE, waves=(2, 3)), [GOOD, OTHER, GOOD] + [GOOD] * 5).drawn == [3]
    assert run(step(pay(10)), tier(THREE, waves=(2, 3), agreement=0.8), [GOOD, OTHER] + [GOOD] * 6).drawn == [3, 2, 3]
    assert run(step(pay(10)), tier(), [GOOD] * 8).drawn == [1, 2, 5]
    assert run(step(pay(10)), tier(), [GOOD] * 8, curtail=False).drawn == [8]
    assert run(step(pay(10)), tier(stopping=Stopping(rule=StoppingRule.NONE)), [OTHER] * 8).drawn == [8]


def test_bayesian_stopping_says_with_what_probability() -> None:
    bayes = Stopping(rule=StoppingRule.BAYESIAN, error=0.1, prior=(0.9, 0.2))
    ran = run(step(pay(10)), tier(stopping=bayes), [GOOD] * 8)
    (one,) = ran.verdict.verdicts
    assert (ran.drawn, one.route, one.reason, one.agreeing, one.asked) == ([5], Route.EXECUTE, Reason.AGREED, 5, 8)
    assert (
        "drawing stopped after 5 of 8 samples, as all of them would lead to the same with a probability of 0.9"
        in one.why
    )
    refuted = run(step(pay(10)), tier(stopping=bayes), [OTHER] * 8).verdict.verdicts[0]
    assert "probability" not in refuted.why
    audited = run(step(pay(10)), tier(stopping=bayes, audit=1.0), [GOOD] * 7 + [OTHER], audit=0.0)
    assert (audited.drawn, audited.verdict.verdicts[0].reason) == ([8], Reason.DISAGREED)


def test_bayesian_stopping_judges_texts_at_every_look() -> None:
    bayes = Stopping(rule=StoppingRule.BAYESIAN, error=0.2, prior=(0.9, 0.2))
    judge = Same()
    drawn = [sample(pay(10, f"lunch {word} Ann")) for word in ("for", "near", "via", "at", "on", "of", "by", "to")]
    ran = run(step(pay(10, "lunch with Ann")), tier(stopping=bayes, waves=(2, 2, 4)), drawn, judge=judge)
    assert (ran.drawn, [len(asked) for asked in judge.rounds]) == ([2, 2], [2, 2])
