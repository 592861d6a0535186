"""Every sampler with a provider behind it that delivers what a test says, good or bad.

The clients are real: what is delivered is put on the wire of chat completions or of Responses, or, for the local
model, in the place of what its weights would have generated.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from unittest.mock import patch

import httpx

from guardrail.sampling import ScriptedSampler, provenance
from guardrail.types import PlanningStep, Sample, SampleBatch, SampleStatus, Usage

USAGE = Usage(requests=1, prompt_tokens=50, completion_tokens=80)


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What a provider gives when it is asked for samples, whatever number; or what its client raises."""

    samples: Sequence[Sample]
    usage: Usage = USAGE
    error: Exception | None = None


@dataclass(frozen=True, kw_only=True)
class Door:
    """A sampler behind which a delivery can be put, and the request of a step that it draws again.

    ``lacks`` are the signals that it never has. ``immune`` are the traps that cannot be set there, and why.
    """

    make: Callable[[Delivery], Any]
    request: Any = "the request"
    lacks: frozenset[str] = frozenset()
    immune: Mapping[str, str] = field(default_factory=dict)


def scripted(delivery: Delivery) -> Any:
    given = list(delivery.samples)

    def draw(_step: PlanningStep, n: int) -> SampleBatch | Exception:
        if delivery.error is not None:
            return delivery.error
        batch, given[:] = given[:n], given[n:]
        return SampleBatch(samples=tuple(batch), usage=delivery.usage)

    return ScriptedSampler(draw)


class Wire:
    """An endpoint in the process: takes requests from a real client and gives out the samples of a delivery.

    A response ends before a sample that it has already: a cache answers every request with one response.
    """

    def __init__(self, *, responses: bool) -> None:
        self._responses = responses
        self._left: list[Any] = []
        self._delivery = Delivery(samples=())

    def deliver(self, delivery: Delivery) -> None:
        self._delivery, self._left = delivery, list(delivery.samples)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        error = self._delivery.error
        if isinstance(error, RuntimeError):
            raise error
        if error is not None:
            return httpx.Response(400, json={"error": {"message": str(error), "type": "invalid_request_error"}})
        asked = json.loads(request.content).get("n") or 1
        drawn = list(self._next(1 if self._responses else asked))
        data = _response(drawn, self._delivery.usage) if self._responses else _completion(drawn, self._delivery.usage)
        # no JSON of the standard has NaN, and servers send it all the same
        return httpx.Response(200, content=json.dumps(data), headers={"content-type": "application/json"})

    def _next(self, most: int) -> Iterator[Any]:
        seen: set[Any] = set()
        while self._left and most:
            source = provenance(self._left[0]) if isinstance(self._left[0], Sample) else None
            if source is not None and source in seen:
                return
            seen.add(source)
            most -= 1
            yield self._left.pop(0)


def _completion(drawn: Sequence[Any], usage: Usage) -> dict[str, Any]:
    first = next((one for one in drawn if isinstance(one, Sample)), None)
    return {
        "id": _identity(first),
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [_choice(one, index) if isinstance(one, Sample) else one for index, one in enumerate(drawn)],
        **_usage(usage, "prompt_tokens", "completion_tokens"),
    }


def _identity(first: Sample | None) -> str:
    """The id of a response, by the first sample in it: two responses have one id where they bring the same sample."""
    if first is None:
        return "none"
    return f"{first.response_id}-{first.choice}" if first.choice else str(first.response_id)


def _choice(sample: Sample, index: int) -> dict[str, Any]:
    finish = sample.finish_reason or ("tool_calls" if sample.calls else "stop")
    tokens = [{"token": token.text, "logprob": token.logprob, "bytes": None} for token in sample.tokens or ()]
    return {
        "index": index,
        "finish_reason": "error" if sample.status is SampleStatus.FAILED else finish,
        "logprobs": {"content": tokens} if tokens else None,
        "message": {
            "role": "assistant",
            "content": sample.text,
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}
                for name, arguments in _written(sample)
            ],
        },
    }


def _response(drawn: Sequence[Any], usage: Usage) -> dict[str, Any]:
    sample = drawn[0] if drawn else None
    if not isinstance(sample, Sample):
        return {"id": "none", "object": "response", "status": "completed", "output": drawn or None}
    cut = sample.finish_reason in ("length", "content_filter")
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": sample.text}]}
    status = "incomplete" if cut else "failed" if sample.status is SampleStatus.FAILED else "completed"
    return {
        "id": _identity(sample),
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": status,
        "incomplete_details": {"reason": sample.finish_reason} if cut else None,
        "output": [
            message,
            *({"type": "function_call", "call_id": "c1", "name": n, "arguments": a} for n, a in _written(sample)),
        ],
        **_usage(usage, "input_tokens", "output_tokens"),
    }


def _written(sample: Sample) -> Iterator[tuple[str, str]]:
    for call in sample.calls:
        text = json.dumps(call.arguments)
        yield call.name, text[:-2] if sample.status is SampleStatus.UNPARSABLE else text


def _usage(usage: Usage, prompt: str, completion: str) -> dict[str, Any]:
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return {}
    told = {prompt: usage.prompt_tokens, completion: usage.completion_tokens}
    return {"usage": {**told, "total_tokens": usage.prompt_tokens + usage.completion_tokens}}


MESSAGES = [{"role": "user", "content": "Pay Ann 10 for our lunch."}]


def _clients(wire: Wire) -> dict[str, Any]:
    transport = httpx.MockTransport(wire)
    return {"http": httpx.Client(transport=transport), "async": httpx.AsyncClient(transport=transport)}


@cache
def openai(api: str) -> Door:
    """``OpenAISampler`` over chat completions or Responses."""
    from openai import AsyncOpenAI, OpenAI

    from guardrail_openai import OpenAIRequest, OpenAISampler

    wire = Wire(responses=api == "responses")
    clients = _clients(wire)
    given = {"api_key": "x", "base_url": "http://model.test/v1"}
    both = OpenAI(http_client=clients["http"], **given), AsyncOpenAI(http_client=clients["async"], **given)

    def make(delivery: Delivery) -> Any:
        wire.deliver(delivery)
        return OpenAISampler(*both, retries=0, concurrency=1)

    request = {"model": "m", **({"input": MESSAGES} if api == "responses" else {"messages": MESSAGES})}
    lacking = {"semantic_entropy_weighted"} if api == "responses" else set()
    return Door(make=make, request=OpenAIRequest.of(request), lacks=frozenset(lacking))


@cache
def chat_model() -> Door:
    """``ChatModelSampler`` over LangChain's OpenAI client."""
    from langchain_core.messages import HumanMessage
    from langchain_openai import ChatOpenAI

    from guardrail_langgraph.requests import request_for
    from guardrail_langgraph.sampler import ChatModelSampler

    wire = Wire(responses=False)
    clients = _clients(wire)
    model = ChatOpenAI(
        model="m",
        api_key="x",
        base_url="http://model.test/v1",
        http_client=clients["http"],
        http_async_client=clients["async"],
        temperature=0.2,
    )

    def make(delivery: Delivery) -> Any:
        wire.deliver(delivery)
        return ChatModelSampler(model, retries=0, concurrency=1)

    return Door(make=make, request=request_for(model, [HumanMessage(MESSAGES[0]["content"])]))


OWN_PROVENANCE = "it draws every sample itself, and knows which is which"
OWN_NUMBER = "it draws as many as it is asked for"
OWN_WORDS = "what it generates is neither filtered nor another type"


@cache
def local() -> Door:
    """``LocalChatModel``, its weights' answers replaced."""
    from guardrail_transformers import LocalChatModel, LocalRequest
    from guardrail_transformers.decoding import Continuation
    from tests.support import tiny_chat

    words = tiny_chat.tokenizer()
    model = tiny_chat.untrained(words)
    left: list[Sample] = []

    class Delivering(LocalChatModel):
        delivery = Delivery(samples=())

        def _answers(self, prompt: str, n: int, *given: Any, **more: Any) -> Any:
            with patch("guardrail_transformers.chat_model.continuations", self._continue):
                return super()._answers(prompt, n, *given, **more)

        def _continue(self, _model: Any, _prefix: Any, n: int, *_given: Any, **_more: Any) -> list[Continuation]:
            if self.delivery.error is not None:
                raise RuntimeError(self.delivery.error)
            drawn, left[:] = left[:n], left[n:]
            return [self._written(sample) for sample in drawn]

        def _written(self, sample: Sample) -> Continuation:
            calls = (json.dumps({"name": call.name, "arguments": call.arguments}) for call in sample.calls)
            text = "".join(f"<tool_call>{call}</tool_call>" for call in calls) or sample.text
            if sample.status is SampleStatus.UNPARSABLE:
                text = text.replace("}", "", 1)
            ids = words(text, add_special_tokens=False)["input_ids"]
            logprob = sample.tokens[0].logprob if sample.tokens else -0.1
            ended = sample.finish_reason != "length"
            ids += [words.convert_tokens_to_ids("<|end|>")] if ended else []
            return Continuation(ids=ids, logprobs=[logprob] * len(ids), ended=ended)

    def make(delivery: Delivery) -> Any:
        found = Delivering.of(model, words, name="tiny")
        found.delivery, left[:] = delivery, delivery.samples
        return found

    return Door(
        make=make,
        request=LocalRequest(model="tiny", messages=(), tools=(), prompt="<|start|>user\nPay Ann<|end|>\n"),
        immune={
            "all samples are one response": OWN_PROVENANCE,
            "all samples are the planned response": OWN_PROVENANCE,
            "more than n come, all of one choice": OWN_NUMBER,
            "n is ignored": OWN_NUMBER,
            "nothing comes": OWN_NUMBER,
            "samples are filtered": OWN_WORDS,
            "samples failed": OWN_WORDS,
            "samples are no samples": OWN_WORDS,
            "what was spent is not told under a budget": "it counts its tokens itself",
        },
    )


DOORS: dict[str, Callable[[], Door]] = {
    "scripted": lambda: Door(make=scripted),
    "chat model": chat_model,
    "openai chat": lambda: openai("chat"),
    "openai responses": lambda: openai("responses"),
    "local": local,
}
"""Every sampler of this package."""
