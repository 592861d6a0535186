"""What is sent again, what is not, and what identifies a request."""

from __future__ import annotations

from typing import Any

import pytest
from openai import NOT_GIVEN, OpenAI
from openai.types.chat import ChatCompletionMessage

from guardrail.errors import SamplingError
from guardrail_openai import OpenAIRequest, OpenAISampler
from tests.openai.conftest import CHAT, PAY, RESPONSES, Draw, step_for
from tests.support.openai_server import OpenAIServer


async def test_a_chat_completion_is_sent_as_it_was_but_for_what_makes_copies(
    server: OpenAIServer, clients: Any, draw: Draw
) -> None:
    given = {
        "temperature": 0,
        "seed": 7,
        "stream": True,
        "stream_options": {"include_usage": True},
        "store": True,
        "metadata": {"a": "b"},
        "n": 4,
        "timeout": 600,
        "user": NOT_GIVEN,
        "prompt_cache_key": "k",
        "max_tokens": 99,
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "logprobs": True,
        "top_logprobs": 3,
        "extra_body": {
            "seed": 1,
            "temperature": 0.1,
            "cache": {"ttl": 9},
            "cache_prompt": False,
            "top_k": 40,
            "chat_template_kwargs": {"x": 1},
        },
        "extra_headers": {
            "Idempotency-Key": "i",
            "X-Cache-TTL": "60",
            "X-Skip-Cache": "true",
            "Cache-Control": "no-cache",
            "X-Mine": "1",
        },
    }
    await draw(OpenAISampler(*clients), step_for(**given), 2)
    (body,) = server.requests
    assert body == {
        **CHAT,
        "temperature": 1.0,
        "n": 2,
        "prompt_cache_key": "k",
        "max_tokens": 99,
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "logprobs": True,
        "top_logprobs": 3,
        "cache_prompt": True,
        "top_k": 40,
        "chat_template_kwargs": {"x": 1},
    }
    sent = {name.lower(): value for name, value in server.headers[0].items()}
    assert (sent["x-mine"], sent["x-skip-cache"], sent["cache-control"]) == ("1", "true", "no-cache")
    assert "idempotency-key" not in sent
    assert "x-cache-ttl" not in sent


async def test_a_response_is_sent_as_it_was_and_leaves_nothing_behind(
    server: OpenAIServer, clients: Any, draw: Draw
) -> None:
    given = {
        "instructions": "be brief",
        "temperature": 0.2,
        "background": True,
        "stream": True,
        "store": True,
        "metadata": {"a": "b"},
        "previous_response_id": "resp_0",
        "reasoning": {"effort": "low"},
        "include": ["reasoning.encrypted_content"],
        "max_output_tokens": 500,
    }
    await draw(OpenAISampler(*clients), step_for(RESPONSES, **given), 1)
    (body,) = server.requests
    kept = {key: value for key, value in given.items() if key not in ("background", "stream")}
    assert body == {**RESPONSES, **kept, "temperature": 1.0, "store": False}


async def test_the_request_is_a_copy_that_later_messages_do_not_reach(
    server: OpenAIServer, clients: Any, draw: Draw
) -> None:
    said = ChatCompletionMessage.model_validate({"role": "assistant", "content": "hi", "made_up": 1})
    messages: list[Any] = [{"role": "user", "content": "hello"}, said, {"role": "user", "content": "pay"}]
    step = step_for(messages=messages)
    messages.append({"role": "user", "content": "no, stop"})
    await draw(OpenAISampler(*clients), step, 1)
    assert [message["content"] for message in server.requests[0]["messages"]] == ["hello", "hi", "pay"]
    assert server.requests[0]["messages"][1] == {"role": "assistant", "content": "hi", "made_up": 1}


@pytest.mark.parametrize(
    "given",
    [
        {"top_p": 0},
        {"top_p": 0.001},
        {"extra_body": {"top_k": 1}},
        {"extra_body": {"min_p": 1.0}},
        {"extra_body": {"use_beam_search": True}},
    ],
    ids=str,
)
async def test_greedy_decoding_is_no_evidence(
    server: OpenAIServer, clients: Any, draw: Draw, given: dict[str, Any]
) -> None:
    with pytest.raises(SamplingError, match="makes all samples the same"):
        await draw(OpenAISampler(*clients), step_for(**given), 2)
    assert server.requests == []


async def test_a_plans_own_temperature_of_0_is_no_evidence(server: OpenAIServer, clients: Any, draw: Draw) -> None:
    with pytest.raises(SamplingError, match="temperature=0"):
        await draw(OpenAISampler(*clients, temperature=None), step_for(temperature=0), 2)
    await draw(OpenAISampler(*clients, temperature=None), step_for(temperature=0.7), 2)
    assert [body["temperature"] for body in server.requests] == [0.7]


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"conversation": "conv_1"}, "adds to a conversation"),
        ({"tools": [{"type": "mcp", "server_label": "bank", "require_approval": "never"}]}, "tools of bank"),
        ({"tools": [{"type": "mcp", "require_approval": {"never": {"tool_names": ["pay"]}}}]}, "an MCP server"),
    ],
    ids=str,
)
async def test_a_sample_changes_nothing_at_the_provider(
    server: OpenAIServer, clients: Any, draw: Draw, given: dict[str, Any], match: str
) -> None:
    with pytest.raises(SamplingError, match=match):
        await draw(OpenAISampler(*clients), step_for({"model": "m", "input": "x", **given}), 2)
    assert server.requests == []


def test_tools_of_an_mcp_server_that_asks_first_may_be_sampled() -> None:
    for tool in ({"type": "mcp"}, {"type": "mcp", "require_approval": "always"}):
        assert OpenAIRequest.of({"input": "x", "tools": [tool]}).replay(1.0)["tools"] == [tool]


DIFFERENT: list[dict[str, Any]] = [
    CHAT,
    {**CHAT, "messages": [{"role": "user", "content": "pay 200"}]},
    {**CHAT, "model": "other"},
    {**CHAT, "temperature": 0.5},
    {**CHAT, "tools": [PAY, PAY]},
    {**CHAT, "extra_body": {"top_k": 5}},
    RESPONSES,
]


def test_the_digest_tells_requests_apart_and_nothing_else() -> None:
    digests = [OpenAIRequest.of(arguments).digest for arguments in DIFFERENT]
    assert len(set(digests)) == len(DIFFERENT)
    reordered = dict(reversed(list(CHAT.items())))
    assert OpenAIRequest.of(reordered).digest == digests[0]


def test_secrets_and_transport_are_not_in_the_digest() -> None:
    mcp = {"type": "mcp", "server_label": "bank", "authorization": "secret-1", "headers": {"X-Key": "secret-1"}}
    one: dict[str, Any] = {
        "model": "m",
        "input": "x",
        "tools": [mcp],
        "timeout": 5,
        "extra_headers": {"Authorization": "secret-1"},
        "extra_query": {"key": "secret-1"},
        "extra_body": {"api_key": "secret-1", "max_tokens": 5},
    }
    other: dict[str, Any] = {
        **one,
        "tools": [{**mcp, "authorization": "secret-2", "headers": {}}],
        "timeout": 9,
        "extra_headers": {},
        "extra_query": {},
        "extra_body": {"api_key": "secret-2", "max_tokens": 5},
    }
    assert OpenAIRequest.of(one).digest == OpenAIRequest.of(other).digest
    other["extra_body"] = {"max_tokens": 6}
    assert OpenAIRequest.of(one).digest != OpenAIRequest.of(other).digest


def test_what_the_sdk_leaves_out_is_left_out() -> None:
    with OpenAI(api_key="x", base_url="http://127.0.0.1:1/v1"):
        assert OpenAIRequest.of({**CHAT, "stop": NOT_GIVEN}).digest == OpenAIRequest.of(CHAT).digest
