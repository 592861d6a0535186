"""What ``GuardedClient`` sends, gives back and refuses: the SDK's own objects, and no request that could not be held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from openai import AsyncOpenAI, AsyncStream, AzureOpenAI, OpenAI, Stream
from pydantic import BaseModel

from guardrail import Guard, Route, open_store
from guardrail.errors import CallBlocked, ConfigError, StoreFull
from guardrail_openai import GuardedClient, Held, OpenAISampler, PlanAgain, Refused, WaitsForReview
from tests.openai.conftest import CHAT, PAY, PAY_FLAT, RESPONSES
from tests.support.approval_trace import taped
from tests.support.guarded_loops import merged, rules
from tests.support.openai_server import OpenAIServer, call, calls, say

MCP = {"type": "mcp", "server_label": "shop", "server_url": "https://mcp.example.com"}


@pytest.fixture(autouse=True)
def _approvals_hold() -> Iterator[None]:
    with taped() as tape:
        yield
    assert tape.broken() == []


@pytest.fixture
def guarded(client: OpenAI) -> GuardedClient:
    return GuardedClient(client, policy=rules("medium"), thread_id="t")


@pytest.mark.parametrize("stream", [False, True])
def test_the_request_goes_out_as_it_is(
    server: OpenAIServer, client: OpenAI, guarded: GuardedClient, stream: bool
) -> None:
    server.reset(call("pay", amount=100))
    request = {**CHAT, "temperature": 0, "seed": 7, "extra_headers": {"x-mine": "1"}, "stream": stream}
    kept = {**request}
    plain = client.chat.completions.create(**request)
    held = guarded.chat.completions.create(**request)
    assert request == kept
    if stream:
        first, second = list(plain), list(held)
        assert isinstance(held, Stream)
        assert [type(chunk) for chunk in first] == [type(chunk) for chunk in second]
    else:
        assert type(plain) is type(held)
    sent = [body for body in server.requests if body.get("temperature") == 0]
    assert sent[0] == sent[1]
    assert server.headers[0]["x-mine"] == server.headers[1]["x-mine"] == "1"


def test_chunks_come_before_the_verdict_and_it_before_the_end(server: OpenAIServer, guarded: GuardedClient) -> None:
    server.reset(call("pay", amount=100))
    with guarded.chat.completions.create(**CHAT, temperature=0, stream=True) as stream:
        next(stream)
        assert server.drawn == []
        assert guarded.verdict(stream) is None
        seen = list(stream)
    assert seen[-1].choices[0].finish_reason == "tool_calls"
    verdict = guarded.verdict(stream)
    assert verdict is not None
    assert verdict.route is Route.EXECUTE


def test_a_stream_that_is_left_early_lets_nothing_run(server: OpenAIServer, guarded: GuardedClient) -> None:
    server.reset(call("pay", amount=100))
    chunks = []
    with guarded.chat.completions.create(**CHAT, temperature=0, stream=True) as stream:
        chunks = [next(stream) for _ in range(3)]
    (item,) = merged(chunks)
    with pytest.raises(Refused, match="not seen"):
        guarded.permit(item).enter()
    with pytest.raises(Refused, match="not seen"):
        guarded.permit(item, stream).enter()


async def test_an_async_stream_is_one(server: OpenAIServer, async_client: AsyncOpenAI) -> None:
    server.reset(call("pay", amount=100))
    guarded = GuardedClient(async_client, policy=rules("medium"))
    async with await guarded.chat.completions.create(**CHAT, temperature=0, stream=True) as stream:
        assert isinstance(stream, AsyncStream)
        (item,) = merged([chunk async for chunk in stream])
    async with guarded.permit(item, stream) as permit:
        assert permit.call.arguments == {"amount": 100}
        assert permit.key


@pytest.mark.parametrize("stream", [False, True])
def test_several_choices_at_once_are_no_plan(server: OpenAIServer, guarded: GuardedClient, stream: bool) -> None:
    """A server that gives more than was asked for: merged, its choices would be one message with every payment."""
    server.reply = lambda _body, _index: [call("pay", amount=1), call("pay", amount=2)]
    response = guarded.chat.completions.create(**CHAT, temperature=0, stream=stream)
    items = merged(list(response)) if stream else [one.message.tool_calls[0] for one in response.choices]
    assert guarded.verdict(response) is None
    for item in items:
        assert "Not executed" in guarded.run(item, pytest.fail)["content"]


def test_servers_that_number_every_call_of_a_stream_alike(server: OpenAIServer, guarded: GuardedClient) -> None:
    plan = calls(("pay", {"amount": 1}), ("pay", {"amount": 2}))
    server.reset(plan)
    from guardrail_openai.heard import HeardChat

    heard = HeardChat()
    for number, one in enumerate(plan["tool_calls"]):
        parts = {**one, "index": 0}
        heard.add({"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"tool_calls": [parts]}}]})
        assert len((heard.response() or {})["choices"][0]["message"]["tool_calls"]) == number + 1


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"n": 2}, "several plans"),
        ({"extra_body": {"n": 3}}, "several plans"),
        ({"web_search_options": {}}, "search by itself"),
        ({"functions": [{"name": "pay"}]}, "without ids"),
        ({"tools": [{"type": "browser"}]}, "carries out the tool"),
    ],
    ids=range(5),
)
def test_chat_requests_that_could_not_be_held(
    server: OpenAIServer, guarded: GuardedClient, more: Any, why: str
) -> None:
    with pytest.raises(ConfigError, match=why):
        guarded.chat.completions.create(**{**CHAT, **more})
    assert server.requests == []


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"background": True}, "background"),
        ({"prompt": {"id": "p"}}, "stored prompt"),
        ({"tools": [{"type": "web_search"}]}, "carries out the tool"),
        ({"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}, "carries out the tool"),
        ({"tools": [{"type": "shell", "environment": {"type": "container_auto"}}]}, "carries out the tool"),
        ({"tools": [{**MCP, "require_approval": "never"}]}, "require_approval"),
        ({"tools": [{**MCP, "require_approval": {"never": {"tool_names": ["pay"]}}}]}, "require_approval"),
        ({"tools": [{"type": "computer_use_preview"}]}, "computer"),
    ],
    ids=range(8),
)
def test_responses_requests_that_could_not_be_held(
    server: OpenAIServer, guarded: GuardedClient, more: Any, why: str
) -> None:
    with pytest.raises(ConfigError, match=why):
        guarded.responses.create(**{**RESPONSES, **more})
    assert server.requests == []


def test_hosted_tools_pass_where_that_is_said(server: OpenAIServer, client: OpenAI) -> None:
    server.reset(call("pay", amount=100))
    guarded = GuardedClient(client, policy=rules("medium"), allow_hosted=True)
    request = {**RESPONSES, "tools": [PAY_FLAT, {"type": "web_search"}], "parallel_tool_calls": True}
    response = guarded.responses.create(**request, temperature=0)
    assert guarded.run(response.output[0], lambda **_: "paid")["output"] == "paid"


@pytest.mark.parametrize("door", ["stream", "with_raw_response", "with_streaming_response"])
def test_other_doors_are_shut(guarded: GuardedClient, door: str) -> None:
    with pytest.raises(ConfigError, match="past the guard"):
        getattr(guarded.chat.completions, door)
    with pytest.raises(ConfigError, match="past the guard"):
        getattr(guarded.responses, door)


def test_the_rest_is_the_clients_own(server: OpenAIServer, client: OpenAI, guarded: GuardedClient) -> None:
    assert guarded.base_url == client.base_url
    assert [model.id for model in guarded.models.list()] == ["m"]
    server.reset(say("hello"))
    response = guarded.chat.completions.create(**CHAT)
    assert guarded.verdict(response) is None
    assert guarded.with_options(timeout=5).chat.completions.create(**CHAT).choices[0].message.content == "hello"
    with pytest.raises(ConfigError, match="OpenAI or AsyncOpenAI"):
        GuardedClient(object())  # type: ignore[arg-type]


def test_parsed_answers_are_held_too(server: OpenAIServer, guarded: GuardedClient) -> None:
    class Answer(BaseModel):
        words: str

    server.reset(call("pay", amount=100))
    strict = {**PAY, "function": {**PAY["function"], "strict": True}}
    response = guarded.chat.completions.parse(**{**CHAT, "tools": [strict]}, response_format=Answer, temperature=0)
    verdict = guarded.verdict(response)
    assert verdict is not None
    assert verdict.route is Route.EXECUTE


def test_azure_clients_are_clients(server: OpenAIServer) -> None:
    server.reset(call("pay", amount=100))
    with AzureOpenAI(api_key="sk-test", api_version="2024-10-21", base_url=server.url) as azure:
        guarded = GuardedClient(azure, policy=rules("medium"))
        response = guarded.chat.completions.create(**CHAT, temperature=0)
        assert guarded.verdict(response).route is Route.EXECUTE  # type: ignore[union-attr]


def test_a_verdict_that_cannot_be_kept_is_none(
    server: OpenAIServer, client: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.reset(call("pay", amount=100))
    store = open_store("memory://")
    guarded = GuardedClient(client, policy=rules("medium"), store=store)

    def full(*_: Any) -> Any:
        raise StoreFull("no room is left")

    monkeypatch.setattr(store, "add_record", full)
    with pytest.raises(StoreFull):
        guarded.chat.completions.create(**CHAT, temperature=0)
    monkeypatch.setattr(store, "put_state", full)


def test_a_use_that_cannot_be_written_down_lets_nothing_run(
    server: OpenAIServer, client: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.reset(call("pay", amount=100))
    store = open_store("memory://")
    guarded = GuardedClient(client, policy=rules("medium"), store=store)
    response = guarded.chat.completions.create(**CHAT, temperature=0)

    def full(*_: Any, **__: Any) -> Any:
        raise StoreFull("no room is left")

    monkeypatch.setattr(store, "put_state", full)
    assert "no room" in guarded.run(response.choices[0].message.tool_calls[0], pytest.fail)["content"]


def test_a_tool_that_raises_has_run(server: OpenAIServer, client: OpenAI) -> None:
    server.reset(call("pay", amount=100))
    guarded = GuardedClient(client, policy=rules("critical"))
    response = guarded.chat.completions.create(**CHAT, temperature=0)
    item = response.choices[0].message.tool_calls[0]
    (review,) = guarded.guard.queue.waiting()
    guarded.guard.queue.approve(review.id, by="ann")

    def broken(**_: Any) -> None:
        raise OSError("the bank is closed")

    with pytest.raises(OSError, match="closed"):
        guarded.run(item, broken)
    done = guarded.guard.queue.get(review.id)
    assert (done.state, done.history[-1].note) == ("done", "the tool raised OSError")
    assert "Not executed again" in guarded.run(item, broken)["content"]


def test_an_approval_is_not_used_up_where_there_is_no_function(server: OpenAIServer, guarded: GuardedClient) -> None:
    server.reset(call("pay", amount=100))
    item = guarded.chat.completions.create(**CHAT, temperature=0).choices[0].message.tool_calls[0]
    with pytest.raises(ConfigError, match="no function"):
        guarded.run(item, {})

    async def wrong(**_: Any) -> None: ...

    with pytest.raises(ConfigError, match="asynchronous"):
        guarded.run(item, wrong)
    assert guarded.run(item, {"pay": lambda **_: "paid"})["content"] == "paid"


def test_threads_are_kept_apart(server: OpenAIServer, guarded: GuardedClient) -> None:
    server.reset(call("pay", amount=100))
    item = guarded.chat.completions.create(**CHAT, temperature=0).choices[0].message.tool_calls[0]
    other = guarded.thread("other")
    with pytest.raises(Refused, match="not seen"):
        other.permit(item).enter()
    assert guarded.run(item, lambda **_: "paid")["content"] == "paid"


def test_agents_of_one_conversation_and_tenants_are_kept_apart(server: OpenAIServer, client: OpenAI) -> None:
    server.reset(call("pay", amount=100))
    store = open_store("memory://")
    given: dict[str, Any] = {"policy": rules("low"), "store": store, "thread_id": "t"}
    item = (
        GuardedClient(client, **given).chat.completions.create(**CHAT, temperature=0).choices[0].message.tool_calls[0]
    )
    for other in ({"namespace": "helper"}, {"tenant": "acme"}):
        with pytest.raises(Refused, match="not seen"):
            GuardedClient(client, **given, **other).permit(item).enter()


def test_an_mcp_call_that_asks_first_is_answered_in_its_own_form(server: OpenAIServer, guarded: GuardedClient) -> None:
    """The provider waits for an approval of its own; the guard's verdict is that approval."""
    asked = {"id": "mcpr_1", "type": "mcp_approval_request", "name": "pay", "arguments": "{}", "server_label": "shop"}
    with pytest.raises(Refused) as held:
        guarded.permit(asked).enter()
    assert held.value.message == {
        "type": "mcp_approval_response",
        "approval_request_id": "mcpr_1",
        "approve": False,
        "reason": held.value.text,
    }


@pytest.mark.parametrize(
    ("kind", "more", "answer"),
    [
        ("custom_tool_call", {"name": "sql", "input": "x"}, "custom_tool_call_output"),
        ("shell_call", {"action": {"commands": ["ls"]}}, "shell_call_output"),
        ("local_shell_call", {"action": {"command": ["ls"]}}, "local_shell_call_output"),
        ("apply_patch_call", {"operation": {"type": "delete_file", "path": "a"}}, "apply_patch_call_output"),
    ],
)
def test_each_kind_of_call_is_answered_in_its_own_form(
    guarded: GuardedClient, kind: str, more: dict[str, Any], answer: str
) -> None:
    with pytest.raises(Held) as held:
        guarded.permit({"type": kind, "call_id": "c", **more}).enter()
    assert held.value.tool_output["type"] == answer
    assert "not seen" in str(held.value.tool_output)


def test_what_is_no_call_is_told_so(guarded: GuardedClient) -> None:
    with pytest.raises(ConfigError, match="no call"):
        guarded.permit({"type": "message", "content": []})


def test_all_that_holds_a_call_is_a_blocked_call() -> None:
    assert all(issubclass(kind, CallBlocked) for kind in (PlanAgain, WaitsForReview, Refused))


def test_the_verdict_does_not_depend_on_the_door(server: OpenAIServer, client: OpenAI) -> None:
    from guardrail_openai import planning_step

    server.reset(call("pay", amount=100))
    guarded = GuardedClient(client, policy=rules("medium"), thread_id="t")
    response = guarded.chat.completions.create(**CHAT, temperature=0)
    guard = Guard(rules("medium"), OpenAISampler(client), open_store("memory://"))
    by_hand = guard.assess(planning_step({**CHAT, "temperature": 0}, response, thread_id="t"))
    mine = guarded.verdict(response)
    assert mine is not None
    assert (mine.record_id, mine.route, mine.asked, mine.drawn) == (
        by_hand.record_id,
        by_hand.route,
        by_hand.asked,
        by_hand.drawn,
    )
