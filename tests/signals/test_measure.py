"""Signals by name: a number, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.errors import ConfigError
from guardrail.signals import BUILT_IN, Evidence, Registry
from guardrail.types import Cluster, MeaningKind, Sample, SampleStatus, Signal, Token, ToolCall

SIGNALS = tuple(name for name, measure in BUILT_IN.items() if measure.info.sampled)
PLAN = Sample(calls=(ToolCall(name="pay", arguments={"amount": 5}),))
SPREAD = tuple(name for name in SIGNALS if "entropy" in name)


def measure(names, *, samples=(), **evidence):
    return Registry().measure(names, Evidence(samples=tuple(samples), **evidence))


def drawn(amount: int, *, status: SampleStatus = SampleStatus.OK, logprob: float | None = -1.0) -> Sample:
    parts = None if logprob is None else (Token(text=f"{amount}/{id(object())}", logprob=logprob),)
    return Sample(calls=(ToolCall(name="pay", arguments={"amount": amount}),), status=status, tokens=parts)


def by_amount(samples: Sequence[Sample]) -> tuple[Cluster, ...]:
    amounts = dict.fromkeys(sample.calls[0].arguments["amount"] for sample in samples if sample.valid)
    return tuple(
        Cluster(
            kind=MeaningKind.CALL,
            members=tuple(
                i for i, sample in enumerate(samples) if sample.valid and sample.calls[0].arguments["amount"] == amount
            ),
        )
        for amount in amounts
    )


def signals(
    samples: Sequence[Sample], *, asked: int | None = None, names: Sequence[str] = SIGNALS, planned: Sample = PLAN
) -> dict[str, Signal]:
    found = Registry().measure(
        names,
        Evidence(
            planned=planned,
            index=0,
            samples=tuple(samples),
            clusters=by_amount(samples),
            agrees=tuple(sample.calls == PLAN.calls if sample.valid else None for sample in samples),
            arguments={"amount": tuple(cluster.members for cluster in by_amount(samples))},
            asked=len(samples) if asked is None else asked,
        ),
    )
    assert [signal.name for signal in found] == list(names)
    return {signal.name: signal for signal in found}


def distinct(*amounts: int) -> list[Sample]:
    """Samples whose texts all differ, so that none is a duplicate."""
    return [
        Sample(
            calls=(ToolCall(name="pay", arguments={"amount": amount}),),
            tokens=(Token(text=f"{i}: {amount}", logprob=-1.0),),
        )
        for i, amount in enumerate(amounts)
    ]


def test_an_even_split() -> None:
    found = signals(distinct(5, 5, 6, 6))
    assert found["agreement"].value == 0.5
    assert found["semantic_entropy"].value == pytest.approx(0.6931, abs=1e-4)
    assert found["semantic_entropy"].unit == "nats"
    assert found["semantic_entropy_normalized"].value == pytest.approx(0.5)
    assert found["semantic_entropy_weighted"].value == pytest.approx(math.log(2))
    assert found["lexical_entropy"].value == pytest.approx(math.log(2))


def test_unanimity_outside_the_plan_has_no_entropy_and_no_agreement() -> None:
    found = signals(distinct(6, 6, 6))
    assert (found["agreement"].value, found["semantic_entropy"].value) == (0.0, 0.0)


def test_all_different_is_as_spread_as_can_be() -> None:
    assert signals(distinct(1, 2, 3, 4, 5))["semantic_entropy_normalized"].value == pytest.approx(1)


def test_an_invalid_sample_does_not_agree_and_has_no_meaning() -> None:
    found = signals([*distinct(5, 5, 5), drawn(5, status=SampleStatus.TRUNCATED)])
    assert found["agreement"].value == 0.75
    assert found["semantic_entropy"].value == 0.0


@pytest.mark.parametrize("status", [status for status in SampleStatus if status is not SampleStatus.OK])
def test_no_valid_sample_is_no_evidence(status: SampleStatus) -> None:
    found = signals([drawn(5, status=status)] * 3)
    assert found["agreement"].missing == "none of the 3 samples drawn is valid"
    for name in SPREAD:
        assert found[name].missing == "0 of the 3 samples drawn are valid"


def test_one_valid_sample_has_no_spread() -> None:
    found = signals([drawn(5), drawn(5, status=SampleStatus.EMPTY)])
    assert found["agreement"].value == 0.5
    for name in SPREAD:
        assert found[name].missing == "1 of the 2 samples drawn is valid"


def test_nothing_asked_and_nothing_drawn() -> None:
    assert {signal.missing for signal in signals([]).values()} == {"no samples were asked for"}
    found = signals([], asked=5)
    assert found["agreement"].missing == "none of the 0 samples drawn is valid"
    assert found["semantic_entropy"].missing == "no samples were drawn"


def test_stopping_early_leaves_bounds_and_no_number() -> None:
    found = signals(distinct(5, 5, 5, 6), asked=5)
    assert found["agreement"].missing == "4 of 5 samples were drawn: between 0.60 and 0.80"
    assert found["semantic_entropy"].missing == "4 of 5 samples were drawn: between 0.50 and 0.95"
    assert found["semantic_entropy_normalized"].missing == "4 of 5 samples were drawn: between 0.31 and 0.59"
    assert found["lexical_entropy"].missing == "4 of 5 samples were drawn: between 0.50 and 0.95"
    assert found["semantic_entropy_weighted"].missing == "4 of 5 samples were drawn"


def test_samples_that_were_not_compared_have_no_semantic_entropy() -> None:
    found = measure(SIGNALS, planned=PLAN, index=0, samples=distinct(5, 5, 6), asked=3)
    assert {signal.name for signal in found if signal.value is not None} == {"lexical_entropy"}
    assert {signal.missing for signal in found if signal.value is None} == {"the samples could not be compared"}


@pytest.mark.parametrize("logprob", [None, math.nan, -math.inf])
def test_one_missing_log_probability_is_named_and_never_a_number(logprob: float | None) -> None:
    found = signals([*distinct(5, 5, 6), drawn(6, logprob=logprob)])
    assert found["semantic_entropy_weighted"].missing == "1 of the 4 valid samples have no log-probabilities"
    assert found["semantic_entropy"].value == pytest.approx(math.log(2))


def test_identical_generations_count_once_in_the_weighted_entropy() -> None:
    first, second = distinct(5, 6)
    found = signals([first, first, first, second])
    assert found["semantic_entropy_weighted"].value == pytest.approx(math.log(2))
    assert found["semantic_entropy"].value == pytest.approx(0.5623, abs=1e-4)


def test_log_probability_needs_no_samples() -> None:
    plan = Sample(
        calls=PLAN.calls,
        tokens=(Token(text='{"name": "', logprob=-9), Token(text="pay", logprob=-0.2), Token(text='", "arguments": {"amount": ', logprob=-9),
                Token(text="5", logprob=-0.4), Token(text="}}", logprob=-9)),
    )  # fmt: skip
    found = measure(("logprob_min", "logprob_mean"), planned=plan, index=0)
    assert [signal.value for signal in found] == [-0.4, pytest.approx(-0.3)]
    assert measure(("logprob_min",), planned=PLAN, index=0)[0].missing == "the provider gave no log-probabilities"


def test_arguments_nested_for_ever_are_a_reason_and_no_crash() -> None:
    deep: list[object] = []
    for _ in range(3000):
        deep = [deep]
    call = ToolCall(name="pay", arguments={"amount": deep})
    plan = Sample(calls=(call,), tokens=(Token(text="{}", logprob=-1),))
    found = measure(("lexical_entropy", "logprob_min"), planned=plan, index=0, samples=[plan, plan], asked=2)
    assert found[0].missing == "a sample is nested too deeply to compare"
    assert found[1].missing == "the calls are nested too deeply to compare"


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown signal 'entropy'; there are: logprob_mean"):
        measure(("agreement", "entropy"), planned=PLAN, index=0)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(list(SampleStatus)), st.one_of(st.none(), st.floats(-9, 0))),
        max_size=8,
    ),
    st.integers(0, 10),
    st.randoms(),
)
def test_every_signal_is_a_number_or_a_reason_and_order_does_not_matter(
    rows: list[tuple[int, SampleStatus, float | None]], more: int, random: object
) -> None:
    samples = [
        Sample(
            calls=(ToolCall(name="pay", arguments={"amount": amount}),),
            status=status,
            tokens=None if logprob is None else (Token(text=f"{i}", logprob=logprob),),
        )
        for i, (amount, status, logprob) in enumerate(rows)
    ]
    shuffled = list(samples)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    asked = len(samples) + more
    for one, other in zip(signals(samples, asked=asked).values(), signals(shuffled, asked=asked).values(), strict=True):
        assert one.missing == other.missing
        assert one.value == pytest.approx(other.value) if one.value is not None else other.value is None
