"""``GuardedAnthropic`` through every door: sync and async, whole, as events, and with the SDK's stream."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from guardrail import Route, open_store
from guardrail.types import Reason, ReviewState
from guardrail_anthropic import PlanAgain, Refused, WaitsForReview
from tests.anthropic.conftest import Make
from tests.support.anthropic_server import AnthropicServer, answered, is_sample, say, think, until_answered, use, uses
from tests.support.guarded_loops import done, rules
from tests.support.openai_server import Fault


async def test_what_is_agreed_on_runs_once(server: AnthropicServer, make: Make) -> None:
    server.reset(until_answered(use("pay", amount=100)))
    loop = make("high")
    (block,) = await loop.plan()
    assert loop.verdict is not None
    assert loop.verdict.route is Route.EXECUTE
    assert await loop.answer([block]) == [{"type": "tool_result", "tool_use_id": block.id, "content": "pay done"}]
    again = await loop.run(block)
    assert again["is_error"]
    assert "Not executed again" in again["content"]
    assert loop.tools.run == [("pay", {"amount": 100})]
    assert await loop.plan() == []
    assert loop.message.content[0].text == "done"


async def test_exactly_n_samples_are_paid_and_counted(server: AnthropicServer, make: Make) -> None:
    server.reset(until_answered(use("pay", amount=100)))
    loop = make("critical")
    (block,) = await loop.plan()
    assert (server.messages, len(server.requests), len(server.drawn)) == (9, 9, 8)
    assert not any(body.get("stream") for body in server.drawn)
    (record,) = loop.store.records()
    assert record.verdict.drawn == 8
    assert record.verdict.usage.requests == 8
    # what a cache had of the prompt, or was given, is of the prompt
    assert record.verdict.usage.prompt_tokens == 8 * (30 + 15 + 5)
    assert record.verdict.usage.completion_tokens == 8 * 7
    assert loop.client.verdict(loop.message) == record.verdict
    with pytest.raises(WaitsForReview):
        await loop.run(block)
    assert len(server.requests) == 9


async def test_nothing_of_the_samples_is_in_what_comes_back(server: AnthropicServer, make: Make) -> None:
    server.reset(
        until_answered(lambda body, index: use("pay", amount=index, to="sample" if is_sample(body) else "plan"))
    )
    loop = make("critical")
    (block,) = await loop.plan()
    assert block.input == {"amount": 0, "to": "plan"}
    assert "sample" not in str(loop.events) + str(loop.message)


async def test_samples_are_the_same_request(server: AnthropicServer, make: Make) -> None:
    server.reset(until_answered(use("pay", amount=100)))
    loop = make("critical")
    loop.more = {
        "system": [{"type": "text", "text": "pay", "cache_control": {"type": "ephemeral"}}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "metadata": {"user_id": "u"},
        "extra_headers": {"x-mine": "1", "Idempotency-Key": "once"},
    }
    await loop.plan()
    plan, *samples = server.requests
    plan.pop("stream", None)
    for sample, headers in zip(samples, server.headers[1:], strict=True):
        assert sample == {**plan, "temperature": 1.0}
        sent = {name.lower(): value for name, value in headers.items()}
        assert sent["x-mine"] == "1"
        assert sent.get("idempotency-key") != "once"


async def test_thinking_stays_and_its_samples_have_no_temperature(server: AnthropicServer, make: Make) -> None:
    server.reset(until_answered(lambda _body, _index: [think("first, look"), *use("pay", amount=100)]))
    loop = make("medium")
    loop.more = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000, "extra_body": {}}
    blocks = await loop.plan()
    assert loop.verdict is not None
    assert loop.verdict.route is Route.EXECUTE
    assert loop.verdict.drawn == len(server.requests) - 1 > 0
    assert not any("temperature" in body for body in server.requests)
    await loop.answer(blocks)
    assert await loop.plan() == []
    # what the model thought goes back as it came
    kept = server.requests[-1]["messages"][1]["content"][0]
    assert kept == {"type": "thinking", "thinking": "first, look", "signature": "signed"}


async def test_what_is_doubtful_is_planned_again_and_then_reviewed(server: AnthropicServer, make: Make) -> None:
    server.reset(until_answered(lambda _body, index: use("pay", amount=index)))
    loop = make("medium")
    told = []
    while True:
        blocks = await loop.plan()
        assert loop.verdict is not None
        if loop.verdict.route is Route.REVIEW:
            break
        told += await loop.answer(blocks)
    assert len(told) == 1
    assert all(one["is_error"] and "plan the step again" in one["content"] for one in told)
    assert [record.attempt for record in loop.store.records()] == [1, 0]
    assert loop.verdict.verdicts[0].reason is Reason.RETRIES_SPENT
    assert loop.tools.run == []
    with pytest.raises(PlanAgain):
        loop.client.permit(
            {"type": "tool_use", "id": told[0]["tool_use_id"], "name": "pay", "input": {"amount": 0}}
        ).enter()


@pytest.mark.parametrize("answer", ["approve", "edit", "reject", "respond"])
async def test_a_person_decides(server: AnthropicServer, make: Make, answer: str) -> None:
    server.reset(until_answered(use("pay", amount=100)))
    loop = make("critical")
    (block,) = await loop.plan()
    with pytest.raises(WaitsForReview) as waits:
        await loop.run(block)
    assert waits.value.tool_result["is_error"]
    assert await done(waits.value.wait(0.0)) is False
    queue, (review,) = loop.client.guard.queue, loop.waiting()
    match answer:
        case "approve":
            queue.approve(review.id, by="ann")
        case "edit":
            queue.edit(review.id, by="ann", arguments={"amount": 5})
        case "reject":
            queue.reject(review.id, by="ann", message="too much")
        case "respond":
            queue.respond(review.id, by="ann", message="paid it by hand")
    assert await done(waits.value.wait(30.0)) is True
    (result,) = await loop.answer([block])
    ran = {"approve": [("pay", {"amount": 100})], "edit": [("pay", {"amount": 5})]}.get(answer, [])
    assert loop.tools.run == ran
    assert {"reject": "too much", "respond": "paid it by hand"}.get(answer, "pay done") in result["content"]
    assert result.get("is_error", False) is (answer == "reject")
    assert queue.get(review.id).state is ReviewState.DONE
    assert (await loop.run(block))["content"] != "pay done"
    assert loop.tools.run == ran
    assert await loop.plan() == []


async def test_a_decision_that_comes_while_waiting_is_used(server: AnthropicServer, make: Make) -> None:
    server.reset(until_answered(use("pay", amount=100)))
    loop = make("critical")
    (block,) = await loop.plan()
    (review,) = loop.waiting()
    queue = loop.client.guard.queue
    decided = asyncio.get_running_loop().run_in_executor(None, lambda: queue.approve(review.id, by="ann"))
    assert (await loop.run(block, wait=30.0))["content"] == "pay done"
    await decided


async def test_parallel_calls_are_decided_each(server: AnthropicServer, make: Make) -> None:
    plan = uses(("pay", {"amount": 1}), ("balance", {"amount": 0}), ("wipe", {"amount": 2}), text="all three")
    server.reset(until_answered(plan))
    loop = make("medium")
    first, second, third = await loop.plan()
    with pytest.raises(WaitsForReview):
        await loop.run(third)
    (review,) = loop.waiting()
    loop.client.guard.queue.reject(review.id, by="ann")
    results = await loop.answer([first, second, third])
    assert [one.get("is_error", False) for one in results] == [False, False, True]
    assert [name for name, _ in loop.tools.run] == ["pay", "balance"]
    assert await loop.plan() == []
    assert len(loop.store.records()) == 1


async def test_a_call_without_arguments(server: AnthropicServer, make: Make) -> None:
    server.reset(until_answered(use("balance")))
    loop = make("medium")
    (block,) = await loop.plan()
    assert block.input == {}
    assert (await loop.run(block))["content"] == "balance done"


@pytest.mark.parametrize("tier", ["medium", "critical"])
async def test_a_restart_finds_the_call_and_pays_nothing(
    server: AnthropicServer, make: Make, tmp_path: Any, tier: str
) -> None:
    server.reset(until_answered(use("pay", amount=100)))
    loop = make(tier, store=open_store(f"sqlite:///{tmp_path}/g.db"))
    (block,) = await loop.plan()
    paid = len(server.requests)
    other = loop.restarted()
    if tier == "critical":
        with pytest.raises(WaitsForReview):
            await other.run(block)
        other.client.guard.queue.approve(other.waiting()[0].id, by="ann")
    assert other.client.verdict(loop.message) == loop.verdict
    assert (await other.run(block))["content"] == "pay done"
    assert len(server.requests) == paid
    assert "Not executed again" in (await loop.run(block))["content"]
    assert len(loop.tools.run) == 1
    await other.close()
    loop.store.close()


@pytest.mark.parametrize(
    "fault", [Fault(status=500), Fault(status=429, headers={"retry-after": "500"}), Fault(body=b"<html>")], ids=range(3)
)
async def test_samples_that_cannot_be_drawn_send_the_call_to_a_human(
    server: AnthropicServer, make: Make, fault: Fault
) -> None:
    server.reset(until_answered(use("pay", amount=100)), faults=[Fault(), *[fault] * 100])
    loop = make("medium")
    (block,) = await loop.plan()
    server.reset()
    assert loop.verdict is not None
    assert loop.verdict.verdicts[0].reason is Reason.SAMPLING_FAILED
    with pytest.raises(WaitsForReview):
        await loop.run(block)
    assert loop.tools.run == []


async def test_an_overloaded_server_is_asked_again(server: AnthropicServer, make: Make) -> None:
    soon = {"retry-after": "0"}
    faults = [Fault(), Fault(status=529, headers=soon), Fault(status=429, headers=soon)]
    server.reset(until_answered(use("pay", amount=100)), faults=faults)
    loop = make("critical")
    await loop.plan()
    assert loop.verdict is not None
    assert (loop.verdict.drawn, loop.verdict.invalid) == (8, 0)
    # what failed is a request that cost something, and how much is not known
    assert (len(server.requests), loop.verdict.usage.requests) == (11, 10)


async def test_a_call_that_changed_or_was_never_planned_is_refused(server: AnthropicServer, make: Make) -> None:
    server.reset(until_answered(use("pay", amount=100)))
    loop = make("medium")
    (block,) = await loop.plan()
    changed = {**block.model_dump(), "input": {"amount": 900}}
    with pytest.raises(Refused, match="changed after") as held:
        loop.client.permit(changed).enter()
    assert held.value.tool_result["tool_use_id"] == block.id
    with pytest.raises(Refused, match="not seen"):
        loop.client.permit({**changed, "id": "toolu_other"}).enter()
    assert loop.tools.run == []


async def test_an_edit_under_a_stricter_rule_is_put_before_its_people(server: AnthropicServer, make: Make) -> None:
    server.reset(until_answered(use("pay", amount=1)))
    strict = {"match": "pay", "tier": "critical", "when": {"amount": {"gt": 100}}, "decisions": ["approve", "reject"]}
    loop = make(policy=type(rules("low")).parse({"tools": [strict, {"match": "pay", "tier": "critical"}]}))
    (block,) = await loop.plan()
    queue = loop.client.guard.queue
    queue.edit(loop.waiting()[0].id, by="ann", arguments={"amount": 500})
    with pytest.raises(WaitsForReview):
        await loop.run(block)
    (again,) = loop.waiting()
    queue.approve(again.id, by="ben")
    assert (await loop.run(block))["content"] == "pay done"
    assert loop.tools.run == [("pay", {"amount": 500})]


async def test_a_step_after_words_is_no_second_try(server: AnthropicServer, make: Make) -> None:
    def reply(body: Any, index: int) -> Any:
        told = not is_sample(body) and answered(body) is not None
        return say("I am not sure.") if told else use("pay", amount=index)

    server.reset(reply)
    loop = make("medium")
    for _ in range(2):
        (block,) = await loop.plan()
        await loop.answer([block])
        assert await loop.plan() == []
        loop.turns.append({"role": "user", "content": "try again"})
    assert [record.attempt for record in loop.store.records()] == [0, 0]
    assert loop.tools.run == []
