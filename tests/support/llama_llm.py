"""An LLM of LlamaIndex over an OpenAI-compatible server, with the official client."""

from __future__ import annotations

import json
import warnings
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, CompletionResponse, LLMMetadata
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from pydantic.warnings import PydanticDeprecationWarning


@contextmanager
def quiet() -> Iterator[None]:
    """Without what the framework itself causes: it looks at every attribute of pydantic models, and says that a
    conversation's memory has to be saved apart.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PydanticDeprecationWarning)
        warnings.filterwarnings("ignore", message="Skipping serialization of known unserializable key")
        yield


class ServedLLM(FunctionCallingLLM):
    """Chat completions at ``url``; calls are kept with the message as the model wrote them.

    A client for each request: runs of different event loops may share the LLM.
    """

    url: str
    model: str = "m"
    temperature: float = 0.0
    additional_kwargs: dict[str, Any] = {}

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name=self.model, is_function_calling_model=True, is_chat_model=True)

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[Any],
        user_msg: Any = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **more: Any,
    ) -> dict[str, Any]:
        messages = [*(chat_history or [])]
        if user_msg is not None:
            messages.append(user_msg if isinstance(user_msg, ChatMessage) else ChatMessage(content=user_msg))
        offered = [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools]
        return {"messages": messages, **({"tools": offered} if offered else {}), **more}

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **more: Any
    ) -> list[ToolSelection]:
        found = []
        for call in response.message.additional_kwargs.get("tool_calls") or []:
            try:
                arguments = json.loads(call["function"]["arguments"] or "{}")
            except ValueError:
                arguments = {}
            found.append(ToolSelection(tool_id=call["id"], tool_name=call["function"]["name"], tool_kwargs=arguments))
        return found

    async def achat(self, messages: Sequence[ChatMessage], **more: Any) -> ChatResponse:
        async with self._client() as client:
            answer = await client.chat.completions.create(**self._body(messages, more))
        return _response(answer.model_dump(exclude_unset=True))

    async def astream_chat(self, messages: Sequence[ChatMessage], **more: Any) -> AsyncIterator[ChatResponse]:
        async def parts() -> AsyncIterator[ChatResponse]:
            message: dict[str, Any] = {"role": "assistant", "content": "", "tool_calls": []}
            async with self._client() as client:
                async for chunk in await client.chat.completions.create(**self._body(messages, more), stream=True):
                    data = chunk.model_dump(exclude_unset=True)
                    for choice in data["choices"]:
                        _add(message, choice["delta"])
                    whole = {**data, "choices": [{"index": 0, "message": message, "finish_reason": None}]}
                    yield _response(json.loads(json.dumps(whole)))

        return parts()

    def _client(self) -> AsyncOpenAI:
        # no certificates are read for a server that has none
        http = DefaultAsyncHttpxClient(verify=False)
        return AsyncOpenAI(api_key="sk-test", base_url=self.url, max_retries=0, http_client=http)

    def _body(self, messages: Sequence[ChatMessage], more: dict[str, Any]) -> dict[str, Any]:
        sent = {"model": self.model, "temperature": self.temperature, **self.additional_kwargs, **more}
        return {**sent, "messages": [_sent(message) for message in messages]}

    def chat(self, messages: Sequence[ChatMessage], **more: Any) -> ChatResponse:
        raise NotImplementedError

    def stream_chat(self, messages: Sequence[ChatMessage], **more: Any) -> Any:
        raise NotImplementedError

    def complete(self, prompt: str, formatted: bool = False, **more: Any) -> CompletionResponse:
        raise NotImplementedError

    def stream_complete(self, prompt: str, formatted: bool = False, **more: Any) -> Any:
        raise NotImplementedError

    async def acomplete(self, prompt: str, formatted: bool = False, **more: Any) -> CompletionResponse:
        raise NotImplementedError

    async def astream_complete(self, prompt: str, formatted: bool = False, **more: Any) -> Any:
        raise NotImplementedError


def _sent(message: ChatMessage) -> dict[str, Any]:
    role = str(getattr(message.role, "value", message.role))
    sent: dict[str, Any] = {"role": role, "content": message.content or ""}
    for key in ("tool_calls", "tool_call_id"):
        if message.additional_kwargs.get(key):
            sent[key] = message.additional_kwargs[key]
    return sent


def _add(message: dict[str, Any], delta: dict[str, Any]) -> None:
    message["content"] += delta.get("content") or ""
    for part in delta.get("tool_calls") or []:
        while len(message["tool_calls"]) <= part["index"]:
            message["tool_calls"].append({"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
        call = message["tool_calls"][part["index"]]
        call["id"] += part.get("id") or ""
        for key, value in part["function"].items():
            call["function"][key] += value or ""


def _response(answer: dict[str, Any]) -> ChatResponse:
    message = answer["choices"][0]["message"]
    calls = message.get("tool_calls") or []
    kept = ChatMessage(
        role="assistant", content=message.get("content") or "", additional_kwargs={"tool_calls": calls} if calls else {}
    )
    return ChatResponse(message=kept, raw=answer, delta="")
