"""What the counting server says on the wire: tokens, chunks of a stream, responses, and its complaints."""

from __future__ import annotations

import itertools
import re
from typing import Any

Body = dict[str, Any]
Message = dict[str, Any]

ids = itertools.count(1)


def tokens(message: Message, top: int) -> list[Body]:
    text = message.get("content") or ""
    for planned in message.get("tool_calls") or []:
        function = planned["function"]
        text += f'<tool_call>{{"name": "{function["name"]}", "arguments": {function["arguments"]}}}</tool_call>'
    return [
        {
            "token": token,
            "logprob": -0.01 * (1 + len(token)),
            "bytes": list(token.encode()),
            "top_logprobs": [
                {"token": token, "logprob": -0.01 * (1 + len(token)), "bytes": None},
                {"token": "~", "logprob": -5.0, "bytes": None},
            ][:top],
        }
        for token in re.findall(r"\w+|\s+|[^\w\s]", text)
    ]


def chunks(body: Body, response: Body) -> list[Body]:
    head = {key: response[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    chunks: list[Body] = []
    for choice in response["choices"]:
        message, index = choice["message"], choice["index"]
        deltas: list[Body] = [{"role": "assistant", "content": message.get("content")}]
        for position, planned in enumerate(message.get("tool_calls") or []):
            arguments = planned["function"]["arguments"]
            half = len(arguments) // 2
            opening = {**planned, "index": position, "function": {**planned["function"], "arguments": arguments[:half]}}
            deltas.append({"tool_calls": [opening]})
            deltas.append({"tool_calls": [{"index": position, "function": {"arguments": arguments[half:]}}]})
        for position, delta in enumerate(deltas):
            logprobs = choice["logprobs"] if position == 0 else None
            chunks.append({"choices": [{"index": index, "delta": delta, "finish_reason": None, "logprobs": logprobs}]})
        chunks.append({"choices": [{"index": index, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    if (body.get("stream_options") or {}).get("include_usage") and "usage" in response:
        chunks.append({"choices": [], "usage": response["usage"]})
    return [{**head, **chunk} for chunk in chunks]


def events(response: Body) -> list[Body]:
    """The events by which the Responses API streams a response, each of its texts in one piece."""
    begun = {**response, "status": "in_progress", "output": []}
    found: list[Body] = [{"type": "response.created", "response": begun}]
    for place, item in enumerate(response["output"]):
        at = {"output_index": place}
        empty = {"content": []} if item["type"] == "message" else {"arguments": ""} if "arguments" in item else {}
        found.append({"type": "response.output_item.added", **at, "item": {**item, "status": "in_progress", **empty}})
        for index, part in enumerate(item.get("content") or []):
            said = {"item_id": item["id"], **at, "content_index": index}
            if part["type"] == "output_text":
                begins = {**part, "text": ""}
                found.append({"type": "response.content_part.added", **said, "part": begins})
                found.append({"type": "response.output_text.delta", **said, "delta": part["text"], "logprobs": []})
                found.append({"type": "response.output_text.done", **said, "text": part["text"], "logprobs": []})
                found.append({"type": "response.content_part.done", **said, "part": part})
        if item["type"] == "function_call":
            said = {"item_id": item["id"], **at}
            found.append({"type": "response.function_call_arguments.delta", **said, "delta": item["arguments"]})
            whole = {"arguments": item["arguments"], "name": item["name"]}
            found.append({"type": "response.function_call_arguments.done", **said, **whole})
        found.append({"type": "response.output_item.done", **at, "item": item})
    found.append({"type": f"response.{response['status']}", "response": response})
    return [{**event, "sequence_number": number} for number, event in enumerate(found)]


def wrong_messages(messages: Any) -> str | None:
    """OpenAI's rule: every tool call is answered right after its message, and nothing else is."""
    if not isinstance(messages, list) or not messages:
        return "Invalid 'messages': empty array."
    open_ids: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_ids:
                return "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
            open_ids.discard(message["tool_call_id"])
            continue
        if open_ids:
            break
        open_ids = {planned["id"] for planned in message.get("tool_calls") or []}
    if open_ids:
        return (
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following did not have response messages: {', '.join(sorted(open_ids))}"
        )
    return None


def as_response(body: Body, completion: Body, *, logprobs: str) -> Body:
    """The first choice of a chat completion as the Responses API would have said it."""
    (choice, *_) = completion["choices"]
    message, finish = choice["message"], choice["finish_reason"]
    cut = finish in ("length", "content_filter")
    output: list[Body] = []
    if message.get("content") or message.get("refusal"):
        part: Body = {"type": "output_text", "text": message.get("content") or "", "annotations": [], "logprobs": []}
        if message.get("refusal"):
            part = {"type": "refusal", "refusal": message["refusal"]}
        elif logprobs != "none" and "message.output_text.logprobs" in (body.get("include") or []):
            content = (message.get("logprobs") or {}).get("content")
            part["logprobs"] = content or tokens(message, body.get("top_logprobs") or 0)
        state = "incomplete" if cut else "completed"
        output.append(
            {"id": f"msg_{next(ids)}", "type": "message", "role": "assistant", "status": state, "content": [part]}
        )
    for planned in message.get("tool_calls") or []:
        head = {"id": f"fc_{next(ids)}", "call_id": planned["id"], "status": "completed"}
        if planned["type"] == "custom":
            output.append({**head, "type": "custom_tool_call", **planned["custom"]})
        else:
            output.append({**head, "type": "function_call", **planned["function"]})
    reason = "max_output_tokens" if finish == "length" else finish
    found: Body = {
        "id": f"resp_{next(ids)}",
        "object": "response",
        "created_at": 1,
        "model": completion["model"],
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": reason} if cut else None,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    if usage := completion.get("usage"):
        found["usage"] = {
            "input_tokens": usage["prompt_tokens"],
            "output_tokens": usage["completion_tokens"],
            "total_tokens": usage["total_tokens"],
        }
    return found
