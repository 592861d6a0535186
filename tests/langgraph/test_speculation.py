"""Samples that are begun with the planning request: used for exactly its step, paid once, given up when not needed."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from guardrail import Policy
from guardrail.errors import SamplingError
from guardrail.types import PlanningStep, Sample, SampleBatch, SampleStatus, ToolSpec, Usage
from guardrail_langgraph.requests import PlanningRequest
from guardrail_langgraph.sampler import ChatModelSampler
from guardrail_langgraph.speculation import SpeculativeSampler, Unused, surely_sampled
from tests.support.fake_chat import FakeChat, ai

TOOL = {"type": "function", "function": {"name": "pay", "parameters": {"type": "object", "properties": {}}}}


REQUEST = PlanningRequest(messages=(HumanMessage("pay"),), settings={"tools": [TOOL]}, model="m")


OTHER = PlanningRequest(messages=(HumanMessage("pay more"),), settings={"tools": [TOOL]}, model="m")


PLAN = ai(amount=1).model_copy(update={"id": "m1"})


WORDS = AIMessage("done", id="m1")


def step(request: PlanningRequest = REQUEST, step_id: str = "m1") -> PlanningStep:
    return PlanningStep(id=step_id, planned=Sample(), tools=(), request=request, request_digest=request.digest)


class Counting:
    """A sampler that counts, and waits until it is let go."""

    name = "counting"

    def __init__(self, *, wait: bool = False, fail: int = 0, error: int = 0) -> None:
        self.asked: list[tuple[str, int]] = []
        self.released = threading.Event()
        self.begun = threading.Event()
        self._fail, self._error, self._lock = fail, error, threading.Lock()
        if not wait:
            self.released.set()

    def sample(self, step: PlanningStep, n: int) -> SampleBatch:
        with self._lock:
            number = len(self.asked)
            self.asked.append((step.request.messages[0].content, n))
        self.begun.set()
        self.released.wait(10)
        if number < self._error:
            raise SamplingError("no")
        samples = [Sample(text=f"{number}.{k}") for k in range(n)]
        if number == 0:
            samples[: self._fail] = [Sample(status=SampleStatus.FAILED)] * self._fail
        return SampleBatch(samples=tuple(samples), usage=Usage(requests=1, prompt_tokens=10, completion_tokens=n))

    async def asample(self, step: PlanningStep, n: int) -> SampleBatch:
        return self.sample(step, n)


Draw = Callable[[SpeculativeSampler, PlanningStep, int], SampleBatch]


@pytest.fixture(params=["sync", "async"])
def draw(request: pytest.FixtureRequest) -> Draw:
    if request.param == "sync":
        return lambda sampler, step, n: sampler.sample(step, n)
    return lambda sampler, step, n: asyncio.run(sampler.asample(step, n))


def begun(
    counting: Any, n: int = 4, *, unused: Any = None, request: PlanningRequest = REQUEST
) -> tuple[Any, uuid.UUID]:
    sampler, run_id = SpeculativeSampler(counting, lambda _request: n, unused=unused), uuid.uuid4()
    sampler.requested(run_id, request, "t1")
    return sampler, run_id


def texts(batch: SampleBatch) -> list[str]:
    return [sample.text for sample in batch.samples]


def eventually(fulfilled: Callable[[], object]) -> None:
    for _ in range(500):
        if fulfilled():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come about")


def test_samples_are_begun_with_the_request_and_paid_once(draw: Draw) -> None:
    counting = Counting()
    sampler, run_id = begun(counting)
    assert counting.begun.wait(10)
    sampler.answered(run_id, PLAN)
    batch = draw(sampler, step(), 4)
    assert texts(batch) == ["0.0", "0.1", "0.2", "0.3"]
    assert batch.usage == Usage(requests=1, prompt_tokens=10, completion_tokens=4)
    assert counting.asked == [("pay", 4)]


def test_waves_take_what_is_there_and_top_up_the_rest(draw: Draw) -> None:
    counting = Counting()
    sampler, run_id = begun(counting)
    sampler.answered(run_id, PLAN)
    first, second, third = (draw(sampler, step(), 3) for _ in range(3))
    assert texts(first) == ["0.0", "0.1", "0.2"]
    assert texts(second) == ["0.3", "1.0", "1.1"]
    assert texts(third) == ["2.0", "2.1", "2.2"]
    assert (first.usage.requests, second.usage.requests, second.usage.prompt_tokens) == (1, 1, 10)
    assert counting.asked == [("pay", 4), ("pay", 2), ("pay", 3)]


def test_nothing_is_used_for_another_request(draw: Draw) -> None:
    counting = Counting()
    sampler, run_id = begun(counting)
    sampler.answered(run_id, PLAN)
    assert texts(draw(sampler, step(OTHER), 4)) == ["1.0", "1.1", "1.2", "1.3"]
    assert counting.asked == [("pay", 4), ("pay more", 4)]


def test_equal_requests_of_two_runs_do_not_share_samples(draw: Draw) -> None:
    counting = Counting()
    sampler, first = begun(counting, n=2)
    second = uuid.uuid4()
    sampler.requested(second, REQUEST, "t2")
    sampler.answered(second, PLAN.model_copy(update={"id": "m2"}))
    sampler.answered(first, PLAN)
    drawn = [texts(draw(sampler, step(step_id=name), 2)) for name in ("m1", "m2")]
    assert sorted(drawn) == [["0.0", "0.1"], ["1.0", "1.1"]]
    assert len(counting.asked) == 2


def test_a_message_whose_id_was_changed_still_has_its_samples(draw: Draw) -> None:
    counting = Counting()
    sampler, run_id = begun(counting)
    sampler.answered(run_id, PLAN)
    assert texts(draw(sampler, step(step_id="other"), 4))[0] == "0.0"
    # once
    assert texts(draw(sampler, step(step_id="another"), 4))[0] == "1.0"


def test_a_request_that_is_told_of_twice_is_drawn_once() -> None:
    counting = Counting(wait=True)
    sampler, run_id = begun(counting)
    sampler.requested(run_id, REQUEST, "t1")
    counting.released.set()
    sampler.answered(run_id, PLAN)
    sampler.sample(step(), 4)
    assert len(counting.asked) == 1


def test_samples_that_failed_are_drawn_as_usual(draw: Draw) -> None:
    counting = Counting(fail=3)
    sampler, run_id = begun(counting)
    sampler.answered(run_id, PLAN)
    batch = draw(sampler, step(), 4)
    assert texts(batch) == ["0.3", "1.0", "1.1", "1.2"]
    assert batch.usage.requests == 2


def test_where_drawing_ahead_failed_everything_is_drawn_as_usual(draw: Draw) -> None:
    counting = Counting(error=1)
    sampler, run_id = begun(counting)
    sampler.answered(run_id, PLAN)
    assert texts(draw(sampler, step(), 4)) == ["1.0", "1.1", "1.2", "1.3"]


def test_where_everything_fails_the_failure_is_told(draw: Draw) -> None:
    counting = Counting(error=9)
    sampler, run_id = begun(counting)
    sampler.answered(run_id, PLAN)
    with pytest.raises(SamplingError):
        draw(sampler, step(), 4)


def test_what_there_is_is_kept_where_the_rest_fails(draw: Draw) -> None:
    class Then(Counting):
        def sample(self, step: PlanningStep, n: int) -> SampleBatch:
            if self.asked:
                raise SamplingError("later")
            return super().sample(step, n)

    sampler, run_id = begun(Then(), n=2)
    sampler.answered(run_id, PLAN)
    batch = draw(sampler, step(), 3)
    assert [sample.status.value for sample in batch.samples] == ["ok", "ok", "failed"]
    assert batch.usage.requests == 1


@pytest.mark.parametrize("end", ["words", "failed", "settled"])
def test_what_is_not_needed_is_reported_once(end: str) -> None:
    counting, unused = Counting(wait=True), []
    sampler, run_id = begun(counting, unused=unused.append)
    assert counting.begun.wait(10)
    if end == "words":
        sampler.answered(run_id, WORDS)
    elif end == "failed":
        sampler.failed(run_id)
    else:
        sampler.answered(run_id, PLAN)
        sampler.settled(step())
    counting.released.set()
    eventually(lambda: unused)
    sampler.settled(step())
    assert unused == [Unused(thread_id="t1", model="m", usage=Usage(requests=1, prompt_tokens=10, completion_tokens=4))]
    assert texts(sampler.sample(step(), 1)) == ["1.0"]


def test_what_was_taken_is_not_reported_as_unused() -> None:
    unused: list[Unused] = []
    sampler, run_id = begun(Counting(), unused=unused.append)
    sampler.answered(run_id, PLAN)
    sampler.sample(step(), 1)
    sampler.settled(step())
    assert unused == []
    # what was left is gone with the step
    assert texts(sampler.sample(step(), 1)) == ["1.0"]


def test_a_step_that_is_settled_leaves_those_of_others() -> None:
    sampler, run_id = begun(Counting())
    sampler.answered(run_id, PLAN)
    sampler.settled(step(step_id="m2"))
    sampler.settled(step(OTHER))
    assert texts(sampler.sample(step(), 1)) == ["0.0"]


def test_only_the_newest_are_kept() -> None:
    unused: list[Unused] = []
    sampler, _ = begun(Counting(), unused=unused.append)
    for _ in range(64):
        sampler.requested(uuid.uuid4(), REQUEST, "t")
    eventually(lambda: len(unused) == 1)


def test_it_can_ask_if_the_sampler_can() -> None:
    asking = ChatModelSampler(FakeChat(script=lambda *_: ai(amount=1)))
    assert SpeculativeSampler(asking, lambda _: 1).ask == asking.ask
    assert not hasattr(SpeculativeSampler(Counting(), lambda _: 1), "ask")


def offering(*names: str, **settings: Any) -> PlanningRequest:
    tools = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in names]
    return PlanningRequest(messages=(HumanMessage("go"),), settings={"tools": tools, **settings})


RULES = Policy.parse(
    {
        "default": {"tier": "high"},
        "tiers": {"low": {"logprob": -0.5}, "medium": {"samples": 5}},
        "tools": [
            {"match": "balance", "tier": "low"},
            {"match": "note", "tier": "medium"},
            {"match": "pay", "when": {"amount": {"gt": 500}}, "tier": "high"},
            {"match": "pay", "tier": "medium"},
            {"match": "read", "when": {"path": {"eq": "/"}}, "tier": "low"},
            {"match": "list", "annotations": {"readOnlyHint": True}, "tier": "low"},
        ],
    }
)


@pytest.mark.parametrize(
    ("request_", "n"),
    [
        (offering("note"), 5),
        (offering("pay"), 5),
        (offering("other"), 8),
        (offering("note", "pay", "other"), 5),
        # decided by log-probability, perhaps
        (offering("read"), 0),
        (offering("balance"), 0),
        (offering("note", "balance"), 0),
        (offering("list"), 0),
        (offering("note", tool_choice="none"), 0),
        (offering(), 0),
        (PlanningRequest(messages=()), 0),
    ],
)
def test_as_many_as_any_tool_offered_will_need(request_: PlanningRequest, n: int) -> None:
    registered = {"list": ToolSpec(name="list", annotations={"readOnlyHint": True})}
    assert surely_sampled(RULES, registered)(request_) == n


def test_it_draws_as_the_sampler_that_it_draws_with_says() -> None:
    class Shaping(Counting):
        def settings(self, step: PlanningStep) -> dict[str, str]:
            return {"temperature": "0.7"}

    step = PlanningStep(id="m1", planned=Sample(), tools=())
    assert SpeculativeSampler(Shaping(), lambda _: 1).settings(step) == {"temperature": "0.7"}
    assert SpeculativeSampler(Counting(), lambda _: 1).settings(step) == {}
