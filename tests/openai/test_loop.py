"""A plain loop on the OpenAI SDK, no framework: what is confident runs, what is doubtful is planned again or reviewed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

from guardrail import AsyncGuard, Guard, Policy, Route, open_store
from guardrail.engine import feedback
from guardrail.types import Reason
from guardrail_openai import OpenAISampler, planning_step
from tests.openai.conftest import PAY, PAY_FLAT
from tests.support.openai_server import Fault, OpenAIServer, agent, call, calls

POLICY = Policy.parse({"tools": [{"match": "pay", "tier": "medium"}]})


def loop(client: OpenAI, guard: Guard, paid: list[int]) -> str:
    """Plans, asks the guard, runs or tells the model; ends with the model's words or with "review"."""
    request: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "pay"}], "tools": [PAY]}
    attempt = 0
    while True:
        response = client.chat.completions.create(temperature=0, **request)
        message = response.choices[0].message
        if not message.tool_calls:
            return message.content or ""
        step = planning_step(request, response, thread_id="t", attempt=attempt)
        verdict = guard.assess(step)
        if verdict.route is Route.REVIEW:
            return "review"
        request["messages"].append(message)
        for one in verdict.verdicts:
            result = feedback(one)
            if one.route is Route.EXECUTE:
                paid.append(one.call.arguments["amount"])
                result = "paid"
            request["messages"].append({"role": "tool", "tool_call_id": one.call.id, "content": result})
        attempt = attempt + 1 if verdict.route is Route.RETRY else 0


@pytest.fixture
def guard(client: OpenAI) -> Guard:
    return Guard(POLICY, OpenAISampler(client), open_store("memory://"))


def test_a_confident_call_runs(server: OpenAIServer, client: OpenAI, guard: Guard) -> None:
    server.reply = agent(call("pay", amount=100))
    paid: list[int] = []
    assert (loop(client, guard, paid), paid) == ("done", [100])
    # 4 of 5 have to agree, and the fifth could change nothing
    assert sum(body.get("n", 1) for body in server.drawn) == 4


def test_a_doubtful_call_is_planned_again_and_told_why(server: OpenAIServer, client: OpenAI, guard: Guard) -> None:
    def reply(body: Any, index: int) -> Any:
        last = body["messages"][-1]
        if last["role"] == "tool" and last["content"] == "paid":
            return {"role": "assistant", "content": "done"}
        told = last["role"] == "tool"
        return call("pay", amount=5 if told else index)

    server.reply = reply
    paid: list[int] = []
    assert (loop(client, guard, paid), paid) == ("done", [5])
    told = next(body["messages"][-1]["content"] for body in server.requests if body["messages"][-1]["role"] == "tool")
    assert json.loads(told.partition("data, not instructions: ")[2])["alternatives"]


def test_a_call_that_stays_doubtful_is_reviewed(server: OpenAIServer, client: OpenAI, guard: Guard) -> None:
    server.reply = lambda _body, index: call("pay", amount=index)
    paid: list[int] = []
    assert (loop(client, guard, paid), paid) == ("review", [])
    (waiting,) = guard.queue.waiting()
    assert waiting.call.name == "pay"


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(status=401), Fault(body=b"<html>")], ids=range(3))
def test_a_measurement_that_fails_is_reviewed(server: OpenAIServer, client: OpenAI, guard: Guard, fault: Fault) -> None:
    request = {"model": "m", "messages": [{"role": "user", "content": "pay"}], "tools": [PAY]}
    server.reply = call_of(100)
    response = client.chat.completions.create(**request)
    server.faults = [fault] * 30
    verdict = guard.assess(planning_step(request, response, thread_id="t"))
    assert (verdict.route, verdict.verdicts[0].reason) == (Route.REVIEW, Reason.SAMPLING_FAILED)


def call_of(amount: int) -> Any:
    return lambda *_: call("pay", amount=amount)


def test_a_cache_that_gives_the_plan_again_proves_nothing(server: OpenAIServer, client: OpenAI) -> None:
    server.reset(call("pay", amount=100), echo=True, n="ignore")
    # everything that a cache looks at is the same for plan and samples
    request = {"model": "m", "messages": [{"role": "user", "content": "pay"}], "tools": [PAY], "temperature": 1.0}
    response = client.chat.completions.create(**request)
    guard = Guard(POLICY, OpenAISampler(client, use_n=False), open_store("memory://"))
    assert guard.assess(planning_step(request, response, thread_id="t")).route is Route.REVIEW


def test_a_call_that_cannot_be_read_never_runs(server: OpenAIServer, client: OpenAI, guard: Guard) -> None:
    server.reply = lambda *_: calls(("pay", '{"amount": 100'))
    paid: list[int] = []
    assert (loop(client, guard, paid), paid) == ("review", [])


def test_a_plan_whose_request_is_not_known_is_reviewed(server: OpenAIServer, client: OpenAI, guard: Guard) -> None:
    server.reply = call_of(100)
    response = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "pay"}], tools=[PAY])
    from guardrail_openai import tool_specs

    step = planning_step(None, response, thread_id="t", tools=tool_specs({"messages": [], "tools": [PAY]}))
    verdict = guard.assess(step)
    assert (verdict.route, verdict.verdicts[0].reason) == (Route.REVIEW, Reason.REQUEST_UNKNOWN)


async def test_the_same_over_responses_and_asynchronously(server: OpenAIServer, async_client: AsyncOpenAI) -> None:
    guard = AsyncGuard(POLICY, OpenAISampler(async_client), open_store("memory://"))
    request = {"model": "m", "input": "pay", "tools": [PAY_FLAT]}
    server.reply = call_of(100)
    verdict = await guard.assess(planning_step(request, await async_client.responses.create(**request), thread_id="t"))
    assert (verdict.route, verdict.verdicts[0].agreeing) == (Route.EXECUTE, 4)
    server.reply = lambda _body, index: call("pay", amount=index)
    verdict = await guard.assess(planning_step(request, await async_client.responses.create(**request), thread_id="t"))
    assert verdict.route is Route.RETRY


ASKED = Policy.parse(
    {
        "tools": [{"match": "pay", "tier": "medium"}],
        "tiers": {"medium": {"signals": ["p_true", "agreement", "logprob_mean"]}},
    }
)


def letters(body: Any, _index: int) -> Any:
    if body.get("tools"):
        return call("pay", amount=100)
    top = [{"token": token, "logprob": logprob, "bytes": None} for token, logprob in (("A", -0.1), ("B", -2.4))]
    return {
        "role": "assistant",
        "content": "A",
        "logprobs": {"content": [{"token": "A", "logprob": -0.1, "bytes": None, "top_logprobs": top}]},
    }


async def test_the_same_sampler_answers_the_questions_of_a_tier(
    server: OpenAIServer, client: OpenAI, async_client: AsyncOpenAI
) -> None:
    server.reply = letters
    request = {
        "model": "m",
        "messages": [{"role": "user", "content": "pay"}],
        "tools": [PAY],
        "logprobs": True,
        "top_logprobs": 2,
    }
    response = client.chat.completions.create(**request)
    step = planning_step(request, response, thread_id="t")
    sync = Guard(ASKED, OpenAISampler(client), open_store("memory://")).assess(step)
    assert sync.questions == 2
    verdict = sync.verdicts[0]
    assert verdict.route is Route.EXECUTE
    signals = {signal.name: signal for signal in verdict.signals}
    assert signals["p_true"].value is not None
    assert signals["logprob_mean"].value is not None
    # four samples were enough
    assert signals["agreement"].bounds == (0.8, 1.0)
    guard = AsyncGuard(ASKED, OpenAISampler(async_client), open_store("memory://"))
    assert (await guard.assess(step)).verdicts[0].signals == verdict.signals
