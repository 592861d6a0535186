"""Stages, risk, stopping and budgets: what they become, and what no tier may do with them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from guardrail import catalogue
from guardrail.errors import PolicyError
from guardrail.policy import (
    TIER_DEFAULTS,
    Budget,
    Condition,
    Limits,
    Op,
    Policy,
    Price,
    Resolution,
    Stage,
    Stopping,
    StoppingRule,
)
from guardrail.types import Need, Safer, Tier, ToolCall


def resolution(data: dict[str, Any], tier: str) -> Resolution:
    return Policy.parse({**data, "default": {"tier": tier}}).resolve(ToolCall(name="pay", arguments={}), None)


class TestForm:
    def test_stages_in_order_and_the_last_with_all_samples(self) -> None:
        found = resolution(
            {
                "risk_model": "risk.json",
                "tiers": {
                    "medium": {
                        "samples": 10,
                        "agreement": "4/5",
                        "max_risk": 0.1,
                        "signals": ["agreement", "p_true"],
                        "cascade": [
                            {"doubt": {"logprob_sum": {"lt": -9}}},
                            {
                                "samples": 3,
                                "signals": ["semantic_entropy"],
                                "execute": {"agreement": {"ge": 1}, "risk": {"le": 0.05}},
                                "doubt": {"agreement": {"le": 0}},
                            },
                        ],
                        "waves": [3, 4],
                    }
                },
            },
            "medium",
        )
        assert found.stages == (
            Stage(doubt=(Condition(signal="logprob_sum", op=Op.LT, value=-9.0),)),
            Stage(
                samples=3,
                signals=("semantic_entropy",),
                execute=(
                    Condition(signal="agreement", op=Op.GE, value=1.0),
                    Condition(signal="risk", op=Op.LE, value=0.05),
                ),
                doubt=(Condition(signal="agreement", op=Op.LE, value=0.0),),
            ),
            Stage(
                samples=10,
                signals=("agreement", "p_true"),
                execute=(
                    Condition(signal="agreement", op=Op.GE, value=0.8),
                    Condition(signal="risk", op=Op.LE, value=0.1),
                ),
            ),
        )
        assert found.stages[1].named == ("semantic_entropy", "agreement", "risk")
        assert (found.waves, found.needed) == ((3, 4), 8)

    def test_the_low_tiers_log_probability_is_the_first_stage(self) -> None:
        first, *rest = resolution({"tiers": {"low": {"logprob": -1.0}}}, "low").stages
        assert first == Stage(execute=(Condition(signal="logprob_min", op=Op.GE, value=-1.0),))
        assert [one.samples for one in rest] == [3]

    def test_a_risk_without_an_agreement_decides_alone(self) -> None:
        data = {"risk_model": "risk.json", "tiers": {"high": {"max_risk": 0.05, "signals": ["p_true", "risk"]}}}
        found = resolution(data, "high")
        assert (found.agreement, found.needed, found.signals) == (None, 0, ("p_true", "risk"))
        assert found.stages[-1].execute == (Condition(signal="risk", op=Op.LE, value=0.05),)

    def test_a_tier_measures_nothing_that_has_to_be_asked_for_unless_it_says_so(self) -> None:
        for asked in TIER_DEFAULTS.values():
            for name in asked.signals:
                info = catalogue.info(name)
                assert info is not None
                assert Need.QUESTION not in info.needs
        for tier, by_argument in ((Tier.LOW, False), (Tier.MEDIUM, False), (Tier.HIGH, True), (Tier.CRITICAL, True)):
            assert ("argument_entropy" in TIER_DEFAULTS[tier].signals) is by_argument

    def test_a_critical_tier_without_samples_measures_the_plan_alone(self) -> None:
        found = resolution({"tiers": {"critical": {"samples": 0}}}, "critical")
        assert {need for name in found.signals for need in catalogue.BUILT_IN[name].needs} == {
            Need.LOGPROBS,
            Need.TOP_LOGPROBS,
        }
        assert resolution({"tiers": {"critical": {"samples": 0, "signals": []}}}, "critical").signals == ()

    @pytest.mark.parametrize(
        ("written", "means"),
        [
            ({"rule": "none"}, Stopping(rule=StoppingRule.NONE)),
            ({"rule": "lossless"}, Stopping()),
            ({"rule": "bayesian", "error": 0.02}, Stopping(rule=StoppingRule.BAYESIAN, error=0.02)),
            (
                {"rule": "bayesian", "error": 0.02, "prior": [2, 0.5]},
                Stopping(rule=StoppingRule.BAYESIAN, error=0.02, prior=(2.0, 0.5)),
            ),
        ],
    )
    def test_stopping(self, written: dict[str, Any], means: Stopping) -> None:
        assert resolution({"tiers": {"high": {"stopping": written}}}, "high").stopping == means
        assert resolution({}, "high").stopping == Stopping(rule=StoppingRule.LOSSLESS)

    def test_bounds_may_be_fractions(self) -> None:
        found = resolution(
            {"tiers": {"low": {"cascade": [{"samples": 3, "doubt": {"agreement": {"lt": "1/3"}}}]}}}, "low"
        )
        assert found.cascade[0].doubt[0].value == 1 / 3


LAST = TIER_DEFAULTS[Tier.HIGH]
ALL_AGREE = Condition(signal="agreement", op=Op.GE, value=1.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"cascade": (Stage(samples=3, execute=(replace(ALL_AGREE, value=float("nan")),)),)},
        {"cascade": (Stage(samples=3, execute=(replace(ALL_AGREE, value=True),)),)},
        {"cascade": (Stage(samples=3, execute=(ALL_AGREE, ALL_AGREE)),)},
        {"cascade": (Stage(samples=True, execute=(ALL_AGREE,)),)},
        {"cascade": (Stage(samples=-1, doubt=(Condition(signal="logprob_min", op=Op.LT, value=-5),)),)},
        {"cascade": (Stage(),)},
        {"cascade": (Stage(samples=3, execute=(ALL_AGREE, replace(ALL_AGREE, signal="agreemnt"))),)},
        {"cascade": (Stage(samples=3, signals=("agreemnt",), execute=(ALL_AGREE,)),)},
        {"signals": ("agreement", "agreemnt")},
        {"agreement": None},
        {"agreement": None, "max_risk": 0.1},
        {"max_risk": float("nan")},
        {"stopping": Stopping(rule="bayesian", error=0.1)},  # type: ignore[arg-type]
        {"stopping": Stopping(rule=StoppingRule.BAYESIAN)},
        {"stopping": Stopping(rule=StoppingRule.BAYESIAN, error=float("nan"))},
        {"stopping": Stopping(rule=StoppingRule.BAYESIAN, error=0.1, prior=(1, float("nan")))},
        {"stopping": Stopping(error=0.1)},
        {"waves": (True,) * 8},
        {"waves": (8.0,)},
    ],
    ids=str,
)
def test_python_policies_are_checked_too(changes: dict[str, Any]) -> None:
    Policy(tiers={Tier.HIGH: LAST})
    with pytest.raises(PolicyError):
        Policy(tiers={Tier.HIGH: replace(LAST, **changes)})


@pytest.mark.parametrize(
    "budget",
    [
        Budget(step=Limits(tokens=True)),
        Budget(step=Limits(seconds=float("nan"))),
        Budget(step=Limits(money=1)),
        Budget(prices={"mini": Price(prompt=float("nan"), completion=1)}),
        Budget(prices={5: Price(prompt=1, completion=1)}),  # type: ignore[dict-item]
    ],
    ids=str,
)
def test_budgets_in_python_are_checked_too(budget: Budget) -> None:
    with pytest.raises(PolicyError):
        Policy(budget=budget)


def test_a_budget_in_the_file() -> None:
    found = Policy.parse(
        {
            "budget": {"step": {"tokens": 20000, "seconds": 30}, "thread": {"tokens": 200000}, "day": {"money": 5}},
            "prices": {"mini": {"prompt": 0.4, "completion": 1.6}, "*": {"prompt": 0, "completion": 4}},
        }
    ).budget
    assert found == Budget(
        step=Limits(tokens=20_000, seconds=30),
        thread=Limits(tokens=200_000),
        day=Limits(money=5),
        prices={"mini": Price(prompt=0.4, completion=1.6), "*": Price(prompt=0, completion=4)},
    )
    assert found.any
    assert not Policy().budget.any
    assert not Policy.parse({"prices": {"*": {"prompt": 1, "completion": 1}}}).budget.any


_SAFE = {Safer.HIGH: ["ge", "gt"], Safer.LOW: ["le", "lt"]}
_SIGNALS = ["agreement", "agreement", "risk", "risk", "p_true", "semantic_entropy_normalized", "majority_share"]
_VALUES = st.sampled_from([0.02, 0.1, 0.6, 0.8, 0.98, 1.0])


def _conditions(*, safe: bool) -> st.SearchStrategy[tuple[Condition, ...]]:
    """Mostly those of the right direction: of any other, few cascades are accepted."""

    def bounded(name: str) -> st.SearchStrategy[Condition]:
        info = catalogue.info(name)
        assert info is not None
        right = [Op(op) for op in _SAFE[info.safer if safe else next(each for each in Safer if each is not info.safer)]]
        ops = st.sampled_from(right * 8 + list(Op))
        return st.builds(Condition, signal=st.just(name), op=ops, value=_VALUES)

    one = st.sampled_from(_SIGNALS).flatmap(bounded)
    return st.lists(one, max_size=2, unique_by=lambda condition: condition.signal).map(tuple)


_STAGE = st.builds(
    Stage,
    samples=st.sampled_from([0, 2, 3, 5, 8]),
    execute=_conditions(safe=True),
    doubt=st.just(()) | _conditions(safe=False),
)
_CASCADES = st.lists(_STAGE, min_size=1, max_size=2, unique_by=lambda one: one.samples).map(
    lambda stages: sorted(stages, key=lambda one: one.samples)
)


@settings(max_examples=400)
@given(
    cascade=_CASCADES,
    tier=st.sampled_from([Tier.LOW, Tier.MEDIUM, Tier.HIGH]),
    max_risk=st.none() | st.sampled_from([0.05, 0.2]),
    agreement=st.booleans(),
)
def test_whatever_is_accepted_asks_for_enough(
    cascade: list[Stage], tier: Tier, max_risk: float | None, agreement: bool
) -> None:
    share = TIER_DEFAULTS[tier].agreement if agreement else None
    asked = replace(TIER_DEFAULTS[tier], samples=8, cascade=tuple(cascade), max_risk=max_risk, agreement=share)
    risky = max_risk is not None or any("risk" in stage.named for stage in cascade)
    try:
        policy = Policy(tiers={tier: asked}, risk_model="risk.json" if risky else None, default=tier)
    except PolicyError:
        return
    event("accepted" + (" and executes" if any(stage.execute for stage in cascade) else ""))
    stages = policy.resolve(ToolCall(name="pay", arguments={}), None).stages
    assert all(earlier.samples < later.samples for earlier, later in itertools.pairwise(stages[:-1]) if earlier.samples)
    for stage in stages:
        bounds = {condition.signal: condition for condition in stage.execute}
        infos = [catalogue.info(name) for name in bounds]
        assert not bounds or not all(info is not None and info.self_reported for info in infos)
        assert all(info is None or not info.sampled or stage.samples >= 2 for info in infos)
        for condition in stage.conditions:
            info = catalogue.info(condition.signal)
            assert info is not None
            upward = (condition.op in (Op.GE, Op.GT)) is (info.safer is Safer.HIGH)
            assert upward is (condition in stage.execute)
        if tier is not Tier.LOW and bounds:
            assert stage.samples >= 2
            assert {"agreement", "risk"} & set(bounds)
            if share is not None:
                assert bounds["agreement"].value >= share
            if max_risk is not None and "risk" in bounds:
                assert bounds["risk"].value <= max_risk


class TestVersion:
    BASE: dict[str, Any] = {
        "risk_model": "risk.json",
        "tiers": {
            "medium": {
                "samples": 10,
                "max_risk": 0.1,
                "agreement": 0.8,
                "cascade": [{"samples": 3, "execute": {"agreement": {"ge": 1}, "risk": {"le": 0.05}}}],
            }
        },
    }

    def version(self, **changes: Any) -> str:
        medium = {**self.BASE["tiers"]["medium"], **changes}
        return Policy.parse({**self.BASE, "tiers": {"medium": medium}}).version

    @pytest.mark.parametrize(
        "changes",
        [
            {"max_risk": 0.09},
            {"waves": [3, 4]},
            {"stopping": {"rule": "none"}},
            {"cascade": []},
            {"cascade": [{"samples": 4, "execute": {"agreement": {"ge": 1}, "risk": {"le": 0.05}}}]},
            {"cascade": [{"samples": 3, "execute": {"agreement": {"ge": 1}, "risk": {"lt": 0.05}}}]},
            {"cascade": [{"samples": 3, "execute": {"agreement": {"ge": 1}, "risk": {"le": 0.04}}}]},
            {
                "cascade": [
                    {"samples": 3, "signals": ["p_true"], "execute": {"agreement": {"ge": 1}, "risk": {"le": 0.05}}}
                ]
            },
        ],
        ids=str,
    )
    def test_every_setting_of_a_tier_changes_it(self, changes: dict[str, Any]) -> None:
        assert self.version(**changes) != self.version()

    @pytest.mark.parametrize(
        "more",
        [
            {"budget": {"step": {"tokens": 5}}},
            {"budget": {"day": {"tokens": 5}}},
            {"prices": {"*": {"prompt": 1, "completion": 1}}},
            {"risk_model": "other.json"},
        ],
        ids=str,
    )
    def test_the_rest_changes_it_too(self, more: dict[str, Any]) -> None:
        assert Policy.parse({**self.BASE, **more}).version != Policy.parse(self.BASE).version

    def test_the_order_of_conditions_and_the_way_of_writing_numbers_do_not(self) -> None:
        other = {"samples": 3, "execute": {"risk": {"le": "1/20"}, "agreement": {"ge": 1.0}}}
        assert self.version(cascade=[other], agreement="4/5") == self.version()

    def test_the_risk_model_counts_by_what_is_in_it(self, tmp_path: Path) -> None:
        text = "risk_model: models/risk.json\ntiers: {high: {max_risk: 0.1}}\n"
        versions = []
        for folder, content in (("a", "{}"), ("b", "{}"), ("c", '{"more": 1}'), ("d", None)):
            (tmp_path / folder / "models").mkdir(parents=True)
            (tmp_path / folder / "policy.yaml").write_text(text)
            if content is not None:
                (tmp_path / folder / "models" / "risk.json").write_text(content)
            policy = Policy.load(tmp_path / folder / "policy.yaml")
            assert policy.risk_model == str(tmp_path / folder / "models" / "risk.json")
            versions.append(policy.version)
        assert versions[0] == versions[1]
        assert len(set(versions)) == 3

    def test_an_absolute_path_stays(self, tmp_path: Path) -> None:
        (tmp_path / "policy.yaml").write_text(f"risk_model: {tmp_path}/r.json\ntiers: {{high: {{max_risk: 0.1}}}}\n")
        assert Policy.load(tmp_path / "policy.yaml").risk_model == f"{tmp_path}/r.json"
