"""What ``GuardedAnthropic`` sends, gives back and refuses: the SDK's own objects, and nothing that could not be held."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic import Anthropic, AsyncAnthropic, Stream
from anthropic.lib.streaming import MessageStream
from pydantic import BaseModel

from guardrail import Guard, Route, open_store
from guardrail.errors import CallBlocked, ConfigError, SamplingError, StoreFull
from guardrail.types import SampleStatus
from guardrail_anthropic import (
    AnthropicSampler,
    GuardedAnthropic,
    Held,
    PlanAgain,
    Refused,
    WaitsForReview,
    planning_step,
    tool_specs,
)
from tests.anthropic.conftest import REQUEST, TOOLS
from tests.support.anthropic_server import AnthropicServer, say, use
from tests.support.guarded_loops import rules
from tests.support.openai_server import Fault

WEB = {"type": "web_search_20250305", "name": "web_search"}


@pytest.fixture
def guarded(server: AnthropicServer, client: Anthropic) -> GuardedAnthropic:
    server.reset(use("pay", amount=100))
    return GuardedAnthropic(client, policy=rules("medium"), thread_id="t")


def test_requests_and_answers_are_the_sdks_own(
    server: AnthropicServer, client: Anthropic, guarded: GuardedAnthropic
) -> None:
    kept = {**REQUEST}
    plain, held = client.messages.create(**REQUEST), guarded.messages.create(**REQUEST)
    assert kept == REQUEST
    assert type(plain) is type(held)
    stream = guarded.messages.create(**REQUEST, stream=True)
    assert isinstance(stream, Stream)
    types = [event.type for event in client.messages.create(**REQUEST, stream=True)]
    assert [event.type for event in stream] == types
    with guarded.messages.stream(**REQUEST) as opened:
        assert isinstance(opened, MessageStream)
        assert opened.get_final_message().content[0].input == {"amount": 100}
    plans = [body for body in server.requests if body["temperature"] == 0]
    assert all({**body, "stream": None} == {**plans[0], "stream": None} for body in plans)


def test_the_verdict_is_there_before_the_last_event(server: AnthropicServer, guarded: GuardedAnthropic) -> None:
    with guarded.messages.create(**REQUEST, stream=True) as stream:
        for event in stream:
            if event.type == "content_block_stop":
                assert server.drawn == []
                assert guarded.verdict(stream) is None
            if event.type == "message_stop":
                break
    verdict = guarded.verdict(stream)
    assert verdict is not None
    assert verdict.route is Route.EXECUTE


@pytest.mark.parametrize("door", ["create", "stream"])
def test_a_stream_that_is_left_early_lets_nothing_run(guarded: GuardedAnthropic, door: str) -> None:
    def leave(stream: Any) -> Any:
        for event in stream:
            if event.type == "content_block_start":
                return event.content_block
        raise AssertionError

    if door == "create":
        with guarded.messages.create(**REQUEST, stream=True) as stream:
            block = leave(stream)
    else:
        with guarded.messages.stream(**REQUEST) as stream:
            block = leave(stream)
    with pytest.raises(Refused, match="not seen"):
        guarded.permit({**block.model_dump(), "input": {"amount": 100}}).enter()
    assert guarded.store.records() == []


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"tools": [WEB]}, "carries out the tool 'web_search_20250305'"),
        ({"tools": [{"type": "code_execution_20260521", "name": "code_execution"}]}, "carries out"),
        ({"tools": [{"type": "tool_search_tool_bm25", "name": "tool_search_tool_bm25"}]}, "carries out"),
        ({"tools": [{"type": "mcp_toolset", "mcp_server_name": "shop"}]}, "carries out"),
        ({"extra_body": {"tools": [WEB]}}, "carries out"),
        ({"extra_body": {"mcp_servers": [{"url": "https://mcp.example.com"}]}}, "MCP servers"),
        ({"tools": [{"type": "computer_20250124", "name": "computer"}]}, "no tools by name"),
        ({"tools": [{"type": "browser_toolset_20260801"}]}, "no tools by name"),
    ],
    ids=range(8),
)
@pytest.mark.parametrize("door", ["create", "stream", "parse"])
def test_requests_that_could_not_be_held(
    server: AnthropicServer, guarded: GuardedAnthropic, more: Any, why: str, door: str
) -> None:
    with pytest.raises(ConfigError, match=why):
        getattr(guarded.messages, door)(**{**REQUEST, **more})
    assert server.requests == []


def test_hosted_tools_pass_where_that_is_said(server: AnthropicServer, client: Anthropic) -> None:
    server.reset(use("pay", amount=100))
    guarded = GuardedAnthropic(client, policy=rules("medium"), allow_hosted=True)
    message = guarded.messages.create(**{**REQUEST, "tools": [*TOOLS, WEB]})
    assert guarded.run(message.content[0], lambda **_: "paid")["content"] == "paid"


def test_a_sample_runs_nothing_at_the_provider_again(server: AnthropicServer, client: Anthropic) -> None:
    server.reset(use("pay", amount=100))
    guarded = GuardedAnthropic(client, policy=rules("medium"), allow_hosted=True)
    code = {"type": "code_execution_20260521", "name": "code_execution"}
    message = guarded.messages.create(**{**REQUEST, "tools": [*TOOLS, code]})
    with pytest.raises(WaitsForReview):
        guarded.run(message.content[0], pytest.fail)
    assert len(server.requests) == 1


@pytest.mark.parametrize("door", ["batches", "with_raw_response", "with_streaming_response"])
def test_other_doors_are_shut(guarded: GuardedAnthropic, door: str) -> None:
    with pytest.raises(ConfigError, match="past the guard"):
        getattr(guarded.messages, door)


def test_calls_from_elsewhere_do_not_run(client: Anthropic, guarded: GuardedAnthropic) -> None:
    message = client.messages.create(**REQUEST)
    assert guarded.verdict(message) is None
    assert "not seen" in guarded.run(message.content[0], pytest.fail)["content"]


def test_the_rest_is_the_clients_own(server: AnthropicServer, client: Anthropic, guarded: GuardedAnthropic) -> None:
    assert guarded.base_url == client.base_url
    server.reset(say("hello"))
    message = guarded.messages.create(**REQUEST)
    assert guarded.verdict(message) is None
    assert guarded.store.records() == []
    with pytest.raises(ConfigError, match="Anthropic or AsyncAnthropic"):
        GuardedAnthropic(object())  # type: ignore[arg-type]
    for given in ({"type": "text", "text": "hi"}, {}):
        with pytest.raises(ConfigError, match="tool_use"):
            guarded.permit(given)


def test_parsed_answers_are_held_too(server: AnthropicServer, guarded: GuardedAnthropic) -> None:
    class Answer(BaseModel):
        words: str

    message = guarded.messages.parse(**REQUEST, output_format=Answer)
    verdict = guarded.verdict(message)
    assert verdict is not None
    assert verdict.route is Route.EXECUTE
    assert {str(body["output_config"]) for body in server.drawn} == {str(server.requests[0]["output_config"])}


def test_messages_that_come_once_are_sampled_too(server: AnthropicServer, guarded: GuardedAnthropic) -> None:
    guarded.messages.create(**{**REQUEST, "messages": iter(REQUEST["messages"]), "tools": iter(TOOLS)})
    assert {str(body["messages"]) for body in server.requests} == {str(REQUEST["messages"])}


@pytest.mark.parametrize("value", ["words", {"paid": 5}, [{"type": "text", "text": "a"}], [], [1, 2], None, 5])
def test_what_a_tool_gives_is_a_result(guarded: GuardedAnthropic, value: Any) -> None:
    message = guarded.messages.create(**REQUEST)
    content = guarded.run(message.content[0], lambda **_: value)["content"]
    blocks = isinstance(value, list) and bool(value) and isinstance(value[0], dict)
    assert content == value if blocks or value == "words" else isinstance(content, str)


def test_a_tool_that_raises_has_run(server: AnthropicServer, client: Anthropic) -> None:
    server.reset(use("pay", amount=100))
    guarded = GuardedAnthropic(client, policy=rules("critical"))
    message = guarded.messages.create(**REQUEST)
    (review,) = guarded.guard.queue.waiting()
    guarded.guard.queue.approve(review.id, by="ann")

    def broken(**_: Any) -> None:
        raise OSError("the bank is closed")

    with pytest.raises(OSError, match="closed"):
        guarded.run(message.content[0], broken)
    closed = guarded.guard.queue.get(review.id)
    assert (closed.state, closed.history[-1].note) == ("done", "the tool raised OSError")
    assert "Not executed again" in guarded.run(message.content[0], broken)["content"]


def test_what_a_tools_own_guard_holds_is_raised(client: Anthropic, guarded: GuardedAnthropic) -> None:
    message = guarded.messages.create(**REQUEST)
    inner = GuardedAnthropic(client, policy=rules("medium"))

    def nested(**_: Any) -> Any:
        return inner.permit({"type": "tool_use", "id": "x", "name": "pay", "input": {}}).enter()

    with pytest.raises(Refused, match="not seen"):
        guarded.run(message.content[0], nested)


def test_a_verdict_that_cannot_be_kept_is_none(
    server: AnthropicServer, client: Anthropic, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.reset(use("pay", amount=100))
    store = open_store("memory://")
    guarded = GuardedAnthropic(client, policy=rules("medium"), store=store)

    def full(*_: Any) -> Any:
        raise StoreFull("no room is left")

    monkeypatch.setattr(store, "add_record", full)
    for door in (guarded.messages.create, lambda **more: list(guarded.messages.create(**more, stream=True))):
        with pytest.raises(StoreFull):
            door(**REQUEST)


def test_the_exceptions_are_of_one_family() -> None:
    for kind in (PlanAgain, Refused, WaitsForReview):
        assert issubclass(kind, Held)
        assert issubclass(kind, CallBlocked)


class TestSampler:
    def step(self, **more: Any) -> Any:
        message = {"id": "m1", "content": use("pay", amount=1), "stop_reason": "tool_use"}
        return planning_step({**REQUEST, **more}, message, thread_id="t")

    @pytest.mark.parametrize(
        ("body", "temperature", "sent"),
        [
            ({"temperature": 0.2}, 1.0, 1.0),
            ({}, 1.0, None),
            ({}, 0.7, 0.7),
            ({"temperature": 0.2}, None, 0.2),
            ({"thinking": {"type": "adaptive"}}, 0.7, None),
            ({"thinking": {"type": "disabled"}}, 0.7, 0.7),
            ({"thinking": {"type": "enabled", "budget_tokens": 1024}, "temperature": 1}, 0.7, 1.0),
        ],
    )
    def test_the_temperature_is_sent_where_it_makes_a_difference(
        self, server: AnthropicServer, client: Anthropic, body: Any, temperature: Any, sent: Any
    ) -> None:
        AnthropicSampler(client, temperature=temperature).sample(self.step(extra_body=body), 2)
        assert [body.get("temperature") for body in server.requests] == [sent, sent]

    @pytest.mark.parametrize("body", [{"top_k": 1}, {"top_p": 0.001}])
    def test_greedy_decoding_is_no_evidence(self, server: AnthropicServer, client: Anthropic, body: Any) -> None:
        with pytest.raises(SamplingError, match="all samples the same"):
            AnthropicSampler(client).sample(self.step(extra_body=body), 2)
        with pytest.raises(SamplingError, match="temperature=0"):
            AnthropicSampler(client, temperature=None).sample(self.step(), 2)
        assert server.requests == []

    def test_a_model_that_takes_no_temperature_is_named(self, server: AnthropicServer, client: Anthropic) -> None:
        server.reset(refuse=lambda body: "temperature: not supported" if "temperature" in body else None)
        with pytest.raises(SamplingError, match="temperature=None"):
            AnthropicSampler(client).sample(self.step(), 2)
        step = self.step(extra_body={})
        assert len(AnthropicSampler(client).sample(step, 2).samples) == 2

    @pytest.mark.parametrize(
        ("message", "status"),
        [
            ({"content": use("pay", amount=1), "stop_reason": "max_tokens"}, SampleStatus.TRUNCATED),
            ({"content": []}, SampleStatus.EMPTY),
            ({"content": use("pay", amount=1), "id": "msg_same"}, SampleStatus.NOT_INDEPENDENT),
        ],
        ids=["cut", "empty", "cached"],
    )
    async def test_what_is_no_evidence_has_its_name(self, server: AnthropicServer, message: Any, status: Any) -> None:
        server.reset(lambda _body, _index: message)
        async with AsyncAnthropic(api_key="x", base_url=server.url) as client:
            batch = await AnthropicSampler(client).asample(self.step(), 2)
        assert batch.samples[-1].status is status

    @pytest.mark.parametrize("how", ["sync", "async"])
    async def test_a_server_that_hangs_is_given_up(self, server: AnthropicServer, client: Anthropic, how: str) -> None:
        server.reset(use("pay", amount=1), faults=[Fault(hang=True)])
        if how == "sync":
            batch = AnthropicSampler(client, timeout=5.0).sample(self.step(), 2)
        else:
            async with AsyncAnthropic(api_key="x", base_url=server.url) as asynchronous:
                batch = await AnthropicSampler(asynchronous, timeout=5.0).asample(self.step(), 2)
        assert sorted(one.status for one in batch.samples) == [SampleStatus.FAILED, SampleStatus.OK]

    async def test_one_client_serves_both_doors_or_says_so(self, server: AnthropicServer, client: Anthropic) -> None:
        assert len((await AnthropicSampler(client).asample(self.step(), 2)).samples) == 2
        async with AsyncAnthropic(api_key="x", base_url=server.url) as asynchronous:
            with pytest.raises(SamplingError, match="AsyncGuard"):
                AnthropicSampler(asynchronous).sample(self.step(), 2)

    def test_a_request_that_is_not_known_goes_to_a_human(self, client: Anthropic) -> None:
        step = planning_step(
            None, {"id": "m", "content": use("pay", amount=1)}, thread_id="t", tools=tool_specs(REQUEST)
        )
        guard = Guard(rules("medium"), AnthropicSampler(client), open_store("memory://"))
        assert guard.assess(step).route is Route.REVIEW

    @pytest.mark.parametrize("given", [{"temperature": 0}, {"concurrency": 0}, {"timeout": 0}, {"retries": -1}])
    def test_arguments_that_cannot_be_used(self, client: Anthropic, given: Any) -> None:
        with pytest.raises(ConfigError):
            AnthropicSampler(client, **given)


class TestSteps:
    def test_the_conversation_is_text(self) -> None:
        messages = [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "x"}, *use("pay", amount=1)]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": say("no")}]},
        ]
        request = {**REQUEST, "system": say("be careful"), "messages": messages}
        step = planning_step(request, {"content": say("hi")}, thread_id="t")
        assert [(turn.role, turn.text) for turn in step.conversation] == [
            ("system", "be careful"),
            ("user", "go"),
            ("assistant", '[thinking]\n{"arguments":{"amount":1},"tool":"pay"}'),
            ("user", "no"),
        ]

    def test_the_digest_tells_requests_apart_and_nothing_else(self) -> None:
        def digest(**more: Any) -> str:
            return planning_step({**REQUEST, **more}, {"content": say("hi")}, thread_id="t").request_digest

        assert digest() == digest(extra_headers={"x-api-key": "secret"}, stream=True, timeout=5)
        assert len({digest(), digest(system="x"), digest(max_tokens=5), digest(model="n")}) == 4

    def test_calls_that_cannot_be_read_or_told_apart_go_to_a_human(self) -> None:
        broken = [{"type": "tool_use", "id": "a", "name": "pay", "input": "{"}]
        twins = [{"type": "tool_use", "id": "a", "name": "pay", "input": {}}] * 2
        for content in (broken, twins):
            step = planning_step(REQUEST, {"id": "m", "content": content}, thread_id="t")
            assert step.planned.status is SampleStatus.UNPARSABLE
            assert len({call.id for call in step.planned.calls}) == len(content)

    def test_tools_of_every_form(self) -> None:
        bash = {"type": "bash_20250124", "name": "bash"}
        specs = tool_specs({"tools": [*TOOLS, bash]})
        assert [spec.name for spec in specs] == ["pay", "balance", "wipe", "bash"]
        step = planning_step(
            REQUEST, {"content": say("hi")}, thread_id="t", annotations={"pay": {"destructiveHint": True}}
        )
        assert step.tools[0].annotations == {"destructiveHint": True}

    def test_what_is_no_message_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="no content"):
            planning_step(REQUEST, {"choices": []}, thread_id="t")
