"""Samples that are no evidence are recognised by name, and copies by where they come from."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.sampling import inspect, provenance
from guardrail.types import Sample, SampleStatus, ToolCall

PAY = ToolCall(name="pay", arguments={"amount": 100})


def sample(response_id: str | None = "r1", choice: int | None = 0, **given: object) -> Sample:
    return Sample(**{"calls": (PAY,), "response_id": response_id, "choice": choice, **given})


def statuses(*samples: Sample, seen: object = ()) -> list[str]:
    return [one.status.value for one in inspect(samples, seen)]


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({}, "ok"),
        ({"finish_reason": "tool_calls"}, "ok"),
        ({"finish_reason": "stop", "calls": (), "text": "hello"}, "ok"),
        ({"finish_reason": "length"}, "truncated"),
        ({"finish_reason": "max_tokens"}, "truncated"),
        ({"finish_reason": "MAX_TOKENS"}, "truncated"),
        ({"finish_reason": "content_filter"}, "truncated"),
        ({"finish_reason": "max_output_tokens"}, "truncated"),
        ({"finish_reason": "length", "status": SampleStatus.UNPARSABLE}, "truncated"),
        ({"finish_reason": "length", "calls": ()}, "truncated"),
        ({"status": SampleStatus.UNPARSABLE, "detail": "broken"}, "unparsable"),
        ({"calls": ()}, "empty"),
        ({"calls": (), "text": " \n"}, "empty"),
        ({"finish_reason": "error"}, "failed"),
        ({"status": SampleStatus.FAILED, "calls": (), "finish_reason": "length"}, "failed"),
    ],
)
def test_each_kind_has_its_name(given: dict[str, object], status: str) -> None:
    assert statuses(sample(**given)) == [status]


def test_invalid_samples_say_why() -> None:
    for one in inspect([sample(finish_reason="length"), sample(choice=1, calls=())]):
        assert one.detail


def test_identical_contents_of_different_choices_are_independent() -> None:
    assert statuses(sample(choice=0), sample(choice=1), sample("r2", 0)) == ["ok", "ok", "ok"]


def test_only_later_copies_are_marked() -> None:
    other = replace(sample(), calls=(replace(PAY, arguments={"amount": 1}),))
    assert statuses(sample(), other, sample("r2")) == ["ok", "not_independent", "ok"]


def test_a_copy_in_a_later_wave_is_marked() -> None:
    first = inspect([sample("r1"), sample("r2")])
    seen = {provenance(one) for one in first}
    assert statuses(sample("r2"), sample("r3"), seen=seen) == ["not_independent", "ok"]


def test_waves_inspected_together_or_apart_agree() -> None:
    waves = [[sample("r1"), sample("r1")], [sample("r1"), sample("r2")]]
    together = statuses(*waves[0], *waves[1])
    assert together == ["ok", "not_independent", "not_independent", "ok"]
    assert [one.status.value for one in inspect([*inspect(waves[0]), *waves[1]])] == together


def test_a_copy_of_the_planned_turn_is_no_sample() -> None:
    assert statuses(sample("plan"), sample("r1"), seen={("plan", 0)}) == ["not_independent", "ok"]


@pytest.mark.parametrize("nothing", [None, ""])
def test_samples_without_response_ids_are_believed(nothing: str | None) -> None:
    assert statuses(sample(nothing), sample(nothing)) == ["ok", "ok"]
    assert provenance(sample(nothing)) is None


some_samples = st.lists(
    st.builds(
        Sample,
        calls=st.sampled_from([(), (PAY,)]),
        text=st.sampled_from(["", "words"]),
        status=st.sampled_from(SampleStatus),
        finish_reason=st.sampled_from([None, "stop", "length", "error"]),
        response_id=st.sampled_from([None, "r1", "r2"]),
        choice=st.sampled_from([None, 0, 1]),
    ),
    max_size=8,
)


@given(some_samples)
def test_inspecting_twice_changes_nothing(samples: list[Sample]) -> None:
    once = inspect(samples)
    assert inspect(once) == once


@given(some_samples)
def test_valid_samples_have_distinct_sources(samples: list[Sample]) -> None:
    sources = [provenance(one) for one in inspect(samples) if one.valid and one.response_id]
    assert len(sources) == len(set(sources))
