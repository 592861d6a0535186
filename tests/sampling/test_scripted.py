"""The test double plays its script and counts."""

from __future__ import annotations

import pytest

from guardrail.errors import SamplingError
from guardrail.sampling import ScriptedSampler
from guardrail.types import PlanningStep, Sample, SampleBatch, ToolCall, Usage

STEP = PlanningStep(id="s", planned=Sample(), tools=())
A, B, C = (Sample(calls=(ToolCall(name="pay", arguments={"amount": k}),)) for k in range(3))


def test_samples_are_handed_out_n_at_a_time() -> None:
    sampler = ScriptedSampler([A, B, C])
    assert sampler.sample(STEP, 2).samples == (A, B)
    assert sampler.sample(STEP, 2).samples == (C,)
    assert (sampler.drawn, sampler.asked) == (3, [(STEP, 2), (STEP, 2)])
    with pytest.raises(SamplingError, match="used up"):
        sampler.sample(STEP, 1)


def test_batches_are_handed_out_one_at_a_time() -> None:
    bill = Usage(requests=3, prompt_tokens=9)
    sampler = ScriptedSampler([[A, B], SampleBatch(samples=(C,), usage=bill), SamplingError("down")])
    assert sampler.sample(STEP, 1).samples == (A,)
    assert sampler.sample(STEP, 5) == SampleBatch(samples=(C,), usage=bill)
    with pytest.raises(SamplingError, match="down"):
        sampler.sample(STEP, 1)


async def test_a_function_decides_and_both_doors_are_the_same() -> None:
    sampler = ScriptedSampler(lambda step, n: [A] * n if step is STEP else [])
    assert await sampler.asample(STEP, 3) == sampler.sample(STEP, 3)
    assert sampler.sample(STEP, 3).usage == Usage(requests=1)


def test_samples_are_inspected() -> None:
    assert [one.status.value for one in ScriptedSampler([Sample(), A]).sample(STEP, 2).samples] == ["empty", "ok"]
