"""Runs of guarded agents: what is special to LlamaIndex, beside what every adapter does."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import Context, HumanResponseEvent, InputRequiredEvent

from guardrail_llama_index import ReviewDecided, ReviewRequired, resume
from tests.llama_index.conftest import House
from tests.support.guarded_loops import answered, until_answered
from tests.support.openai_server import call, calls, say

PAID = [("pay", {"amount": 100})]


@pytest.mark.parametrize("streaming", [False, True])
async def test_no_sample_is_in_the_events(house: House, streaming: bool) -> None:
    house.server.reset(until_answered(lambda _body, index: call("pay", amount=1000 + index)))
    agent = house.agent(plain=house.plain(streaming=streaming))
    _, events = await house.go(agent, lambda review: house.queue.reject(review, by="ann"))
    assert "1000" in str(events)
    assert not any(str(1000 + index) in str(events) for index in range(1, 9))
    assert (house.drawn, len(house.server.requests)) == (8, 10)
    assert not any(body.get("stream") for body in house.server.drawn)
    usage = house.store.records()[0].verdict.usage
    assert (usage.requests, usage.prompt_tokens) == (8, 8 * house.server.prompt_tokens)
    assert usage.completion_tokens == 8 * house.server.completion_tokens


async def test_samples_are_the_same_request_without_its_seed(house: House) -> None:
    house.server.reset(until_answered(call("pay", amount=100)))
    plain = house.plain(llm=house.llm(additional_kwargs={"seed": 7, "max_tokens": 99}), system_prompt="Be brief.")
    await house.go(house.agent("high", plain=plain))
    plan, *samples = house.server.requests[:9]
    apart = {"temperature", "seed"}
    assert plan["seed"] == 7
    assert all(
        {k: v for k, v in body.items() if k not in apart} == {k: v for k, v in plan.items() if k not in apart}
        for body in samples
    )
    assert not any("seed" in body for body in samples)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("answer", ["approve", "edit", "reject", "respond"])
async def test_a_decision_of_the_queue_goes_into_the_run(house: House, answer: str, streaming: bool) -> None:
    house.server.reset(until_answered(call("pay", amount=100)))
    said: dict[str, Any] = {
        "edit": {"arguments": {"amount": 5}},
        "reject": {"message": "too much"},
        "respond": {"message": "paid it by hand"},
    }.get(answer, {})

    def decide(review: str) -> None:
        getattr(house.queue, answer)(review, by="ann", **said)

    final, _ = await house.go(house.agent(plain=house.plain(streaming=streaming)), decide)
    assert final == "done"
    assert house.run == {"approve": PAID, "edit": [("pay", {"amount": 5})]}.get(answer, [])
    assert said.get("message", "pay done") in answered(house.server.requests[-1])
    assert house.drawn == 8


async def saved_run(house: House, agent: Any) -> str:
    """A run that waits, saved and ended as by a crash."""
    handler = agent.run("go")
    async for event in handler.stream_events():
        if isinstance(event, ReviewRequired):
            break
    text = json.dumps(handler.ctx.to_dict())
    await handler.cancel_run()
    with pytest.raises(Exception, match=r".*"):
        await handler
    return text


async def go_on(house: House, agent: Any, text: str) -> str:
    """The saved run, in another process."""
    handler = agent.run(ctx=Context.from_dict(agent, json.loads(text)))
    await handler.ctx.store.set("memory", ChatMemoryBuffer.from_defaults(token_limit=9999))
    (review,) = house.store.reviews()
    assert await resume(agent, handler.ctx, ReviewRequired(review_id=review.id))
    return str(await handler)


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_saved_run_resumed_twice_runs_the_tool_once(house: House, at_once: bool) -> None:
    house.server.reset(until_answered(call("pay", amount=100)))
    text = await saved_run(house, house.agent())
    house.queue.approve(house.waiting()[0].id, by="ann")
    both = [go_on(house, house.agent(), text) for _ in range(2)]
    if at_once:
        await asyncio.gather(*both)
    else:
        for one in both:
            await one
    assert house.run == PAID
    assert any("Not executed again" in answered(body) for body in house.server.requests)
    assert house.drawn == 8


async def test_an_event_alone_lets_nothing_run(house: House) -> None:
    """Whoever can send an event is not who decides: the call looks, and goes on waiting."""
    house.server.reset(until_answered(call("pay", amount=100)))
    agent, look, looked, looks = house.agent(), house.store.review, threading.Event(), []

    def seen(review_id: str) -> Any:
        looks.append(review_id)
        if len(looks) > 2:
            looked.set()
        return look(review_id)

    handler = agent.run("go")
    async for event in handler.stream_events():
        if isinstance(event, ReviewRequired):
            assert not await resume(agent, handler.ctx, event)
            house.store.review = seen  # type: ignore[method-assign]
            handler.ctx.send_event(ReviewDecided(review_id=event.review_id))
            assert await asyncio.to_thread(looked.wait, 30)
            assert house.run == []
            house.queue.approve(event.review_id, by="ann")
    assert str(await handler) == "done"
    assert house.run == PAID


async def test_calls_that_are_alike_are_decided_each(house: House) -> None:
    house.server.reset(until_answered(calls(("pay", {"amount": 100}), ("pay", {"amount": 100}))))
    asked: list[str] = []

    def decide(review: str) -> None:
        asked.append(review)
        house.queue.approve(review, by="ann")

    await house.go(house.agent(), decide)
    assert len(set(asked)) == 2
    assert house.run == PAID * 2


async def test_parallel_calls_are_decided_each(house: House) -> None:
    plan = calls(("pay", {"amount": 1}), ("balance", {"account": "a"}), ("wipe", {"account": "b"}))
    house.server.reset(until_answered(plan))
    asked: list[str] = []

    def decide(review: str) -> None:
        asked.append(house.queue.get(review).call.name)
        house.queue.reject(review, by="ann")

    await house.go(house.agent("medium"), decide)
    assert asked == ["wipe"]
    assert sorted(name for name, _ in house.run) == ["balance", "pay"]


async def test_a_call_may_wait_itself(house: House) -> None:
    house.server.reset(until_answered(call("pay", amount=100)))

    def person() -> None:
        mark = house.store.change_mark()
        while not (waiting := house.waiting()):
            house.store.wait_for_change(1.0, since=mark)
            mark = house.store.change_mark()
        house.queue.approve(waiting[0].id, by="ann")

    (final, events), _ = await asyncio.gather(house.go(house.agent(wait=30.0)), asyncio.to_thread(person))
    assert final == "done"
    assert not any(isinstance(event, ReviewRequired) for event in events)
    assert house.run == PAID


@pytest.mark.parametrize("tier", ["high", "critical"])
async def test_a_tool_that_asks_in_the_run_runs_once(house: House, tier: str) -> None:
    """It is begun anew when its answer comes; the guard lets it through as the same call."""

    answers: list[str] = []

    async def pay(ctx: Context, amount: int) -> str:
        """Pay somebody."""
        said = await ctx.wait_for_event(
            HumanResponseEvent, waiter_event=InputRequiredEvent(prefix="Sure?"), waiter_id="sure"
        )
        answers.append(said.response)
        return house.ran("pay", amount=amount)

    pay.__annotations__["ctx"] = Context  # the framework reads no annotations that are texts
    house.server.reset(until_answered(call("pay", amount=100)))
    agent = house.agent(tier, plain=house.plain(tools=[pay, *house.tools()[1:]]))
    handler = agent.run("go")
    async for event in handler.stream_events():
        if isinstance(event, ReviewRequired):
            house.queue.approve(event.review_id, by="ann")
            await resume(agent, handler.ctx, event)
        elif isinstance(event, InputRequiredEvent):
            handler.ctx.send_event(HumanResponseEvent(response="yes"))
    assert str(await handler) == "done"
    assert (house.run, answers) == (PAID, ["yes"])


async def test_agents_that_hand_over_are_guarded_all(house: House) -> None:
    def reply(body: Any, _index: int) -> Any:
        names = {tool["function"]["name"] for tool in body["tools"]}
        if "done" in answered(body):
            return say("done")
        return call("pay", amount=100) if "pay" in names else call("handoff", to_agent="payer", reason="to pay")

    house.server.reset(reply)
    front = FunctionAgent(name="front", description="greets", llm=house.llm(), tools=[], streaming=False)
    payer = house.plain(name="payer", description="pays", can_handoff_to=[])
    agent = house.agent("high", plain=AgentWorkflow(agents=[front, payer], root_agent="front"))
    final, _ = await house.go(agent)
    assert final == "done"
    assert house.run == PAID
    assert house.drawn == 8
    (record,) = house.store.records()
    assert [one.call.name for one in record.verdict.verdicts] == ["pay"]


async def test_a_tool_that_ends_the_run_ends_it_when_it_ran(house: House) -> None:
    def pay(amount: int) -> str:
        """Pay somebody."""
        return house.ran("pay", amount=amount)

    def reply(body: Any, _index: int) -> Any:
        told = any(message["role"] == "tool" for message in body["messages"])
        return say("done") if told else call("pay", amount=100)

    direct = FunctionTool.from_defaults(pay, return_direct=True)
    house.server.reset(reply)
    plain = house.plain(tools=[direct, *house.tools()[1:]])
    final, _ = await house.go(house.agent("high", plain=plain))
    assert (final, house.run) == ("pay done", PAID)
    rejected = house.agent(plain=plain)
    final, _ = await house.go(rejected, lambda review: house.queue.reject(review, by="ann"))
    assert (final, house.run) == ("done", PAID)


async def test_two_plans_of_a_conversation_do_not_mix(house: House) -> None:
    """A call id that comes again is another call."""

    def reply(body: Any, _index: int) -> Any:
        message = call("pay", amount=100)
        message["tool_calls"][0]["id"] = "id_0"
        return say("done") if answered(body) else message

    house.server.reset(reply)
    for _ in range(2):
        await house.go(house.agent(), lambda review: house.queue.approve(review, by="ann"))
    assert house.run == PAID * 2
    assert len(house.store.reviews()) == 2
