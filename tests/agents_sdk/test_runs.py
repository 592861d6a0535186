"""Runs of guarded agents: what is agreed on runs once, what is doubtful is planned again, what is critical waits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from agents import RunConfig, RunState, handoff

from guardrail import Policy, Route, open_store
from guardrail.types import Principal, Reason, ReviewState
from guardrail_openai.agents import resume
from tests.agents_sdk.conftest import House, queue_of
from tests.support.guarded_loops import answered, until_answered
from tests.support.openai_server import Fault, call, calls, say


async def test_what_is_agreed_on_runs_once(house: House) -> None:
    house.server.reset(until_answered(call("pay", amount=100)))
    result = await house.go(house.agent("high"))
    assert result.final_output == "done"
    assert house.bank.run == [("pay", {"amount": 100})]
    (record,) = house.store.records()
    assert record.verdict.route is Route.EXECUTE
    assert all(house.bank.keys)


@pytest.mark.parametrize("n", ["honour", "ignore"])
async def test_exactly_n_samples_are_paid_and_counted(house: House, n: Any) -> None:
    house.server.reset(until_answered(call("pay", amount=100)), n=n)
    result = await house.go(house.agent("critical"))
    assert (house.drawn, house.server.choices, len(house.server.requests)) == (8, 9, 9)
    assert not any(body.get("stream") for body in house.server.drawn)
    (record,) = house.store.records()
    assert record.verdict.drawn == 8
    assert record.verdict.usage.requests == 8
    assert record.verdict.usage.prompt_tokens == 8 * house.server.prompt_tokens
    assert record.verdict.usage.completion_tokens == 8 * house.server.completion_tokens
    # the run's own bill is that of the plan
    assert result.context_wrapper.usage.requests == 1
    assert len(result.raw_responses) == 1


async def test_samples_are_the_same_request(house: House) -> None:
    house.server.reset(until_answered(call("pay", amount=100)))
    await house.go(house.agent("critical"))
    plan, *samples = house.server.requests
    ignored = {"temperature", "stream", "stream_options", "store", "include"}
    for sample in samples:
        assert {k: v for k, v in sample.items() if k not in ignored} == {
            k: v for k, v in plan.items() if k not in ignored
        }
        assert sample["temperature"] == 1.0


async def test_no_sample_is_in_the_stream(house: House) -> None:
    house.server.reset(until_answered(lambda _body, index: call("pay", amount=1000 + index)))
    result = await house.go(house.agent("critical"))
    said = str(getattr(house, "events", "")) + str(result.new_items)
    assert "1000" in said
    assert not any(str(1000 + index) in said for index in range(1, 9))


async def test_what_is_doubtful_is_told_and_then_reviewed(house: House) -> None:
    house.server.reset(until_answered(lambda _body, index: call("pay", amount=index)))
    agent = house.agent("medium")
    result = await house.go(agent)
    assert len(result.interruptions) == 1
    attempts = [record.attempt for record in house.store.records()]
    assert attempts == list(range(len(attempts) - 1, -1, -1))
    assert len(attempts) > 1
    assert house.store.records()[0].verdict.verdicts[0].reason is Reason.RETRIES_SPENT
    told = [answered(body) for body in house.server.requests if answered(body)]
    assert all("plan the step again" in said for said in told)
    assert house.bank.run == []


@pytest.mark.parametrize("answer", ["approve", "edit", "reject", "respond"])
@pytest.mark.parametrize("saved", [False, True], ids=["kept", "saved"])
async def test_a_decision_of_the_queue_goes_into_the_run(house: House, answer: str, saved: bool) -> None:
    house.server.reset(until_answered(call("pay", amount=100)))
    agent = house.agent("critical")
    result = await house.go(agent)
    assert len(result.interruptions) == 1
    state = result.to_state()
    assert len(await resume(agent, state)) == 1
    text, paid = state.to_string(), len(house.server.requests)
    if saved:  # another process
        agent = house.agent("critical")
        state = await RunState.from_string(agent, text)
    queue, (review,) = queue_of(agent), house.waiting(agent)
    match answer:
        case "approve":
            queue.approve(review.id, by="ann")
        case "edit":
            queue.edit(review.id, by="ann", arguments={"amount": 5})
        case "reject":
            queue.reject(review.id, by="ann", message="too much")
        case "respond":
            queue.respond(review.id, by="ann", message="paid it by hand")
    assert await resume(agent, state) == []
    final = await house.go(agent, state)
    assert final.final_output == "done"
    assert house.bank.run == {"approve": [("pay", {"amount": 100})], "edit": [("pay", {"amount": 5})]}.get(answer, [])
    told = answered(house.server.requests[-1])
    assert {"reject": "too much", "respond": "paid it by hand"}.get(answer, "pay done") in told
    assert queue.get(review.id).state is ReviewState.DONE
    # one more request: the model hears of it
    assert len(house.server.requests) == paid + 1


@pytest.mark.parametrize("answer", ["approve", "reject"])
async def test_an_edit_under_a_stricter_rule_is_put_before_its_people(house: House, answer: str) -> None:
    house.server.reset(until_answered(call("pay", amount=1)))
    dear = {"match": "pay", "tier": "critical", "when": {"amount": {"gt": 100}}, "reviewers": {"roles": ["finance"]}}
    agent = house.agent(policy=Policy.parse({"tools": [dear, {"match": "pay", "tier": "critical"}]}))
    state = (await house.go(agent)).to_state()
    queue, (review,) = queue_of(agent), house.waiting(agent)
    queue.edit(review.id, by="ann", arguments={"amount": 500})
    # the interruption stays: others have to decide
    assert len(await resume(agent, state)) == 1
    (again,) = house.waiting(agent)
    assert (again.call.arguments, again.roles) == ({"amount": 500}, ("finance",))
    getattr(queue, answer)(again.id, by=Principal(name="fin", roles=("finance",)))
    assert await resume(agent, state) == []
    final = await house.go(agent, state)
    assert final.final_output == "done"
    assert house.bank.run == ([("pay", {"amount": 500})] if answer == "approve" else [])
    assert [queue.get(one.id).state for one in (review, again)] == [ReviewState.SUPERSEDED, ReviewState.DONE]


@pytest.mark.parametrize("when", ["before", "after", "at once"])
async def test_a_saved_state_resumed_twice_runs_the_tool_once(house: House, when: str) -> None:
    """Approvals are used by the tool when it starts: also where both copies were approved before either went on."""
    house.server.reset(until_answered(call("pay", amount=100)))
    agent = house.agent("critical")
    text = (await house.go(agent)).to_state().to_string()
    queue_of(agent).approve(house.waiting(agent)[0].id, by="ann")
    first, second = [await RunState.from_string(agent, text) for _ in range(2)]
    await resume(agent, first)
    if when != "after":
        await resume(agent, second)
    if when == "at once":
        await asyncio.gather(house.go(agent, first), house.go(agent, second))
    else:
        await house.go(agent, first)
        if when == "after":
            await resume(agent, second)
        await house.go(agent, second)
    assert house.bank.run == [("pay", {"amount": 100})]
    assert any("Not executed again" in answered(body) for body in house.server.requests)


async def test_an_approval_in_the_state_alone_lets_nothing_run(house: House) -> None:
    """Whoever can write a saved state is not who decides."""
    house.server.reset(until_answered(call("pay", amount=100)))
    agent = house.agent("critical")
    result = await house.go(agent)
    state = result.to_state()
    for item in result.interruptions:
        state.approve(item, always_approve=True)
    await house.go(agent, state)
    assert house.bank.run == []
    assert "a human has to decide" in answered(house.server.requests[-1])
    assert len(house.waiting(agent)) == 1


async def test_parallel_calls_are_decided_each(house: House) -> None:
    plan = calls(("pay", {"amount": 1}), ("balance", {"account": "a"}), ("wipe", {"account": "b"}))
    house.server.reset(until_answered(plan))
    agent = house.agent("medium")
    result = await house.go(agent)
    assert len(result.interruptions) == 1
    assert sorted(name for name, _ in house.bank.run) == ["balance", "pay"]
    queue_of(agent).reject(house.waiting(agent)[0].id, by="ann")
    state = result.to_state()
    assert await resume(agent, state) == []
    await house.go(agent, state)
    assert sorted(name for name, _ in house.bank.run) == ["balance", "pay"]
    assert len(house.store.records()) == 1


async def test_a_decision_that_comes_while_waiting_is_used(house: House) -> None:
    house.server.reset(until_answered(call("pay", amount=100)))
    agent = house.agent("critical")
    state = (await house.go(agent)).to_state()
    review, queue = house.waiting(agent)[0], queue_of(agent)
    _, still = await asyncio.gather(
        asyncio.to_thread(queue.approve, review.id, by="ann"), resume(agent, state, wait=20.0)
    )
    assert still == []
    await house.go(agent, state)
    assert len(house.bank.run) == 1


async def test_a_restart_over_sqlite(house: House, tmp_path: Any) -> None:
    house.server.reset(until_answered(call("pay", amount=100)))
    url = f"sqlite:///{tmp_path}/g.db"
    house.store = open_store(url)
    text = (await house.go(house.agent("critical"))).to_state().to_string()
    house.store = open_store(url)
    agent = house.agent("critical")
    queue_of(agent).approve(house.waiting(agent)[0].id, by="ann")
    state = await RunState.from_string(agent, text)
    assert await resume(agent, state) == []
    await house.go(agent, state)
    assert len(house.bank.run) == 1
    assert house.drawn == 8


async def test_a_call_id_that_comes_again_is_another_call(house: House) -> None:
    """An approval is of one plan, also where a server gives another one the same id."""

    def plan(body: Any, _index: int) -> Any:
        message = call("pay", amount=10)
        message["tool_calls"][0]["id"] = "id_0"
        return say("done") if answered(body) else message

    house.server.reset(plan)
    agent = house.agent("critical")
    for question in ("first", "second"):
        result = await house.go(agent, question)
        assert len(result.interruptions) == 1
        (review,) = house.waiting(agent)
        queue_of(agent).approve(review.id, by="ann")
        state = result.to_state()
        assert await resume(agent, state) == []
        await house.go(agent, state)
    assert house.bank.run == [("pay", {"amount": 10})] * 2
    assert len(set(house.bank.keys)) == 2


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(status=401), Fault(body=b"<html>")], ids=range(3))
async def test_samples_that_cannot_be_drawn_send_the_call_to_a_human(house: House, fault: Fault) -> None:
    house.server.reset(until_answered(call("pay", amount=100)))
    arrived, left = house.server.arrived, {"plans": 1}

    def faulty(path: str, body: Any, headers: dict[str, str]) -> Fault | None:
        seen = arrived(path, body, headers)
        left["plans"] -= 1
        return seen if left["plans"] >= 0 else fault

    house.server.arrived = faulty  # type: ignore[method-assign]
    result = await house.go(house.agent("medium"))
    assert len(result.interruptions) == 1
    assert house.store.records()[0].verdict.verdicts[0].reason is Reason.SAMPLING_FAILED
    assert house.bank.run == []


async def test_a_model_that_the_run_names_goes_past_the_guard_and_runs_nothing(house: House) -> None:
    house.server.reset(until_answered(call("pay", amount=100)))
    agent = house.agent("low")
    other = house.plain().model
    await house.go(agent, run_config=RunConfig(model=other))
    assert house.bank.run == []
    assert "has not seen this call" in answered(house.server.requests[-1])


@pytest.mark.parametrize("wrapped", [False, True], ids=["agent", "handoff"])
@pytest.mark.parametrize("tier", ["medium", "critical"])
async def test_agents_that_are_handed_to_are_guarded(house: House, wrapped: bool, tier: str) -> None:
    def reply(body: Any, _index: int) -> Any:
        names = [tool.get("name") or tool["function"]["name"] for tool in body.get("tools") or []]
        if "transfer_to_teller" in names:
            return call("transfer_to_teller")
        return say("done") if "pay done" in answered(body) else call("pay", amount=100)

    handed: list[str] = []
    teller = house.plain("teller")
    desk = house.plain("desk", tools=[])
    desk.handoffs = [handoff(teller, on_handoff=lambda _context: handed.append("teller")) if wrapped else teller]
    teller.handoffs = []
    house.server.reset(reply)
    agent = house.agent(tier, plain=desk)
    result = await house.go(agent)
    # handing over runs no tool, and is not sampled
    assert len(house.store.records()) == 1
    assert handed == (["teller"] if wrapped else [])
    if tier == "critical":
        assert len(result.interruptions) == 1
        assert house.bank.run == []
        state = await RunState.from_string(agent, result.to_state().to_string())
        queue_of(agent).approve(house.waiting(agent)[0].id, by="ann")
        assert await resume(agent, state) == []
        result = await house.go(agent, state)
    assert result.final_output == "done"
    assert house.bank.run == [("pay", {"amount": 100})]
    assert result.last_agent.name == "teller"
