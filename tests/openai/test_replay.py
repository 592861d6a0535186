"""Recorded requests sent again with another model, as bulk replay does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guardrail.bulk import Job, PlannerOptions, local
from guardrail.cli.replay.planners import planner_named
from guardrail.errors import ConfigError
from guardrail.types import Case, SampleStatus, Usage
from guardrail_openai import tool_specs
from guardrail_openai.replay import OpenAIPlanner, planner
from tests.openai.test_record import REQUEST, RESPONSES, cases, plan, proxied
from tests.support.bulk import case
from tests.support.openai_server import Fault, OpenAIServer, calls, cut, rate_limited


def recorded(request: dict[str, Any] = REQUEST, **more: Any) -> Case:
    return case(5, tools=tool_specs(request), request=request, **more)


def options(server: OpenAIServer, **more: Any) -> PlannerOptions:
    return PlannerOptions(argument=f"new@{server.url}", **more)


def replayed(server: OpenAIServer, recorded: Case, *, keep_plan: bool = False, **more: Any) -> Case:
    done: list[Case] = []
    job = Job(planner=planner, options=options(server, **more), samples=4, keep_plan=keep_plan)
    asyncio.run(local.run([recorded], job, done.append))
    return done[0]


def test_a_request_is_planned_as_it_was_with_the_new_model_and_drawn_at_temperature_1(server: OpenAIServer) -> None:
    server.reply = plan
    found = replayed(server, recorded({**REQUEST, "seed": 7, "tool_choice": "required"}))
    planned, drawn = server.requests
    assert planned == {**REQUEST, "model": "new", "tool_choice": "required"}
    assert drawn == {**planned, "temperature": 1.0, "n": 4}
    assert found.failure == ""
    assert found.planned.calls[0].arguments == {"amount": 5}
    assert [sample.calls[0].arguments["amount"] for sample in found.samples] == [6, 5, 6, 5]
    assert found.model == "new"
    assert found.planning == Usage(requests=1, prompt_tokens=50, completion_tokens=7, seconds=found.planning.seconds)  # type: ignore[union-attr]
    assert found.usage is not None
    assert (found.usage.requests, found.usage.completion_tokens) == (1, 28)
    assert found.fingerprint["model"] == "new"


def test_a_kept_plan_is_only_drawn(server: OpenAIServer) -> None:
    server.reply = plan
    found = replayed(server, recorded(), keep_plan=True)
    assert [body["n"] for body in server.requests] == [4]
    assert found.planned == recorded().planned
    assert found.planning is None


def test_the_responses_api_is_replayed_by_its_own_interface(server: OpenAIServer) -> None:
    server.reply = plan
    found = replayed(server, recorded(RESPONSES))
    assert all(path.endswith("/responses") for path in server.paths)
    assert [body["model"] for body in server.requests] == ["new"] * 5
    assert all(body["store"] is False for body in server.requests)
    assert (found.failure, len(found.samples)) == ("", 4)


def test_settings_are_put_into_every_request_or_taken_out(server: OpenAIServer) -> None:
    server.reply = plan
    replayed(server, recorded({**REQUEST, "max_tokens": 9, "top_k": 40}), settings={"max_tokens": None, "min_p": 0.1})
    for body in server.requests:
        assert "max_tokens" not in body
        # what the SDK does not know is sent all the same
        assert (body["top_k"], body["min_p"]) == (40, 0.1)


def test_a_plan_that_cannot_be_read_keeps_its_calls_and_is_no_agreement(server: OpenAIServer) -> None:
    server.reply = lambda body, index: cut("pay", '{"amount"')
    found = replayed(server, recorded())
    assert found.planned.status is not SampleStatus.OK
    assert found.planned.calls
    assert found.verdict is not None
    assert found.verdict.route.value == "review"


def test_a_rate_limit_is_waited_for(server: OpenAIServer) -> None:
    server.reply = plan
    server.faults = [rate_limited("0"), Fault(), rate_limited("0")]
    assert replayed(server, recorded()).failure == ""
    assert server.statuses == [429, 200, 429, 200]


@pytest.mark.parametrize("status", [401, 404])
def test_a_server_that_refuses_is_told_with_what_to_do(server: OpenAIServer, status: int) -> None:
    server.faults = [Fault(status=status, message="sk-secret is wrong")]
    found = replayed(server, recorded())
    assert found.failure.startswith("the step could not be planned: ")
    assert f"(HTTP {status})" in found.failure
    assert "sk-secret" not in found.failure
    assert len(server.requests) == 1
    assert found.planning is not None
    assert (found.planning.requests, found.planning.prompt_tokens) == (1, 0)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({**RESPONSES, "conversation": "conv_1"}, "adds to a conversation that the provider keeps"),
        ({**REQUEST, "top_p": 0}, "makes all samples the same"),
        (
            {**RESPONSES, "tools": [{"type": "mcp", "server_label": "bank", "require_approval": "never"}]},
            "runs tools of bank without asking",
        ),
    ],
)
def test_what_may_not_be_sent_again_is_not_planned_either(
    server: OpenAIServer, request_: dict[str, Any], said: str
) -> None:
    found = replayed(server, recorded(request_))
    assert said in found.failure
    assert server.requests == []


def test_calls_without_ids_of_their_own_are_told_apart(server: OpenAIServer) -> None:
    message = calls(("pay", {"amount": 1}), ("pay", {"amount": 2}))
    for one in message["tool_calls"]:
        one["id"] = "same"
    server.reply = lambda body, index: message
    found = replayed(server, recorded())
    assert len({one.id for one in found.planned.calls}) == 2


async def test_what_the_proxy_recorded_is_replayed_whole(server: OpenAIServer, tmp_path: Path) -> None:
    server.reply = plan
    out = tmp_path / "cases.jsonl"
    extra = {"top_k": 40}
    secret = {"type": "mcp", "server_label": "bank", "headers": {"authorization": "sk-tool"}, "authorization": "sk-mcp"}
    async with proxied(server.url, out) as (agent, _):
        await agent.chat.completions.create(**REQUEST, extra_body=extra)
        await agent.responses.create(**{**RESPONSES, "tools": [*RESPONSES["tools"], secret]})
    chat, responses = sorted(cases(out), key=lambda one: "input" in (one.request or {}))
    assert chat.request == {**REQUEST, **extra}
    assert len(chat.samples) == 4
    assert "sk-" not in out.read_text()
    assert responses.request is not None
    assert responses.request["input"] == RESPONSES["input"]
    server.clear()
    found = await asyncio.to_thread(replayed, server, chat)
    assert server.requests[0] == {**REQUEST, **extra, "model": "new"}
    assert found.failure == ""
    # a result is a case again
    again = await asyncio.to_thread(replayed, server, replace(found, verdict=None))
    assert again.failure == ""


@pytest.mark.parametrize(
    ("argument", "model", "address"),
    [
        ("m@http://host/v1", "m", "http://host/v1/"),
        ("@cf/meta/llama@https://host/v1", "@cf/meta/llama", "https://host/v1/"),
        ("org/m:free@http://u:secret@host/v1", "org/m:free", "http://host/v1/"),
    ],
)
async def test_a_planner_is_named_by_model_and_address(argument: str, model: str, address: str) -> None:
    made = planner_named("openai", PlannerOptions(argument=argument))
    assert isinstance(made, OpenAIPlanner)
    assert (made.model, made.name) == (model, f"openai:{model}@{address}")
    await made.aclose()


@pytest.mark.parametrize(("argument", "said"), [("", "needs a model"), ("gpt-x", "there is no key for OpenAI")])
def test_a_planner_without_model_or_key_is_refused(argument: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigError, match=said):
        planner(PlannerOptions(argument=argument))
