"""Runs of guarded agents: what is special to pydantic-ai, beside what every adapter does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel, Field
from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, ToolDenied
from pydantic_ai.exceptions import ApprovalRequired
from pydantic_ai.messages import ModelMessagesTypeAdapter
from pydantic_ai.tools import RunContext, Tool
from pydantic_ai.toolsets import FunctionToolset

from guardrail import Route
from guardrail.types import ReviewState
from guardrail_pydantic_ai import Guardrail, guarded, resume
from tests.pydantic_ai.conftest import House
from tests.support.guarded_loops import answered, rules, until_answered
from tests.support.openai_server import call, calls, say

PAID = [("pay", {"amount": 100})]


async def held(house: House, **more: Any) -> Any:
    """A run that waits."""
    house.server.reset(until_answered(call("pay", amount=100)))
    result = await house.agent(**more).run("go")
    assert isinstance(result.output, DeferredToolRequests)
    return result


@pytest.mark.parametrize("form", ["run_stream", "run_stream_events", "iter", "handler"])
async def test_no_sample_is_in_a_stream(house: House, form: str) -> None:
    house.server.reset(until_answered(lambda _body, index: call("pay", amount=1000 + index)))
    agent, seen = house.agent(), []
    if form == "run_stream":
        async with agent.run_stream("go") as stream:
            seen.append(await stream.get_output())
            seen += stream.all_messages()
    elif form == "run_stream_events":
        async with agent.run_stream_events("go") as events:
            seen += [event async for event in events]
    elif form == "iter":
        async with agent.iter("go") as run:
            seen += [node async for node in run]
    else:

        async def heard(_context: Any, events: Any) -> None:
            seen.extend([event async for event in events])

        await agent.run("go", event_stream_handler=heard)
    assert "1000" in str(seen)
    assert not any(str(1000 + index) in str(seen) for index in range(1, 9))
    assert (house.drawn, len(house.server.requests)) == (8, 9)
    assert not any(body.get("stream") for body in house.server.drawn)


async def test_a_run_pays_for_its_plan_and_the_record_for_the_samples(house: House) -> None:
    result = await held(house)
    assert result.usage.requests == 1
    usage = house.store.records()[0].verdict.usage
    assert (usage.requests, usage.prompt_tokens) == (8, 8 * house.server.prompt_tokens)
    assert usage.completion_tokens == 8 * house.server.completion_tokens


async def test_samples_are_the_same_request_without_its_seed(house: House) -> None:
    settings = {"seed": 7, "max_tokens": 99, "extra_body": {"cache": True, "mine": 1}}
    await held(house, plain=house.plain(model_settings=settings, instructions="Be brief."))
    plan, *samples = house.server.requests
    apart = {"temperature", "seed", "cache"}
    assert plan["cache"] is True
    assert all(
        {k: v for k, v in body.items() if k not in apart} == {k: v for k, v in plan.items() if k not in apart}
        for body in samples
    )
    assert len({body["seed"] for body in samples}) == 8
    assert not any("cache" in body for body in samples)


async def test_output_tools_are_kept_and_not_guarded(house: House) -> None:
    class Receipt(BaseModel):
        amount: int

    def reply(body: Any, _index: int) -> Any:
        return call("final_result", amount=5) if answered(body) else call("pay", amount=100)

    house.server.reset(reply)
    result = await house.agent("high", plain=house.plain(output_type=Receipt)).run("go")
    assert result.output == Receipt(amount=5)
    assert house.run == PAID
    (record,) = house.store.records()
    assert [one.call.name for one in record.verdict.verdicts] == ["pay"]


@pytest.mark.parametrize("when", ["before", "after", "at once"])
async def test_a_history_resumed_twice_runs_the_tool_once(house: House, when: str) -> None:
    result = await held(house)
    saved = ModelMessagesTypeAdapter.dump_json(result.all_messages())
    house.queue.approve(house.waiting()[0].id, by="ann")
    agents = [house.agent(), house.agent()]

    async def on(agent: Any, decided: Any) -> None:
        messages = ModelMessagesTypeAdapter.validate_json(saved)
        await agent.run(message_history=messages, deferred_tool_results=decided)

    if when == "after":
        for agent in agents:
            await on(agent, await resume(agent, result.output))
    else:
        decided = [await resume(agent, result.output) for agent in agents]
        both = [on(agent, one) for agent, one in zip(agents, decided, strict=True)]
        if when == "at once":
            await asyncio.gather(*both)
        else:
            for one in both:
                await one
    assert house.run == PAID
    assert any("Not executed again" in answered(body) for body in house.server.requests)


async def test_an_approval_in_the_results_alone_lets_nothing_run(house: House) -> None:
    """Whoever can write the results is not who decides."""
    result = await held(house)
    approved = result.output.build_results(approve_all=True)
    again = await house.agent().run(message_history=result.all_messages(), deferred_tool_results=approved)
    assert isinstance(again.output, DeferredToolRequests)
    assert house.run == []
    assert len(house.waiting()) == 1


async def test_what_still_waits_is_not_in_the_results(house: House) -> None:
    result = await held(house)
    assert (await resume(house.agent(), result.output)).approvals == {}


async def test_a_run_may_wait_itself(house: House) -> None:
    house.server.reset(until_answered(call("pay", amount=100)))

    def person() -> None:
        mark = house.store.change_mark()
        while not (waiting := house.waiting()):
            house.store.wait_for_change(1.0, since=mark)
            mark = house.store.change_mark()
        house.queue.approve(waiting[0].id, by="ann")

    result, _ = await asyncio.gather(house.agent(wait=30.0).run("go"), asyncio.to_thread(person))
    assert result.output == "done"
    assert house.run == PAID


async def test_conversations_are_told_by_the_ids_that_their_messages_carry(house: House) -> None:
    result = await held(house, thread_id=None)
    other = await held(house, thread_id=None)
    first, second = sorted(house.waiting(), key=lambda one: one.at)
    assert first.thread_id != second.thread_id
    house.queue.approve(second.id, by="ann")
    agent = house.agent(thread_id=None)
    assert (await resume(agent, result.output)).approvals == {}
    decided = await resume(agent, other.output)
    await agent.run(message_history=other.all_messages(), deferred_tool_results=decided)
    assert house.run == PAID


@pytest.mark.parametrize("asks", ["in the tool", "declared"])
async def test_a_tool_that_wants_an_approval_of_its_own_runs_once(house: House, asks: str) -> None:
    def pay(ctx: RunContext[Any], amount: int) -> str:
        if asks == "in the tool" and not ctx.tool_call_approved:
            raise ApprovalRequired
        return house.ran("pay", amount=amount)

    plain = Agent(house.model, tools=[Tool(pay, requires_approval=asks == "declared"), *house.tools()[1:]])
    house.server.reset(until_answered(call("pay", amount=100)))
    result = await house.agent("high", plain=plain).run("go")
    assert house.run == []
    for _ in range(2):
        approved = result.output.build_results(approve_all=True)
        agent = house.agent("high", plain=plain)
        await agent.run(message_history=result.all_messages(), deferred_tool_results=approved)
    assert house.run == PAID


class Order(BaseModel):
    """Something with a value that is new each time."""

    amount: int
    tags: list[str] = Field(default_factory=lambda: [object().__repr__()])


async def test_arguments_that_validation_makes_anew_are_no_change(house: House) -> None:
    seen: list[Order] = []

    def pay(order: Order) -> str:
        seen.append(order)
        return house.ran("pay", amount=order.amount)

    house.server.reset(until_answered(call("pay", amount=5)))
    await house.agent("high", plain=Agent(house.model, tools=[pay, *house.tools()[1:]])).run("go")
    assert [one.amount for one in seen] == [5]


async def test_an_edit_is_validated_as_the_tool_wants_it(house: House) -> None:
    seen: list[Order] = []

    def pay(order: Order) -> str:
        seen.append(order)
        return house.ran("pay", amount=order.amount)

    plain = Agent(house.model, tools=[pay, *house.tools()[1:]])
    house.server.reset(until_answered(call("pay", amount=100)))
    agent = house.agent(plain=plain)
    result = await agent.run("go")
    house.queue.edit(house.waiting()[0].id, by="ann", arguments={"amount": 5})
    decided = await resume(agent, result.output)
    await agent.run(message_history=result.all_messages(), deferred_tool_results=decided)
    assert [one.amount for one in seen] == [5]


async def test_tools_and_models_that_a_run_brings_are_guarded(house: House) -> None:
    def fly(to: str) -> str:
        return house.ran("fly", to=to)

    house.server.reset(until_answered(calls(("fly", {"to": "mars"}), ("pay", {"amount": 1}))))
    agent = house.agent("medium", plain=house.plain(model=None), policy=rules("medium", default={"tier": "critical"}))
    result = await agent.run("go", model=house.model, toolsets=[FunctionToolset([fly])])
    assert [part.tool_name for part in result.output.approvals] == ["fly"]
    assert house.run == [("pay", {"amount": 1})]


async def test_as_a_capability_of_the_agent(house: House) -> None:
    guard = Guardrail(policy=rules("critical"), store=house.store)
    agent = house.plain(capabilities=[guard], output_type=[str, DeferredToolRequests])
    house.server.reset(until_answered(call("pay", amount=100)))
    result = await agent.run("go")
    house.queue.approve(house.waiting()[0].id, by="ann")
    decided = await resume(guard, result.output)
    final = await agent.run(message_history=result.all_messages(), deferred_tool_results=decided)
    assert final.output == "done"
    assert house.run == PAID


async def test_nobody_has_to_decide_on_a_call_that_was_answered_without_its_tool(house: House) -> None:
    result = await held(house)
    (review,) = house.waiting()
    denied = DeferredToolResults(approvals={result.output.approvals[0].tool_call_id: ToolDenied("never mind")})
    house.server.reset(say("as you like"))
    await house.agent().run("never mind", message_history=result.all_messages(), deferred_tool_results=denied)
    assert house.queue.get(review.id).state is ReviewState.SUPERSEDED
    assert house.run == []


async def test_arguments_that_do_not_fit_are_the_frameworks_to_answer(house: House) -> None:
    wrong = call("pay", amount="a lot")
    house.server.reset(lambda body, _index: call("pay", amount=100) if answered(body) else wrong)
    result = await house.agent().run("go")
    assert house.run == []
    states = [one.state for one in house.store.reviews()]
    assert sorted(states) == [ReviewState.PENDING, ReviewState.SUPERSEDED]
    assert [record.verdict.route for record in house.store.records()] == [Route.REVIEW, Route.REVIEW]
    assert len(result.output.approvals) == 1


async def test_a_guard_of_its_own_for_each_agent_in_a_tool(house: House) -> None:
    """An agent within a tool of another one is guarded by itself, in a namespace of its own."""
    inner = guarded(house.plain(), policy=rules("high"), store=house.store, thread_id="t", namespace="inner")

    async def ask() -> str:
        return str((await inner.run("go")).output)

    def reply(body: Any, _index: int) -> Any:
        names = {tool["function"]["name"] for tool in body["tools"]}
        if answered(body):
            return say("done")
        return call("ask") if "ask" in names else call("pay", amount=100)

    house.server.reset(reply)
    outer = guarded(Agent(house.model, tools=[ask]), store=house.store, thread_id="t")
    assert (await outer.run("go")).output == "done"
    assert house.run == PAID
    assert sorted(record.namespace for record in house.store.records()) == ["", "inner"]
