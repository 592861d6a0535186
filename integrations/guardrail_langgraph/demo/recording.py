"""What a real model planned, as it was recorded: by task, and by what had happened before.

A path names a planning step: the outcomes of the steps before it, oldest first ("" for the first step,
"retry/executed" for the one after a step that was planned again and then run).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.tool import ToolCall

from guardrail.codec import digest
from guardrail_langgraph.history import MARK

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One answer of the model: its calls or words, and its tokens with their log-probabilities (natural log)."""

    calls: tuple[ToolCall, ...] = ()
    text: str = ""
    finish_reason: str = ""
    tokens: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, kw_only=True)
class RecordedStep:
    """A planning step: the plan, and the same request drawn again at temperature 1.

    ``request`` is the digest of what was sent. ``seconds`` is how long the model took for all of it.
    """

    request: str
    plan: Drawn
    samples: tuple[Drawn, ...] = ()
    prompt_tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Recording:
    """All recorded steps of one task by path, and how they were recorded."""

    task: str
    text: str
    model: str
    server: str
    date: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    steps: dict[str, RecordedStep] = field(default_factory=dict)


def path(messages: Sequence[BaseMessage], steps: Mapping[str, RecordedStep]) -> str | None:
    """Which step comes after these messages. None: something happened that a recording cannot know.

    A call is *executed* where its answer has no mark of the guard; *edited* where its arguments are no
    longer the ones of the recorded plan.
    """
    start = max((i for i, message in enumerate(messages) if isinstance(message, HumanMessage)), default=-1)
    answers = {message.tool_call_id: message for message in messages if isinstance(message, ToolMessage)}
    found: list[str] = []
    for message in messages[start + 1 :]:
        if isinstance(message, AIMessage):
            known = steps.get("/".join(found))
            if known is None:
                return None
            outcomes = [_outcome(call, known.plan, answers) for call in message.tool_calls]
            found.append(outcomes[0] if len(set(outcomes)) == 1 else "+".join(outcomes) or "said")
    return "/".join(found)


def _outcome(call: ToolCall, plan: Drawn, answers: Mapping[str, ToolMessage]) -> str:
    answer = answers.get(call["id"] or "")
    if answer is None:
        return "unanswered"
    mark = answer.additional_kwargs.get(MARK)
    if isinstance(mark, Mapping):
        return str(mark.get("outcome"))
    planned = next((one for one in plan.calls if one["id"] == call["id"]), None)
    same = planned is not None and planned["name"] == call["name"] and planned["args"] == call["args"]
    return "executed" if same else "edited"


def request_digest(messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]) -> str:
    """What is sent to the model, without ids and metadata."""
    sent = [
        [message.type, message.text, [[call["name"], call["args"]] for call in getattr(message, "tool_calls", ())]]
        for message in messages
    ]
    return digest(sent, list(tools))


def load(folder: Traversable | None = None) -> dict[str, Recording]:
    """The recordings in a folder (by default the shipped ones), by the text of their task."""
    folder = folder or files(__package__).joinpath("recordings")
    found = [from_data(json.loads(file.read_text("utf-8"))) for file in _json_files(folder)]
    return {recording.text: recording for recording in found}


def _json_files(folder: Traversable) -> Iterator[Traversable]:
    return (file for file in sorted(folder.iterdir(), key=lambda file: file.name) if file.name.endswith(".json"))


def to_data(recording: Recording) -> dict[str, Any]:
    """The recording as JSON data."""
    head = {key: getattr(recording, key) for key in ("task", "text", "model", "server", "date")}
    steps = {
        key: {
            "request": step.request,
            "prompt_tokens": step.prompt_tokens,
            "seconds": round(step.seconds, 1),
            "plan": _drawn_data(step.plan),
            "samples": [_drawn_data(sample) for sample in step.samples],
        }
        for key, step in sorted(recording.steps.items())
    }
    return {"format": FORMAT, **head, "settings": dict(recording.settings), "steps": steps}


def from_data(data: Mapping[str, Any]) -> Recording:
    """The recording that ``to_data`` gave."""
    head = {key: data[key] for key in ("task", "text", "model", "server", "date", "settings")}
    steps = {
        key: RecordedStep(
            request=step["request"],
            prompt_tokens=step["prompt_tokens"],
            seconds=step["seconds"],
            plan=_drawn(step["plan"]),
            samples=tuple(_drawn(sample) for sample in step["samples"]),
        )
        for key, step in data["steps"].items()
    }
    return Recording(**head, steps=steps)


def _drawn_data(drawn: Drawn) -> dict[str, Any]:
    return {
        "calls": [[call["id"], call["name"], call["args"]] for call in drawn.calls],
        "text": drawn.text,
        "finish": drawn.finish_reason,
        "tokens": [text for text, _ in drawn.tokens],
        "logprobs": [round(logprob, 4) for _, logprob in drawn.tokens],
    }


def _drawn(data: Mapping[str, Any]) -> Drawn:
    return Drawn(
        calls=tuple(ToolCall(id=id_, name=name, args=args, type="tool_call") for id_, name, args in data["calls"]),
        text=data["text"],
        finish_reason=data["finish"],
        tokens=tuple(zip(data["tokens"], data["logprobs"], strict=True)),
    )
