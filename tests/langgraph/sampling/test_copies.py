"""The copy of a model that samples are drawn from."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import httpx
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers._streaming import _StreamingCallbackHandler
from langchain_openai import AzureChatOpenAI

from guardrail_langgraph.models import own_copy
from guardrail_langgraph.sampler import ChatModelSampler
from tests.support.drawing import Draw, amounts, chat, step_for
from tests.support.fake_chat import FakeChat, ai
from tests.support.openai_server import OpenAIServer, say


def test_the_copy_keeps_azure_and_custom_clients() -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        choice = {"index": 0, "message": say("hi"), "finish_reason": "stop"}
        return httpx.Response(200, json={"id": "r", "object": "chat.completion", "created": 1, "choices": [choice] * 2})

    with httpx.Client(transport=httpx.MockTransport(respond)) as client:
        model = AzureChatOpenAI(
            azure_deployment="dep",
            azure_endpoint="https://example.invalid",
            api_version="2024-06-01",
            api_key="x",
            http_client=client,
        )
        assert len(ChatModelSampler(model).sample(step_for(model), 2).samples) == 2
    assert seen[0].url.path == "/openai/deployments/dep/chat/completions"
    assert seen[0].headers["api-key"] == "x"


def test_the_copy_is_made_once_and_leaves_the_users_alone(server: OpenAIServer) -> None:
    model = chat(server, cache=True, tags=["mine"], max_retries=4, timeout=9)
    own = own_copy(model, temperature=1.0, timeout=3)
    assert (model.cache, model.tags, model.temperature, model.root_client.max_retries) == (True, ["mine"], 0.2, 4)
    assert (model.root_client.timeout, model.root_async_client.max_retries) == (9, 4)
    assert own.max_retries == 0
    assert own.tags == ["mine", "nostream", "guardrail:resample"]
    assert (own.root_client.max_retries, own.root_async_client.timeout) == (0, 3)


class Streams(BaseCallbackHandler, _StreamingCallbackHandler):
    """Makes LangChain stream whatever this handler is told of."""

    def tap_output_aiter(self, run_id: Any, output: Any) -> Any:
        return output

    def tap_output_iter(self, run_id: Any, output: Any) -> Any:
        return output


@pytest.mark.parametrize("given", [{"streaming": True}, {"callbacks": [Streams()]}], ids=["setting", "handler"])
async def test_n_choices_are_never_merged_into_one_message(
    server: OpenAIServer, draw: Draw, given: dict[str, Any]
) -> None:
    model = chat(server, **given)
    batch = await draw(ChatModelSampler(model), step_for(model), 5)
    assert [len(sample.calls) for sample in batch.samples] == [1] * 5
    assert len(server.requests) == 1


class Derived(FakeChat):
    """Streams, and makes something of its settings once, as other providers' models do with their clients."""

    max_retries: int = 6

    @cached_property
    def client(self) -> dict[str, Any]:
        return {"retries": self.max_retries}

    def _stream(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("samples are not streamed")


async def test_models_of_other_providers_do_not_stream_either(draw: Draw) -> None:
    model = Derived(script=lambda _messages, index, _settings: ai(amount=index), callbacks=[Streams()])
    assert sorted(amounts(await draw(ChatModelSampler(model), step_for(model), 2))) == [0, 1]


def test_what_a_model_made_of_its_settings_is_made_again() -> None:
    model = Derived(script=lambda *_: ai(amount=1))
    assert model.client == {"retries": 6}
    assert own_copy(model, temperature=1.0, timeout=3).client == {"retries": 0}
    assert model.client == {"retries": 6}
