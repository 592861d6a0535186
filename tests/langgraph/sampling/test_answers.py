"""What a sample is made of, and what is no evidence."""

from __future__ import annotations

from typing import Any

import pytest

from guardrail.sampling import provenance
from guardrail.types import PlanningStep, Sample
from guardrail_langgraph.requests import PlanningRequest
from guardrail_langgraph.sampler import ChatModelSampler
from tests.support.drawing import GO, Draw, chat, statuses, step_for
from tests.support.openai_server import OpenAIServer, call, calls, cut, in_turn, say


async def test_provenance_is_kept(server: OpenAIServer, draw: Draw) -> None:
    model = chat(server)
    batch = await draw(ChatModelSampler(model), step_for(model), 3)
    assert len({sample.response_id for sample in batch.samples}) == 1
    assert [sample.choice for sample in batch.samples] == [0, 1, 2]
    alone = await draw(ChatModelSampler(model, use_n=False), step_for(model), 3)
    assert len({provenance(sample) for sample in (*batch.samples, *alone.samples)}) == 6


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (cut("pay", '{"amount": 1'), "truncated"),
        (call("pay", amount=1) | {"finish_reason": "content_filter"}, "truncated"),
        (say(""), "empty"),
        (say("  "), "empty"),
        (calls(("pay", '{"amount": oops}')), "unparsable"),
        (calls(("pay", '{"amount": NaN}')), "unparsable"),
        (calls(("pay", {"amount": 1}), content=""), "ok"),
        (say("which account?"), "ok"),
    ],
)
async def test_what_is_no_evidence_has_its_name(server: OpenAIServer, draw: Draw, reply: Any, status: str) -> None:
    server.reply = in_turn(call("pay", amount=1), reply)
    model = chat(server)
    batch = await draw(ChatModelSampler(model), step_for(model), 2)
    assert statuses(batch) == ["ok", status]


async def test_a_choice_over_which_the_client_breaks_does_not_spoil_the_others(
    server: OpenAIServer, draw: Draw
) -> None:
    server.reply = lambda _body, index: call("pay", amount=1) if index % 2 else calls(("pay", "[1, 2]"))
    model = chat(server)
    sampler = ChatModelSampler(model)
    batch = await draw(sampler, step_for(model), 4)
    assert sorted(statuses(batch)) == ["ok", "ok", "unparsable", "unparsable"]
    # nor is it held against n
    server.clear()
    server.reply = lambda _body, _index: call("pay", amount=1)
    await draw(sampler, step_for(model), 2)
    assert [body["n"] for body in server.requests] == [2]


async def test_cut_structured_output_is_truncated(server: OpenAIServer, draw: Draw) -> None:
    server.reply = lambda _body, index: (
        say('{"text": "x', finish_reason="length") if index % 2 else say('{"text": "x"}')
    )
    model = chat(server)
    settings = {"response_format": {"type": "json_object"}}
    step = PlanningStep(
        id="s", planned=Sample(), tools=(), request=PlanningRequest(messages=tuple(GO), settings=settings)
    )
    batch = await draw(ChatModelSampler(model, use_n=False), step, 4)
    assert sorted(statuses(batch)) == ["ok", "ok", "truncated", "truncated"]


async def test_log_probabilities_are_kept_where_given(server: OpenAIServer, draw: Draw) -> None:
    server.usage = "one"
    model = chat(server, logprobs=True)
    batch = await draw(ChatModelSampler(model), step_for(model), 3)
    assert all(
        sample.tokens and "".join(t.text for t in sample.tokens).count("amount") == 1 for sample in batch.samples
    )
    # the server bills one choice: what was generated is counted
    assert batch.usage.completion_tokens == sum(len(sample.tokens or ()) for sample in batch.samples) > 7
    server.logprobs = "text"
    batch = await draw(ChatModelSampler(model), step_for(model), 3)
    assert [sample.tokens for sample in batch.samples] == [None] * 3
    server.usage = "none"
    assert (await draw(ChatModelSampler(model), step_for(model), 3)).usage.completion_tokens is None
