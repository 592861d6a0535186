"""Tiers that rest on a risk, and guards that may not be built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guardrail import Guard, Policy
from guardrail.errors import ConfigError
from guardrail.policy import Condition, Op, Stage, TierSettings
from guardrail.sampling import ScriptedSampler
from guardrail.store import MemoryStore
from guardrail.types import Need, Reason, Route, Safer, Signal, SignalInfo, Tier
from tests.engine.flows import run, stage, tier
from tests.engine.steps import (
    BROKEN,
    GOOD,
    OTHER,
    Answering,
    Broken,
    Model,
    Stated,
    in_order,
    likely,
    pay,
    sample,
    step,
)

RISKY = tier(agreement=None, max_risk=0.25, signals=("agreement",))


def test_a_risk_decides_alone_where_no_agreement_is_asked_for() -> None:
    ran = run(step(pay(10)), RISKY, [GOOD] * 8, risk=Model("agreement"))
    (one,) = ran.verdict.verdicts
    assert (one.route, one.reason, one.stage, one.threshold) == (Route.EXECUTE, Reason.CLEARED, 1, 0.25)
    assert one.why.startswith("cleared at stage 1 of 1: P(wrong), combined 0, at most 0.25 (not calibrated)")
    refused = run(step(pay(10)), RISKY, [OTHER] * 8, risk=Model("agreement")).verdict.verdicts[0]
    assert (refused.route, refused.reason) == (Route.RETRY, Reason.DOUBTFUL)


def test_a_risk_with_bounds_stops_the_drawing_and_its_value_is_on_the_verdict_where_all_were_drawn() -> None:
    early = run(step(pay(10)), RISKY, [OTHER] * 8, risk=Model("agreement"))
    full = run(step(pay(10)), RISKY, [OTHER] * 8, risk=Model("agreement"), curtail=False)
    assert (early.drawn, full.drawn) == ([4], [8])
    assert early.verdict.verdicts[0].risk is None
    assert early.verdict.verdicts[0].signal("risk").bounds == (0.5, 1.0)  # type: ignore[union-attr]
    assert full.verdict.verdicts[0].risk == 1.0


def test_agreement_and_risk_may_both_be_asked_for() -> None:
    both = tier(agreement=0.5, max_risk=0.25, signals=("agreement", "logprob_min"))
    ran = run(step(pay(10)), both, [GOOD] * 4 + [OTHER] * 4, risk=Model("agreement"))
    assert ran.verdict.verdicts[0].reason is Reason.DOUBTFUL
    fine = run(step(pay(10)), both, [GOOD] * 8, risk=Model("agreement")).verdict.verdicts[0]
    assert fine.reason is Reason.AGREED
    assert "plan the same call, 4 are needed; P(wrong), combined" in fine.why


def test_the_risk_of_an_early_stage_is_of_what_was_there_then() -> None:
    rules = tier(stage(2, execute="risk le 0.0"), agreement=None, max_risk=0.5, audit=0.5, signals=("agreement",))
    drawn = [GOOD] * 2 + [OTHER] * 6
    plain = run(step(pay(10)), rules, drawn, risk=Model("agreement")).verdict.verdicts[0]
    audited = run(step(pay(10)), rules, drawn, risk=Model("agreement"), audit=0.0).verdict.verdicts[0]
    assert (plain.risk, audited.risk, plain.stage, audited.stage) == (0.0, 0.0, 1, 1)
    assert audited.signal("agreement").value == 0.25  # type: ignore[union-attr]


def test_a_stage_that_names_a_risk_pays_for_what_the_model_takes_but_asks_nothing() -> None:
    asker = Answering("0.9")
    rules = tier(stage(2, execute="risk le 0.0"), agreement=None, max_risk=0.5, signals=("agreement",))
    drawn = [sample(pay(10, "lunch")), sample(pay(10, "rent")), *[sample(pay(10, "taxi"))] * 6]
    ran = run(step(pay(10, "lunch")), rules, drawn, own=[Stated()], asker=asker, risk=Model("majority_share", "p_true"))
    assert ran.inquired == []
    assert ran.judged
    assert ran.verdict.verdicts[0].reason is Reason.NOT_MEASURED


@pytest.mark.parametrize("drawn", [[BROKEN] * 8, [BROKEN] * 4 + [GOOD] * 4, [GOOD] * 7 + [BROKEN]])
def test_samples_that_are_no_evidence_leave_no_risk(drawn: list[Any]) -> None:
    """A model may have learned from calls without samples, and be sure of them; these are not such calls."""

    class Sure(Model):
        def risk(self, signals: Any) -> Signal:
            return Signal(name="risk", value=0.0)

    (one,) = run(likely(-0.01), RISKY, drawn, risk=Sure("agreement", "logprob_min")).verdict.verdicts
    assert (one.route, one.reason) == (Route.REVIEW, Reason.NOT_MEASURED)


def test_samples_that_could_not_be_compared_leave_no_risk_either() -> None:
    """All are valid, and the judge is down: an early stage may not take that for a provider without samples."""

    class Sure(Model):
        def risk(self, signals: Any) -> Signal:
            return Signal(name="risk", value=0.0)

    rules = tier(stage(3, execute="risk le 0.2"), agreement=None, max_risk=0.2, signals=("agreement",))
    drawn = [sample(pay(10, "rent"))] * 8
    ran = run(step(pay(10, "lunch")), rules, drawn, risk=Sure("agreement"), judge=Broken(answer=None))
    (one,) = ran.verdict.verdicts
    assert (one.route, one.reason) == (Route.REVIEW, Reason.ENTAILMENT_FAILED)
    assert "agreement is not known: the samples could not be compared" in (one.signal("risk").missing or "")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        0.01,
        Signal(name="risk", value=-0.5),
        Signal(name="risk", value=0.1, bounds=(-1.0, 0.1)),
        RuntimeError("no"),
    ],
)
def test_what_is_no_probability_is_no_risk(answer: Any) -> None:
    class Odd(Model):
        def risk(self, signals: Any) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

    (one,) = run(step(pay(10)), RISKY, [GOOD] * 8, risk=Odd("agreement")).verdict.verdicts
    assert (one.route, one.reason) == (Route.REVIEW, Reason.NOT_MEASURED)
    assert "risk: it could not be computed" in one.why


def policy(tmp_path: Path, **more: Any) -> Policy:
    file = tmp_path / "risk.json"
    file.write_text("{}")
    settings = TierSettings(samples=8, agreement=None, max_risk=0.25, **more)
    return Policy(tiers={Tier.HIGH: settings}, risk_model=str(file))


def guard(rules: Policy, **options: Any) -> Guard:
    return Guard(rules, ScriptedSampler(in_order([GOOD] * 8)), MemoryStore(), **options)


def test_a_model_of_the_callers_own_takes_the_place_of_the_file(tmp_path: Path) -> None:
    verdict = guard(policy(tmp_path), risk_model=Model("agreement")).assess(step(pay(10)))
    assert verdict.route is Route.EXECUTE


def test_a_file_that_is_no_model_is_refused_where_the_guard_is_built(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        guard(policy(tmp_path))


def test_a_tier_without_the_model_that_it_rests_on_is_refused(tmp_path: Path) -> None:
    rules = policy(tmp_path)
    object.__setattr__(rules, "risk_model", None)
    with pytest.raises(ConfigError, match=r"tiers\.high asks for a risk, and there is no risk model"):
        guard(rules)


@pytest.mark.parametrize("names", [("p_true",), ("p_true", "verbalized_confidence"), ()])
def test_a_model_of_nothing_but_the_models_own_word_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="word for itself"):
        guard(policy(tmp_path), risk_model=Model(*names))


def test_a_model_of_signals_that_are_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown signal 'horoscope'"):
        guard(policy(tmp_path), risk_model=Model("horoscope"))


def test_signals_of_the_callers_own_are_measured_and_may_replace_those_of_the_package() -> None:
    class Constant:
        info = SignalInfo(
            name="agreement",
            unit="share",
            safer=Safer.HIGH,
            needs=frozenset({Need.AGREEMENT}),
            title="x",
            low=0.0,
            high=1.0,
        )

        def measure(self, evidence: Any) -> Signal:
            return Signal(name="agreement", value=0.123)

    verdict = guard(Policy(), signals=[Constant()], curtail=False).assess(step(pay(10)))
    assert verdict.verdicts[0].signal("agreement").value == 0.123  # type: ignore[union-attr]
    assert verdict.route is Route.EXECUTE  # agreement decides by its count
    assert guard(Policy(), signals=[Stated("p_true")]).policy == Policy()


def test_a_tier_may_name_a_risk_for_the_record_alone(tmp_path: Path) -> None:
    file = tmp_path / "risk.json"
    file.write_text("{}")
    rules = Policy(
        tiers={Tier.HIGH: TierSettings(samples=8, agreement=1.0, signals=("agreement", "risk"))}, risk_model=str(file)
    )
    (one,) = guard(rules, risk_model=Model("agreement"), curtail=False).assess(step(pay(10))).verdicts
    assert (one.reason, one.risk) == (Reason.AGREED, 0.0)


def test_a_plug_in_whose_value_has_no_bounds_decides_nothing_while_samples_are_open() -> None:
    class Hasty:
        info = SignalInfo(name="agreement_x", unit="", safer=Safer.HIGH, needs=frozenset({Need.SAMPLES}), title="x")

        def measure(self, evidence: Any) -> Signal:
            return Signal(name="agreement_x", value=1.0)

    hasty = Stage(samples=4, execute=(Condition(signal="agreement_x", op=Op.GE, value=0.5),))
    fine = run(step(pay(10)), tier(hasty), [GOOD] * 8, own=[Hasty()])
    broken = run(step(pay(10)), tier(hasty), [BROKEN] + [OTHER] * 7, own=[Hasty()])
    assert (fine.drawn, fine.verdict.verdicts[0].stage) == ([4], 1)
    assert broken.verdict.verdicts[0].stage == 2
