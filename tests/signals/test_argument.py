"""Entropy argument by argument: the amount is unsure, the recipient is not."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.clustering import compare
from guardrail.signals import Evidence, Registry, discrete_entropy
from guardrail.types import Sample, ToolCall, ToolSpec
from tests.signals.meanings import INVALID, LOOKS, TALKS, evidence, measured, paid

NAME = "argument_entropy"


def test_the_amount_is_unsure_and_the_recipient_is_not():
    signal = measured(NAME, paid(0, 1, 2, 3))
    assert signal.value == pytest.approx(math.log(4))
    assert signal.parts == {"amount": pytest.approx(math.log(4)), "to": 0.0}


def test_the_least_sure_argument_counts():
    signal = measured(NAME, [(0, 0), (0, 1), (0, 2), (1, 2)])
    assert signal.parts == {"amount": pytest.approx(discrete_entropy([3, 1])), "to": pytest.approx(discrete_entropy([2, 1, 1]))}  # fmt: skip
    assert signal.value == signal.parts["to"]


@pytest.mark.parametrize("instead", [TALKS, LOOKS])
def test_what_calls_another_tool_makes_no_argument_look_sure(instead):
    alone = measured(NAME, paid(0, 0, 0))
    assert alone.value == 0
    beside = measured(NAME, [*paid(0, 0, 0), instead])
    assert beside.value == pytest.approx(discrete_entropy([3, 1]))
    many = measured(NAME, [*paid(0), instead, instead, instead])
    assert many.value == pytest.approx(math.log(4))
    assert many.parts == {"amount": many.value, "to": many.value}


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=6), st.integers(1, 4))
def test_further_samples_that_do_something_else_never_lower_it(does, others):
    assert measured(NAME, [*does, *[LOOKS] * others]).value >= measured(NAME, does).value - 1e-12


def test_none_calls_the_tool():
    signal = measured(NAME, [TALKS, LOOKS, LOOKS, INVALID])
    assert (signal.missing, signal.bounds) == ("none of the 3 valid samples calls the tool", None)


def test_not_compared_argument_by_argument():
    given_ = replace(evidence(paid(0, 0)), arguments={})
    for name in (NAME, "kernel_entropy"):
        (signal,) = Registry().measure((name,), given_)
        assert signal.missing == "the samples were not compared argument by argument"


def test_leaving_an_argument_out_is_one_thing_to_do():
    given_ = replace(evidence(paid(0, 0, 0, 0)), arguments={"memo": ((0, 1),), "to": ((0, 1, 2, 3),)})
    (signal,) = Registry().measure((NAME,), given_)
    assert signal.parts == {"memo": pytest.approx(math.log(2)), "to": 0.0}


def test_a_call_without_arguments_has_no_parts():
    given_ = replace(evidence([*paid(0, 0, 0), TALKS]), arguments={"": ((0, 1, 2),)})
    (signal,) = Registry().measure((NAME,), given_)
    assert (signal.value, signal.parts) == (pytest.approx(discrete_entropy([3, 1])), {})


def test_drawing_that_stopped_early_has_bounds_and_no_parts():
    signal = measured(NAME, paid(0, 1), 4)
    assert signal.parts == {}
    assert signal.bounds == (pytest.approx(discrete_entropy([3, 1])), pytest.approx(math.log(4)))


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=2, max_size=8))
def test_where_all_call_the_tool_no_argument_is_less_sure_than_the_whole(does):
    assert measured(NAME, does).value <= measured("semantic_entropy", does).value + 1e-12


def test_from_samples_to_the_signal():
    tool = ToolSpec(
        name="pay",
        parameters={
            "type": "object",
            "properties": {"to": {"type": "string"}, "amount": {"type": "number"}, "urgent": {"type": "boolean", "default": False}},
        },
    )  # fmt: skip

    def drawn(**arguments):
        return Sample(calls=(ToolCall(name="pay", arguments=arguments),))

    samples = (drawn(to="A", amount=1), drawn(to="A", amount="1.0", urgent=False), drawn(to="A", amount=2), Sample())
    planned = drawn(to="A", amount=1)
    (meaning,) = compare(planned.calls, samples, [tool]).resolve({}).calls
    (signal,) = Registry().measure(
        (NAME,),
        Evidence(
            planned=planned,
            index=0,
            samples=samples,
            clusters=meaning.clusters,
            agrees=meaning.agrees,
            arguments=meaning.arguments,
            asked=4,
        ),
    )
    certain = pytest.approx(discrete_entropy([3, 1]))
    assert signal.parts == {"amount": pytest.approx(discrete_entropy([2, 1, 1])), "to": certain, "urgent": certain}
