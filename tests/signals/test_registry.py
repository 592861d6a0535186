"""Signals by name: found, replaced by the caller's, and never a number where something failed or lied."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail import catalogue
from guardrail.errors import ConfigError
from guardrail.signals import BUILT_IN, Evidence, Registry
from guardrail.types import Need, PlanningStep, Question, Safer, Sample, Signal, SignalInfo, ToolCall

PLAN = Sample(calls=(ToolCall(name="pay", arguments={"amount": 5}),))
EVIDENCE = Evidence(planned=PLAN, index=0)
STEP = PlanningStep(id="m", planned=PLAN, tools=())
INFO = SignalInfo(name="mine", unit="share", safer=Safer.HIGH, needs=frozenset(), title="mine", low=0.0, high=1.0)


class Mine:
    """A signal that answers whatever it is given, or raises it."""

    def __init__(self, answer: object = None, info: SignalInfo = INFO) -> None:
        self.info = info
        self._answer = answer

    def measure(self, evidence: Evidence) -> Any:
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer


class Curious(Mine):
    def questions(self, step: PlanningStep, index: int) -> Any:
        if isinstance(self._answer, BaseException):
            raise self._answer
        return self._answer


def measured(answer: object, **info: Any) -> Signal:
    own = Mine(answer, replace(INFO, **info))
    (found,) = Registry([own]).measure([own.info.name], EVIDENCE)
    return found


def value(number: float, **more: Any) -> Signal:
    return Signal(name="mine", value=number, unit="share", **more)


def test_every_signal_of_the_catalogue_is_measured_by_one_of_its_kind() -> None:
    assert list(BUILT_IN) == list(catalogue.BUILT_IN)
    for name, measure in BUILT_IN.items():
        assert measure.info == catalogue.BUILT_IN[name]
        assert catalogue.problem(measure) is None
        assert measure.info.low < measure.info.high


def test_signals_come_in_the_order_asked_for_also_twice() -> None:
    names = ("agreement", "logprob_min", "agreement")
    assert tuple(signal.name for signal in Registry().measure(names, EVIDENCE)) == names
    assert Registry().measure((), EVIDENCE) == ()


def test_names_are_in_a_fixed_order_the_callers_last() -> None:
    found = Registry([Mine(info=replace(INFO, name="b")), Mine(info=replace(INFO, name="a"))]).names
    assert found == (*catalogue.names(), "b", "a")


@pytest.mark.parametrize("method", ["get", "measure", "needs", "questions"])
def test_an_unknown_name_is_refused_with_those_that_there_are(method: str) -> None:
    registry = Registry([Mine()])
    call = {
        "get": lambda: registry.get("nonesuch"),
        "measure": lambda: registry.measure(["agreement", "nonesuch"], EVIDENCE),
        "needs": lambda: registry.needs(["nonesuch"]),
        "questions": lambda: registry.questions("nonesuch", STEP, 0),
    }[method]
    with pytest.raises(ConfigError, match=r"unknown signal 'nonesuch'; there are: logprob_mean, .*, mine$"):
        call()


def test_a_risk_is_not_measured() -> None:
    with pytest.raises(ConfigError, match="computed by a risk model"):
        Registry().get("risk")


def test_needs_are_those_of_all_together() -> None:
    assert Registry().needs([]) == frozenset()
    assert Registry().needs(["logprob_min", "agreement"]) == {Need.LOGPROBS, Need.AGREEMENT}


def test_an_own_signal_is_measured_by_its_name() -> None:
    own = Mine(value(0.5))
    registry = Registry([own])
    assert registry.get("mine") is own
    assert registry.measure(["mine", "logprob_min"], EVIDENCE)[0] == value(0.5)


def test_an_own_signal_comes_before_the_one_of_that_name() -> None:
    info = replace(catalogue.BUILT_IN["agreement"], version="2", needs=frozenset())
    own = Mine(Signal(name="agreement", value=0.25, unit="share"), info)
    (found,) = Registry([own]).measure(["agreement"], EVIDENCE)
    assert found.value == 0.25
    assert Registry([own]).needs(["agreement"]) == frozenset()
    assert Registry([own]).names == catalogue.names()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"unit": "percent"}, "unit"),
        ({"safer": Safer.LOW}, "safer"),
        ({"high": 100.0}, "high"),
        ({"low": -1.0}, "low"),
        ({"needs": frozenset({Need.AGREEMENT, Need.LOGPROBS})}, "needs"),
        ({"self_reported": True}, "self_reported"),
    ],
)
def test_a_replacement_of_another_kind_is_refused(changed: dict[str, Any], said: str) -> None:
    """A threshold was written for the other: 0.9 of 100 would let everything pass."""
    with pytest.raises(ConfigError, match=f"'agreement' replaces a known one and differs in {said}, .* another name"):
        Registry([Mine(info=replace(catalogue.BUILT_IN["agreement"], **changed))])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (object(), "needs an 'info'"),
        (SimpleNamespace(info=INFO), r"measure\(evidence\)"),
        (SimpleNamespace(info={"name": "mine"}, measure=print), "SignalInfo"),
        (Mine(info=replace(INFO, name="")), "letters, digits and underscores"),
        (Mine(info=replace(INFO, name="my signal")), "letters, digits and underscores"),
        (Mine(info=replace(INFO, name=3)), "wrong type"),
        (Mine(info=replace(INFO, name="risk")), "another name"),
        (Mine(info=replace(INFO, safer="high")), "Safer"),
        (Mine(info=replace(INFO, needs=frozenset({"samples"}))), "Needs"),
        (Mine(info=replace(INFO, needs=None)), "wrong type"),
        (Mine(info=replace(INFO, low=math.nan)), "less than 'high'"),
        (Mine(info=replace(INFO, low=1.0)), "less than 'high'"),
        (Mine(info=replace(INFO, low=None)), "wrong type"),
        (Mine(info=replace(INFO, needs=frozenset({Need.QUESTION}), self_reported=True)), "questions"),
        (Curious(info=replace(INFO, needs=frozenset({Need.QUESTION}))), "self_reported=True"),
    ],
)
def test_what_is_no_signal_is_refused_with_what_it_lacks(wrong: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=f"is no signal: .*{said}"):
        Registry([wrong])


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="two signals are named 'mine'"):
        Registry([Mine(), Mine()])


@pytest.mark.parametrize("error", [RuntimeError("secret"), KeyError("secret"), RecursionError(), ConfigError("secret")])
def test_a_signal_that_fails_is_missing_and_its_words_are_not_repeated(error: Exception) -> None:
    found = measured(error)
    assert (found.value, found.bounds) == (None, None)
    assert found.missing == f"it could not be measured: {type(error).__name__}"


def test_an_interrupt_is_not_a_failure() -> None:
    with pytest.raises(KeyboardInterrupt):
        measured(KeyboardInterrupt())


class NotANumber(Mine):
    def measure(self, evidence: Evidence) -> Signal:
        return Signal(name="mine", value=math.nan)


def test_nan_is_missing() -> None:
    (found,) = Registry([NotANumber()]).measure(["mine"], EVIDENCE)
    assert found.missing == "it could not be measured: ValueError"


@pytest.mark.parametrize(
    "answer", [None, 0.5, "0.5", {"value": 0.5}, (value(0.5),), SimpleNamespace(value=0.5, missing=None)]
)
def test_what_is_no_signal_is_no_measurement(answer: object) -> None:
    assert measured(answer).missing == "it could not be measured: no signal came back"


def forged(**fields: Any) -> Signal:
    """A signal that was not checked when it was made."""
    signal = value(0.5)
    for name, given_ in fields.items():
        object.__setattr__(signal, name, given_)
    return signal


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (value(1.5), "it was measured as 1.5, and is from 0 to 1"),
        (value(-0.01), "it was measured as -0.01, and is from 0 to 1"),
        (value(1e300), "it was measured as 1e+300, and is from 0 to 1"),
        (value(0.5, bounds=(0.0, 2.0)), "it was measured as 2, and is from 0 to 1"),
        (value(0.5, bounds=(-1.0, 1.0)), "it was measured as -1, and is from 0 to 1"),
        (value(0.5, bounds=(0.6, 0.7)), "it was measured as 0.5, out of its own bounds 0.6 to 0.7"),
        (forged(value=math.nan), "it was measured as nan, and is from 0 to 1"),
        (forged(value=math.inf), "it was measured as inf, and is from 0 to 1"),
        (forged(value="much"), "it could not be measured: ValueError"),
        (forged(value=[0.5]), "it could not be measured: TypeError"),
        (forged(bounds=(0.1,)), "it could not be measured: IndexError"),
        (forged(bounds=(0.0, math.nan)), "it was measured as nan, and is from 0 to 1"),
        (forged(missing="and yet"), "it could not be measured: ValueError"),
        (forged(value=None), "it could not be measured: ValueError"),
    ],
)  # fmt: skip
def test_numbers_out_of_range_or_none_are_missing(answer: Signal, why: str) -> None:
    found = measured(answer)
    assert (found.value, found.bounds, found.missing) == (None, None, why)


@pytest.mark.parametrize(("given_", "kept"), [(1 + 1e-12, 1.0), (-1e-12, 0.0), (True, 1.0), (0, 0.0)])
def test_rounding_is_put_right(given_: float, kept: float) -> None:
    found = measured(value(given_, bounds=(-1e-12, 1 + 1e-12)))
    assert (found.value, found.bounds) == (kept, (0.0, 1.0))
    assert type(found.value) is float


def test_name_and_unit_are_the_declared_ones() -> None:
    found = measured(Signal(name="agreement", value=0.5, unit="percent", credible=(0.4, 0.6), parts={"a": 0.1}))
    assert found == value(0.5, credible=(0.4, 0.6), parts={"a": 0.1})


def test_missing_with_bounds_stays_so() -> None:
    given_ = Signal(name="mine", missing="2 of 5 samples", bounds=(0.2, 0.8), unit="share")
    assert measured(given_) == given_


@given(st.floats() | st.none(), st.none() | st.tuples(st.floats(), st.floats()))
def test_no_number_leaves_the_declared_range(number: float | None, bounds: tuple[float, float] | None) -> None:
    found = measured(forged(value=number, bounds=bounds, missing=None if number is not None else "none"))
    assert (found.value is None) == (found.missing is not None)
    for each in (found.value, *(found.bounds or ())):
        assert each is None or 0 <= each <= 1


ASKING = replace(INFO, needs=frozenset({Need.QUESTION}), self_reported=True)
ASKED = Question(signal="mine", about=0, system="s", user="u", max_tokens=5)


def test_questions_are_those_of_the_signal_and_of_the_call_whatever_they_say() -> None:
    lying = replace(ASKED, signal="p_true", about=7)
    assert Registry([Curious([ASKED, lying], ASKING)]).questions("mine", STEP, 0) == (ASKED, ASKED)


def test_a_signal_that_needs_no_answer_asks_nothing() -> None:
    assert Registry([Curious([ASKED])]).questions("mine", STEP, 0) == ()
    assert Registry().questions("agreement", STEP, 0) == ()


def test_what_is_no_question_is_not_asked() -> None:
    with pytest.raises(TypeError, match="'mine' asks something that is no Question"):
        Registry([Curious([ASKED, "Is it right?"], ASKING)]).questions("mine", STEP, 0)
    with pytest.raises(ZeroDivisionError):
        Registry([Curious(ZeroDivisionError(), ASKING)]).questions("mine", STEP, 0)
