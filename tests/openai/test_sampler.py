"""Samples through the OpenAI SDK, against a server that counts."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import Any

import pytest
from openai import AsyncOpenAI, AzureOpenAI, OpenAI
from pydantic import BaseModel

from guardrail.errors import ConfigError, SamplingError
from guardrail.sampling import inspect, provenance
from guardrail.types import PlanningStep, Sample
from guardrail_openai import OpenAISampler
from tests.openai.conftest import CHAT, RESPONSES, Draw, amounts, statuses, step_for
from tests.support.openai_server import Fault, OpenAIServer, call, calls, cut, in_turn, rate_limited, say

Clients = tuple[OpenAI, AsyncOpenAI]


async def test_all_samples_in_one_request_and_the_prompt_is_paid_once(
    server: OpenAIServer, clients: Clients, draw: Draw
) -> None:
    batch = await draw(OpenAISampler(*clients), step_for(), 5)
    assert [body["n"] for body in server.requests] == [5]
    assert amounts(batch) == [0, 1, 2, 3, 4]
    assert (batch.usage.requests, batch.usage.prompt_tokens, batch.usage.completion_tokens) == (1, 50, 35)
    assert batch.usage.seconds > 0
    assert [sample.choice for sample in batch.samples] == [0, 1, 2, 3, 4]
    assert len({sample.response_id for sample in batch.samples}) == 1


async def test_a_response_has_no_n(server: OpenAIServer, clients: Clients, draw: Draw) -> None:
    server.delay = 0.4
    batch = await draw(OpenAISampler(*clients, prefix_first=False), step_for(RESPONSES), 4)
    assert sorted(amounts(batch)) == [0, 1, 2, 3]
    assert [(path, body.get("n"), body["store"]) for path, body in zip(server.paths, server.requests, strict=True)] == [
        ("/v1/responses", None, False)
    ] * 4
    assert server.most_at_once > 1
    assert (batch.usage.requests, batch.usage.prompt_tokens, batch.usage.completion_tokens) == (4, 200, 28)
    assert len({provenance(sample) for sample in batch.samples}) == 4


async def test_an_ignored_n_is_topped_up_and_remembered(server: OpenAIServer, clients: Clients, draw: Draw) -> None:
    server.n = "ignore"
    server.delay = 0.4
    sampler = OpenAISampler(*clients)
    batch = await draw(sampler, step_for(), 6)
    assert sorted(amounts(batch)) == list(range(6))
    assert [body.get("n") for body in server.requests] == [6] + [None] * 5
    assert server.most_at_once > 1
    assert (batch.usage.requests, batch.usage.prompt_tokens, batch.usage.completion_tokens) == (6, 300, 42)
    assert sampler.most_choices == 1
    server.clear()
    await draw(sampler, step_for(), 3)
    assert [body.get("n") for body in server.requests] == [None] * 3


async def test_a_refused_n_is_split_and_remembered(server: OpenAIServer, clients: Clients, draw: Draw) -> None:
    server.n = 2
    sampler = OpenAISampler(*clients, prefix_first=False)
    batch = await draw(sampler, step_for(), 8)
    assert sorted(amounts(batch)) == list(range(8))
    assert [body["n"] for body in server.requests] == [8, 4, 4, 2, 2, 2, 2]
    # a refusal costs nothing, and each of the four requests pays its prompt
    assert (batch.usage.prompt_tokens, batch.usage.completion_tokens) == (200, 56)
    server.clear()
    await draw(sampler, step_for(), 4)
    assert [body["n"] for body in server.requests] == [2, 2]


@pytest.mark.parametrize("arguments", [CHAT, RESPONSES], ids=["chat", "responses"])
async def test_the_first_request_goes_alone_where_a_server_may_keep_its_prompt(
    server: OpenAIServer, clients: Clients, draw: Draw, arguments: dict[str, Any]
) -> None:
    server.delay = 0.4
    seen: list[int] = []
    server.reply = lambda _body, index: seen.append(len(server.requests)) or call("pay", amount=index)
    await draw(OpenAISampler(*clients, use_n=False), step_for(arguments), 4)
    assert seen[0] == 1
    assert server.most_at_once == 3
    server.clear()
    seen.clear()
    await draw(OpenAISampler(*clients, use_n=False, prefix_first=False), step_for(arguments), 4)
    assert server.most_at_once == 4


async def test_a_first_request_that_fails_does_not_make_the_rest_queue(
    server: OpenAIServer, clients: Clients, draw: Draw
) -> None:
    server.delay = 0.4
    server.faults = [rate_limited("0"), Fault(status=400)]
    batch = await draw(OpenAISampler(*clients, use_n=False), step_for(), 4)
    assert sorted(statuses(batch)) == ["failed", "ok", "ok", "ok"]
    assert server.statuses[:2] == [429, 400]
    assert server.most_at_once == 3


@pytest.mark.parametrize(
    ("url", "first"),
    [
        ("https://api.openai.com/v1", False),
        ("https://eu.api.openai.com/v1", False),
        ("https://mine.openai.azure.com/openai/v1", False),
        ("http://127.0.0.1:8000/v1", True),
        ("https://api.openai.com.example.org/v1", True),
    ],
)
def test_which_endpoints_are_sent_one_request_first(url: str, first: bool) -> None:
    with OpenAI(api_key="x", base_url=url) as client:
        assert OpenAISampler(client)._prefix_first is first


async def test_no_more_requests_at_once_than_allowed(server: OpenAIServer, clients: Clients, draw: Draw) -> None:
    server.delay = 0.4
    await draw(OpenAISampler(*clients, use_n=False, concurrency=3, prefix_first=False), step_for(), 8)
    assert len(server.requests) == 8
    assert server.most_at_once <= 3


async def test_a_cache_of_answers_is_recognised_by_its_ids(server: OpenAIServer, clients: Clients, draw: Draw) -> None:
    server.echo = True
    batch = await draw(OpenAISampler(*clients, use_n=False), step_for(), 3)
    assert sorted(statuses(batch)) == ["not_independent", "not_independent", "ok"]
    again = await draw(OpenAISampler(*clients, use_n=False), step_for(), 2)
    seen = {provenance(sample) for sample in batch.samples}
    assert [one.status.value for one in inspect(again.samples, seen)] == ["not_independent"] * 2


async def test_usage_of_one_choice_only_is_counted_again(server: OpenAIServer, clients: Clients, draw: Draw) -> None:
    server.usage = "one"
    batch = await draw(OpenAISampler(*clients), step_for(logprobs=True), 3)
    counted = sum(len(sample.tokens or ()) for sample in batch.samples)
    assert batch.usage.completion_tokens == counted > 7
    assert batch.usage.prompt_tokens == 50
    server.usage = "none"
    batch = await draw(OpenAISampler(*clients), step_for(logprobs=True), 3)
    assert (batch.usage.prompt_tokens, batch.usage.completion_tokens) == (None, None)


async def test_more_choices_than_asked_for(server: OpenAIServer, clients: Clients, draw: Draw) -> None:
    server.reply = lambda _body, _index: [call("pay", amount=k) for k in range(7)]
    batch = await draw(OpenAISampler(*clients), step_for(), 3)
    assert amounts(batch) == [0, 1, 2]
    assert batch.usage.completion_tokens == 49


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (cut("pay", '{"amount": 1'), "truncated"),
        (call("pay", amount=1) | {"finish_reason": "content_filter"}, "truncated"),
        (say(""), "empty"),
        (say("  "), "empty"),
        (calls(("pay", '{"amount": oops}')), "unparsable"),
        (calls(("pay", '{"amount": NaN}')), "unparsable"),
        (calls(("pay", "[1, 2]")), "unparsable"),
        (calls(("pay", {"amount": 1}), content=""), "ok"),
        (say("which account?"), "ok"),
    ],
)
@pytest.mark.parametrize("arguments", [CHAT, RESPONSES], ids=["chat", "responses"])
async def test_what_is_no_evidence_has_its_name(
    server: OpenAIServer, clients: Clients, draw: Draw, reply: Any, status: str, arguments: dict[str, Any]
) -> None:
    server.reply = in_turn(call("pay", amount=1), reply)
    batch = await draw(OpenAISampler(*clients), step_for(arguments), 2)
    assert sorted(statuses(batch)) == sorted(["ok", status])


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"choices": []}', b'{"choices": null}', b"", b"\xff", b"[]"])
@pytest.mark.parametrize("arguments", [CHAT, RESPONSES], ids=["chat", "responses"])
async def test_answers_that_are_none_are_failures(
    server: OpenAIServer, clients: Clients, draw: Draw, body: bytes, arguments: dict[str, Any]
) -> None:
    server.faults = [Fault(body=body, headers={"content-type": "application/json"})] * 20
    with pytest.raises(SamplingError, match="not an answer of this API"):
        await draw(OpenAISampler(*clients), step_for(arguments), 2)
    assert len(server.requests) <= 3


async def test_an_error_that_comes_as_an_answer_keeps_its_status(
    server: OpenAIServer, clients: Clients, draw: Draw
) -> None:
    server.faults = [Fault(body=b'{"error": {"message": "slow down", "code": 429}}')]
    batch = await draw(OpenAISampler(*clients), step_for(), 2)
    assert (amounts(batch), batch.usage.requests) == ([0, 1], 2)


@pytest.mark.parametrize(
    ("headers", "least"),
    [
        ({"retry-after": "0.2"}, 0.2),
        ({"retry-after-ms": "200", "retry-after": "9"}, 0.2),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "200ms"}, 0.2),
        (
            {
                "x-ratelimit-remaining-requests": "9",
                "x-ratelimit-reset-requests": "9m0s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "0.2s",
            },
            0.2,
        ),
    ],
    ids=str,
)
async def test_a_rate_limit_is_waited_for(
    server: OpenAIServer, clients: Clients, draw: Draw, headers: dict[str, str], least: float
) -> None:
    server.faults = [Fault(status=429, headers=headers)]
    started = time.perf_counter()
    batch = await draw(OpenAISampler(*clients), step_for(), 3)
    assert least <= time.perf_counter() - started < 5
    assert server.statuses == [429, 200]
    assert (len(batch.samples), batch.usage.requests) == (3, 2)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429, headers={"retry-after": "900"}),
        Fault(status=429, body=b'{"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}'),
        Fault(status=503, headers={"x-should-retry": "false"}),
    ],
    ids=["too long", "no credit", "told not to"],
)
async def test_what_is_not_tried_again(server: OpenAIServer, clients: Clients, draw: Draw, fault: Fault) -> None:
    server.faults = [fault] * 9
    with pytest.raises(SamplingError, match=f"HTTP {fault.status}"):
        await draw(OpenAISampler(*clients), step_for(), 3)
    assert len(server.requests) == 1


async def test_server_errors_are_tried_again_and_not_more_often_than_said(
    server: OpenAIServer, clients: Clients, draw: Draw
) -> None:
    server.faults = [Fault(status=500), Fault(status=503)]
    assert len((await draw(OpenAISampler(*clients), step_for(), 2)).samples) == 2
    server.clear()
    server.faults = [Fault(status=500)] * 50
    with pytest.raises(SamplingError, match="HTTP 500"):
        await draw(OpenAISampler(*clients, retries=1, use_n=False, prefix_first=False), step_for(), 2)
    assert len(server.requests) == 4


async def test_a_server_that_hangs_is_given_up(server: OpenAIServer, clients: Clients, draw: Draw) -> None:
    server.faults = [Fault(hang=True)]
    started = time.perf_counter()
    with pytest.raises(SamplingError, match="timeout"):
        await draw(OpenAISampler(*clients, timeout=0.3), step_for(), 2)
    assert time.perf_counter() - started < 5
    assert len(server.requests) == 1


async def test_what_came_is_kept_when_the_rest_hangs(server: OpenAIServer, clients: Clients, draw: Draw) -> None:
    server.faults = [Fault(hang=True)]
    batch = await draw(OpenAISampler(*clients, timeout=0.5, use_n=False, prefix_first=False), step_for(), 3)
    assert sorted(statuses(batch)) == ["failed", "ok", "ok"]
    assert "timeout" in batch.samples[-1].detail
    # what the hanging request cost is not known
    assert (batch.usage.requests, batch.usage.prompt_tokens) == (3, None)


async def test_a_wrong_key_is_named_without_the_key(server: OpenAIServer, clients: Clients, draw: Draw) -> None:
    server.key = "sk-right"
    with pytest.raises(SamplingError, match="check the API key") as error:
        await draw(OpenAISampler(*clients), step_for(), 2)
    assert "sk-" not in str(error.value)
    assert "sk-test" in str(error.value.__cause__)
    assert len(server.requests) == 1


async def test_an_unknown_model_is_named(server: OpenAIServer, clients: Clients, draw: Draw) -> None:
    server.models = ["other"]
    with pytest.raises(SamplingError, match="check the model's name"):
        await draw(OpenAISampler(*clients), step_for(), 2)


async def test_a_model_that_takes_no_temperature(server: OpenAIServer, clients: Clients, draw: Draw) -> None:
    server.refuse = lambda body: (
        "Unsupported parameter: 'temperature' is not supported with this model." if "temperature" in body else None
    )
    with pytest.raises(SamplingError, match="temperature=None"):
        await draw(OpenAISampler(*clients), step_for(), 4)
    assert len(server.requests) == 1
    batch = await draw(OpenAISampler(*clients, temperature=None), step_for(), 4)
    assert statuses(batch) == ["ok"] * 4
    assert "temperature" not in server.requests[-1]


def test_azure_keeps_its_path_its_version_and_its_key(server: OpenAIServer) -> None:
    address = server.url.removesuffix("/v1")
    with AzureOpenAI(azure_endpoint=address, api_version="2024-10-21", api_key="azure-key") as client:
        batch = OpenAISampler(client).sample(step_for(model="gpt-4.1"), 2)
    assert statuses(batch) == ["ok", "ok"]
    assert server.paths == ["/openai/deployments/gpt-4.1/chat/completions?api-version=2024-10-21"]
    assert {name.lower(): value for name, value in server.headers[0].items()}["api-key"] == "azure-key"


async def test_the_clients_are_left_as_they_are(server: OpenAIServer, clients: Clients, draw: Draw) -> None:
    before = [(client.max_retries, client.timeout, client.base_url) for client in clients]
    server.faults = [Fault(status=500)] * 9
    with pytest.raises(SamplingError):
        await draw(OpenAISampler(*clients, retries=0), step_for(), 1)
    assert len(server.requests) == 1
    assert [(client.max_retries, client.timeout, client.base_url) for client in clients] == before


async def test_one_client_is_enough_for_both_doors_or_says_so(
    server: OpenAIServer, client: OpenAI, async_client: AsyncOpenAI
) -> None:
    assert len((await OpenAISampler(client).asample(step_for(), 2)).samples) == 2
    with pytest.raises(SamplingError, match="AsyncGuard"):
        OpenAISampler(async_client).sample(step_for(), 2)
    for wrong in ((), (client, client), ("x",)):
        with pytest.raises((ConfigError, AttributeError)):
            OpenAISampler(*wrong)


async def test_an_answer_in_the_form_of_a_class(server: OpenAIServer, clients: Clients, draw: Draw) -> None:
    class Plan(BaseModel):
        amount: int

    server.reply = lambda _body, index: (
        say('{"amount": 1', finish_reason="length") if index % 2 else say('{"amount": 1}')
    )
    arguments = {"model": "m", "messages": CHAT["messages"], "response_format": Plan}
    batch = await draw(OpenAISampler(*clients), step_for(arguments), 2)
    assert statuses(batch) == ["ok", "truncated"]
    assert server.requests[0]["response_format"]["json_schema"]["name"] == "Plan"
    server.clear()
    await draw(OpenAISampler(*clients), step_for({"model": "m", "input": "pay", "text_format": Plan}), 1)
    assert server.requests[0]["text"]["format"]["name"] == "Plan"


async def test_cancelling_stops_all_requests(server: OpenAIServer, async_client: AsyncOpenAI) -> None:
    server.delay = 60.0  # the next reset ends it
    sampler = OpenAISampler(async_client, use_n=False, concurrency=2, prefix_first=False)
    task = asyncio.create_task(sampler.asample(step_for(), 6))
    async with asyncio.timeout(30):
        while len(server.requests) < 2:  # noqa: ASYNC110 - the server is in another thread
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(asyncio.all_tasks()) == 1
    assert len(server.requests) == 2
    server.reset()


async def test_a_request_that_is_not_known_cannot_be_sampled(clients: Clients, draw: Draw) -> None:
    step = PlanningStep(id="s", planned=Sample(), tools=(), request={"model": "m"})
    with pytest.raises(SamplingError, match="planning_step"):
        await draw(OpenAISampler(*clients), step, 2)
    with pytest.raises(ValueError, match="at least one"):
        await draw(OpenAISampler(*clients), step_for(), 0)


@pytest.mark.parametrize("given", [{"temperature": 0}, {"concurrency": 0}, {"retries": -1}, {"timeout": 0}], ids=str)
def test_arguments_that_cannot_be_used(client: OpenAI, given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        OpenAISampler(client, **given)


def test_nothing_of_a_framework_is_imported() -> None:
    code = (
        "import sys, guardrail_openai\n"
        "assert 'openai' not in sys.modules\n"
        "import guardrail_openai.sampler, guardrail_openai.steps\n"
        "found = [n for n in sys.modules if n.split('.')[0] in ('langchain', 'langchain_core', 'langgraph')]\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
