"""``GuardedClient`` through every door: chat completions and Responses, sync and async, whole and streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from guardrail import Policy, Route, open_store
from guardrail.errors import NotPermitted
from guardrail.types import Principal, Reason, ReviewState
from guardrail_openai import PlanAgain, Refused, WaitsForReview
from tests.support.approval_trace import taped
from tests.support.guarded_loops import DOORS, NAMES, Loop, done, rules, until_answered
from tests.support.openai_server import Fault, OpenAIServer, call, calls

Make = Callable[..., Loop]


@pytest.fixture(autouse=True)
def _approvals_hold() -> Iterator[None]:
    with taped() as tape:
        yield
    assert tape.broken() == []


@pytest.fixture(params=DOORS, ids=NAMES)
async def make(request: pytest.FixtureRequest, server: OpenAIServer) -> AsyncIterator[Make]:
    """A loop through each door."""
    api, how, stream = request.param
    made: list[Loop] = []

    def loop(tier: str = "medium", **more: Any) -> Loop:
        given = {"policy": rules(tier), "store": open_store("memory://"), **more}
        made.append(Loop(server=server, api=api, how=how, stream=stream, **given))
        return made[-1]

    yield loop
    for one in made:
        await one.close()


async def test_what_is_agreed_on_runs_once(server: OpenAIServer, make: Make) -> None:
    server.reply = until_answered(call("pay", amount=100))
    loop = make("high")
    (item,) = await loop.plan()
    assert loop.verdict is not None
    assert loop.verdict.route is Route.EXECUTE
    assert loop.said(await loop.run(item)) == "pay done"
    assert "Not executed again" in loop.said(await loop.run(item))
    assert loop.tools.run == [("pay", {"amount": 100})]


@pytest.mark.parametrize("n", ["honour", "ignore"])
async def test_exactly_n_samples_are_paid_and_counted(server: OpenAIServer, make: Make, n: Any) -> None:
    server.reset(until_answered(call("pay", amount=100)), n=n)
    loop = make("critical")
    (item,) = await loop.plan()
    # the plan and eight more
    assert server.choices == 9
    assert len([body for body in server.requests if body.get("temperature") == 0]) == 1
    assert not any(body.get("stream") for body in server.drawn)
    (record,) = loop.store.records()
    assert record.verdict.drawn == 8
    assert record.verdict.usage.completion_tokens == 8 * server.completion_tokens
    assert record.verdict.usage.prompt_tokens == server.prompt_tokens * record.verdict.usage.requests
    assert record.verdict.usage.requests == len(server.drawn)
    # asking again pays nothing
    before = len(server.requests)
    assert loop.client.verdict(loop.response) == record.verdict
    with pytest.raises(WaitsForReview):
        await loop.run(item)
    assert len(server.requests) == before


async def test_nothing_of_the_samples_is_in_what_comes_back(server: OpenAIServer, make: Make) -> None:
    server.reply = until_answered(lambda _body, index: call("pay", amount=index))
    loop = make("critical")
    (item,) = await loop.plan()
    assert '"amount": 0' in str(item)
    said = str(loop.chunks or loop.response)
    assert said.count(item.get("call_id") or item["id"]) >= 1
    assert not any(f'"amount": {index}' in said for index in range(1, 12))
    assert len({chunk.id for chunk in loop.chunks if hasattr(chunk, "id")}) <= 1


async def test_what_is_doubtful_is_planned_again_and_then_reviewed(server: OpenAIServer, make: Make) -> None:
    server.reply = until_answered(lambda _body, index: call("pay", amount=index))
    loop = make("medium")
    told = []
    while True:
        (item,) = await loop.plan()
        assert loop.verdict is not None
        if loop.verdict.route is Route.REVIEW:
            break
        told.append(loop.said(await loop.run(item)))
    assert told
    assert all("plan the step again" in said for said in told)
    attempts = [record.attempt for record in loop.store.records()]
    assert attempts == list(range(len(told), -1, -1))
    assert loop.verdict.verdicts[0].reason is Reason.RETRIES_SPENT
    assert loop.tools.run == []


async def test_a_doubtful_step_stays_held_whoever_asks(server: OpenAIServer, make: Make) -> None:
    server.reply = until_answered(lambda _body, index: call("pay", amount=index))
    loop = make("medium")
    (item,) = await loop.plan()
    with pytest.raises(PlanAgain) as held:
        loop.client.permit(item).enter()
    assert held.value.message == (held.value.tool_message if loop.api == "chat" else held.value.tool_output)
    assert held.value.verdict is not None
    assert loop.tools.run == []


@pytest.mark.parametrize("answer", ["approve", "edit", "reject", "respond", "expire"])
async def test_a_person_decides(server: OpenAIServer, make: Make, answer: str) -> None:
    server.reply = until_answered(call("pay", amount=100))
    tiers = {"critical": {"timeout": {"after": "1s"}}} if answer == "expire" else {}
    loop = make("critical", policy=rules("critical", **({"tiers": tiers} if tiers else {})))
    (item,) = await loop.plan()
    with pytest.raises(WaitsForReview) as waits:
        await loop.run(item)
    assert await done(waits.value.wait(0.0)) is False
    queue, (review,) = loop.client.guard.queue, loop.waiting()
    assert waits.value.review_id == review.id
    match answer:
        case "approve":
            queue.approve(review.id, by="ann")
        case "edit":
            queue.edit(review.id, by="ann", arguments={"amount": 5})
        case "reject":
            queue.reject(review.id, by="ann", message="too much")
        case "respond":
            queue.respond(review.id, by="ann", message="paid it by hand")
    assert await done(waits.value.wait(5.0)) is True
    said = loop.said(await loop.run(item))
    ran = {"approve": [("pay", {"amount": 100})], "edit": [("pay", {"amount": 5})]}.get(answer, [])
    assert loop.tools.run == ran
    words = {"reject": "too much", "respond": "paid it by hand", "expire": "before its deadline"}.get(
        answer, "pay done"
    )
    assert words in said
    assert queue.get(review.id).state is ReviewState.DONE
    # whatever was decided is used once
    again = loop.said(await loop.run(item))
    assert again != "pay done"
    assert loop.tools.run == ran


async def test_a_decision_that_comes_while_waiting_is_used(server: OpenAIServer, make: Make) -> None:
    server.reply = until_answered(call("pay", amount=100))
    loop = make("critical")
    (item,) = await loop.plan()
    (review,) = loop.waiting()
    queue = loop.client.guard.queue
    decided = asyncio.get_running_loop().run_in_executor(None, lambda: queue.approve(review.id, by="ann"))
    assert loop.said(await loop.run(item, wait=20.0)) == "pay done"
    await decided
    assert await loop.plan() == []


async def test_parallel_calls_are_decided_each(server: OpenAIServer, make: Make) -> None:
    plan = calls(("pay", {"amount": 1}), ("balance", {"amount": 0}), ("wipe", {"amount": 2}))
    server.reply = until_answered(plan)
    loop = make("medium")
    first, second, third = await loop.plan()
    assert loop.said(await loop.run(second)) == "balance done"
    with pytest.raises(WaitsForReview):
        await loop.run(third)
    assert loop.said(await loop.run(first)) == "pay done"
    (review,) = loop.waiting()
    loop.client.guard.queue.reject(review.id, by="ann")
    assert "rejected by a human" in loop.said(await loop.run(third))
    assert [name for name, _ in loop.tools.run] == ["balance", "pay"]
    assert await loop.plan() == []
    assert len(loop.store.records()) == 1


@pytest.mark.parametrize("tier", ["medium", "critical"])
async def test_a_restart_finds_the_call_and_pays_nothing(
    server: OpenAIServer, make: Make, tmp_path: Any, tier: str
) -> None:
    server.reply = until_answered(call("pay", amount=100))
    loop = make(tier, store=open_store(f"sqlite:///{tmp_path}/g.db"))
    (item,) = await loop.plan()
    paid = len(server.requests)
    other = loop.restarted()
    if tier == "critical":
        with pytest.raises(WaitsForReview):
            await other.run(item)
        other.client.guard.queue.approve(other.waiting()[0].id, by="ann")
    if not loop.stream:
        assert other.client.verdict(loop.response) == loop.verdict
    assert other.said(await other.run(item, response=None if loop.stream else loop.response)) == "pay done"
    assert len(server.requests) == paid
    # what has run in one process does not run in another
    assert "Not executed again" in loop.said(await loop.run(item))
    assert len(loop.tools.run) == 1
    await other.close()


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(status=401), Fault(body=b"<html>")], ids=range(3))
async def test_samples_that_cannot_be_drawn_send_the_call_to_a_human(
    server: OpenAIServer, make: Make, fault: Fault
) -> None:
    server.reply = until_answered(call("pay", amount=100))
    loop = make("medium")
    # the plan itself comes
    plans = {"left": 1}

    def faulty(path: str, body: Any, headers: dict[str, str]) -> Fault | None:
        seen = arrived(path, body, headers)
        if plans["left"]:
            plans["left"] -= 1
            return seen
        return fault

    arrived = server.arrived
    server.arrived = faulty  # type: ignore[method-assign]
    try:
        (item,) = await loop.plan()
    finally:
        del server.arrived  # type: ignore[method-assign]
    assert loop.verdict is not None
    assert loop.verdict.verdicts[0].reason is Reason.SAMPLING_FAILED
    with pytest.raises(WaitsForReview):
        await loop.run(item)
    assert loop.tools.run == []


async def test_a_call_that_changed_or_was_never_planned_is_refused(server: OpenAIServer, make: Make) -> None:
    server.reply = until_answered(call("pay", amount=100))
    loop = make("medium")
    (item,) = await loop.plan()
    other = call("pay", amount=7)["tool_calls"][0]
    with pytest.raises(Refused, match="not seen"):
        loop.client.permit(other).enter()
    changed = {**item, "arguments": '{"amount": 900}'}
    if loop.api == "chat":
        changed = {**item, "function": {"name": "pay", "arguments": '{"amount": 900}'}}
    with pytest.raises(Refused, match="changed after"):
        loop.client.permit(changed).enter()
    assert loop.said(await loop.run(item)) == "pay done"


async def test_arguments_that_cannot_be_read_never_run(server: OpenAIServer, make: Make) -> None:
    server.reply = until_answered(calls(("pay", '{"amount": 100')))
    loop = make("low")
    (item,) = await loop.plan()
    assert "not readable" in loop.said(await loop.run(item))
    assert loop.tools.run == []


async def test_a_call_id_that_comes_again_is_another_call(server: OpenAIServer, make: Make) -> None:
    """Some servers count calls anew in every answer."""

    def plan(body: Any, _index: int) -> Any:
        number = str(body.get("messages") or body["input"]).count("pay done")
        message = call("pay", amount=10 * (number + 1))
        message["tool_calls"][0]["id"] = "id_0"
        return message

    server.reply = plan
    loop = make("critical")
    for amount in (10, 20):
        (item,) = await loop.plan()
        with pytest.raises(WaitsForReview):
            await loop.run(item)
        (review,) = loop.waiting()
        assert review.call.arguments == {"amount": amount}
        loop.client.guard.queue.approve(review.id, by="ann")
        assert loop.said(await loop.run(item)) == "pay done"
        assert "Not executed again" in str(await done(loop.client.run(item, loop.functions)))
    assert [arguments["amount"] for _, arguments in loop.tools.run] == [10, 20]


@pytest.mark.parametrize("answer", ["approve", "reject"])
async def test_an_edit_under_a_stricter_rule_is_put_before_its_people(
    server: OpenAIServer, make: Make, answer: str
) -> None:
    server.reply = until_answered(call("pay", amount=1))
    strict = Policy.parse(
        {
            "tools": [
                {
                    "match": "pay",
                    "tier": "critical",
                    "when": {"amount": {"gt": 100}},
                    "reviewers": {"roles": ["finance"]},
                },
                {"match": "pay", "tier": "critical"},
            ]
        }
    )
    loop = make(policy=strict)
    (item,) = await loop.plan()
    (review,) = loop.waiting()
    queue = loop.client.guard.queue
    queue.edit(review.id, by="ann", arguments={"amount": 500})
    before = len(server.requests)
    with pytest.raises(WaitsForReview) as waits:
        await loop.run(item)
    (again,) = loop.waiting()
    assert (waits.value.review_id, again.call.arguments, again.roles) == (again.id, {"amount": 500}, ("finance",))
    assert queue.get(review.id).state is ReviewState.SUPERSEDED
    assert again.id[:12] in queue.get(review.id).history[-1].note
    with pytest.raises(NotPermitted):
        queue.approve(again.id, by="ann")
    getattr(queue, answer)(again.id, by=Principal(name="fin", roles=("finance",)))
    said = [loop.said(await loop.run(item)), loop.said(await done(loop.client.run(item, loop.functions)))]
    assert loop.tools.run == ([("pay", {"amount": 500})] if answer == "approve" else [])
    assert said[0].startswith("pay done" if answer == "approve" else "Not executed: rejected")
    assert said[1].startswith("Not executed")
    # nothing is measured again for that
    assert len(server.requests) == before
