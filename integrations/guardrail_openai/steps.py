"""From a request and its response to the planning step that the guard decides on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel

from guardrail.codec import digest
from guardrail.errors import ConfigError
from guardrail.sampling import inspect
from guardrail.sampling.plain import items, mapping, snapshot, text
from guardrail.types import PlanningStep, Sample, ToolSpec
from guardrail_openai import chat, responses
from guardrail_openai.requests import API, OpenAIRequest


def planning_step(
    request: Mapping[str, Any] | None,
    response: BaseModel | Mapping[str, Any],
    *,
    thread_id: str,
    tools: Sequence[ToolSpec] = (),
    annotations: Mapping[str, Mapping[str, Any]] | None = None,
    namespace: str = "",
    attempt: int = 0,
    choice: int = 0,
) -> PlanningStep:
    """The step that a response of chat completions or Responses planned, ready for ``Guard.assess``.

    Call it before anything is added to the request's messages: a copy is kept, and samples are drawn from it.
    Every call of the response is in the step; one that cannot be read makes the whole step unparsable, and stands
    there with its arguments as text.

    Args:
        request: the keyword arguments that were sent; None where they are not known, and then every call of the
            step goes to a human.
        response: what came back, as an object of the SDK or as raw JSON; of a stream, its final completion.
        thread_id: which conversation of yours this is.
        tools: the tools that the model was offered, where the request does not name them (a stored prompt).
        annotations: MCP annotations of tools, by name.
        namespace: where in the conversation, if several agents share it.
        attempt: how often this step has been sent back to be planned again.
        choice: which choice of a chat completion is the plan.

    Raises:
        ConfigError: the response is none of these APIs', or has no such choice.
    """
    sent = None if request is None else OpenAIRequest.of(request)
    answered = mapping(snapshot(response))
    api: API = "chat" if "choices" in answered else "responses"
    if api == "responses" and not isinstance(answered.get("output"), list):
        raise ConfigError("the response has neither choices nor output: give planning_step what create() returned")
    if sent is not None and sent.api != api:
        raise ConfigError("the request is one of chat completions and the response one of Responses, or the reverse")
    planned = _planned(api, answered, choice)
    arguments = {} if sent is None else sent.arguments
    asked = text(answered.get("model")) if sent is None else sent.model
    return PlanningStep(
        id=_step_id(planned),
        planned=planned,
        tools=_annotated(tool_specs(arguments) or tuple(tools), annotations or {}),
        model=asked,
        thread_id=thread_id,
        namespace=namespace,
        attempt=attempt,
        request=sent,
        request_digest="" if sent is None else sent.digest,
        conversation=chat.conversation(arguments) if api == "chat" else responses.conversation(arguments),
    )


def tool_specs(request: Mapping[str, Any]) -> tuple[ToolSpec, ...]:
    """The tools in the keyword arguments of a request, as the model saw them; for ``Policy.check``."""
    arguments = mapping(snapshot(request))
    of_chat = "messages" in arguments or any("function" in tool for tool in items(arguments.get("tools")))
    return chat.tools(arguments) if of_chat else responses.tools(arguments)


def _planned(api: API, response: Mapping[str, Any], choice: int) -> Sample:
    if api == "responses":
        found = responses.sample(response, planned=True)
    else:
        choices = {one.choice: one for one in chat.samples(response, planned=True)}
        if choice not in choices:
            raise ConfigError(f"the completion has no choice {choice}; it has {len(choices)}")
        found = choices[choice]
    (seen,) = inspect([found])
    return seen


def _step_id(planned: Sample) -> str:
    if not planned.response_id:
        return digest([[call.id, call.name, call.arguments] for call in planned.calls])
    return f"{planned.response_id}/{planned.choice}" if planned.choice else planned.response_id


def _annotated(tools: Sequence[ToolSpec], annotations: Mapping[str, Mapping[str, Any]]) -> tuple[ToolSpec, ...]:
    return tuple(
        replace(tool, annotations=dict(annotations[tool.name])) if tool.name in annotations else tool for tool in tools
    )
