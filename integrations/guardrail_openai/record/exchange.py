"""One request to a model server and its answer, as the proxy saw them pass."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletionChunk

_ENDED = frozenset({"response.completed", "response.incomplete", "response.failed"})
_STREAM_SETTINGS = ("stream", "stream_options")


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """A planning request and its response, as JSON; ``headers`` are those that the agent is known by to the server."""

    request: Mapping[str, Any]
    response: Mapping[str, Any]
    headers: Mapping[str, str]


def exchange(path: str, request: bytes, response: bytes, headers: Mapping[str, str]) -> Exchange | None:
    """The planning step in what passed, None where there is none: no tools were offered, or nothing was called.

    Streams are put together again. What cannot be read is no planning step.
    """
    if not path.endswith(("/chat/completions", "/responses")):
        return None
    try:
        sent = json.loads(request)
        if not isinstance(sent, dict) or not sent.get("tools"):
            return None
        answered = _streamed(response) if sent.get("stream") else json.loads(response)
    except (ValueError, RecursionError, TypeError, AssertionError, RuntimeError, IndexError, KeyError):
        # a broken stream is the agent's to deal with; it is passed on as it came
        return None
    if not isinstance(answered, dict) or not _calls(answered):
        return None
    settings = {name: value for name, value in sent.items() if name not in _STREAM_SETTINGS}
    return Exchange(request=settings, response=answered, headers=headers)


def _calls(response: Mapping[str, Any]) -> bool:
    messages = [choice.get("message") or {} for choice in response.get("choices") or () if isinstance(choice, dict)]
    items = [item for item in response.get("output") or () if isinstance(item, dict)]
    return any(message.get("tool_calls") or message.get("function_call") for message in messages) or any(
        item.get("type") == "function_call" for item in items
    )


def _streamed(body: bytes) -> Any:
    state = ChatCompletionStreamState()
    chunks = 0
    for data in _events(body):
        if data.get("type") in _ENDED:
            return data.get("response")
        if data.get("object") == "chat.completion.chunk":
            for choice in data.get("choices") or ():
                choice.setdefault("delta", {})
            state.handle_chunk(ChatCompletionChunk.model_validate(data))
            chunks += 1
    return state.get_final_completion().model_dump(mode="json") if chunks else None


def _events(body: bytes) -> Iterator[dict[str, Any]]:
    for line in body.decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        if name == "data" and value.strip() not in ("", "[DONE]"):
            data = json.loads(value)
            if isinstance(data, dict):
                yield data
