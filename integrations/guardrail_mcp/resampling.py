"""Drawing a step again through the client, where it offers that: ``sampling/createMessage`` with the server's tools.

A server of the protocol does not see the conversation. Only a client that can be asked for tool calls and that attaches
its context (``sampling.tools`` and ``sampling.context``) can draw the step; without both nothing is measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from guardrail.errors import SamplingError
from guardrail.sampling import inspect
from guardrail.types import PlanningStep, Sample, SampleBatch, SampleStatus, ToolCall, Usage

Ask = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
_PROMPT: Final = (
    "Go on with the conversation that is attached as context: what is the next step? Call the tool that you would call "
    "next, with the arguments that you would give it, or answer in words if you would call none."
)
_TOKENS: Final = 2048


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What a step's request is here: whom to ask, or why nobody can be asked."""

    ask: Ask | None
    listed: tuple[dict[str, Any], ...] = ()
    missing: str = ""


def missing(capabilities: Mapping[str, Any] | None, *, wanted: bool) -> str:
    """Why the client cannot draw a step again; empty if it can."""
    offered = (capabilities or {}).get("sampling")
    if not wanted:
        return "nothing was measured: resampling through the client is not asked for"
    if not isinstance(offered, Mapping):
        return "nothing was measured: the client offers no sampling"
    if not isinstance(offered.get("tools"), Mapping):
        return "nothing was measured: the client's sampling gives no tool calls"
    if not isinstance(offered.get("context"), Mapping):
        return "nothing was measured: the client's sampling has no context, so it would not be the same step"
    return ""


class ClientSampler:
    """Implements ``AsyncSampler`` over the client. One request a sample."""

    name = "mcp"

    async def asample(self, step: PlanningStep, n: int) -> SampleBatch:
        """``n`` more plans of the step.

        Raises:
            SamplingError: the client cannot be asked, or failed for all of them.
        """
        drawing: Drawing = step.request
        if drawing.ask is None:
            raise SamplingError(drawing.missing)
        started = time.perf_counter()
        params = {
            "messages": [{"role": "user", "content": {"type": "text", "text": _PROMPT}}],
            "includeContext": "allServers",
            "temperature": 1.0,
            "maxTokens": _TOKENS,
            "tools": list(drawing.listed),
            "toolChoice": {"mode": "auto"},
        }
        answers = await asyncio.gather(*(_drawn(drawing.ask, params) for _ in range(n)))
        if all(sample.status is SampleStatus.FAILED for sample in answers):
            raise SamplingError(f"nothing was measured: the client drew no sample ({answers[0].detail})")
        return SampleBatch(samples=inspect(answers), usage=Usage(requests=n, seconds=time.perf_counter() - started))

    def settings(self, _step: PlanningStep) -> Mapping[str, str]:
        """How samples are drawn, as far as it is known: the client may do otherwise."""
        return {"temperature": "1", "through": "mcp client"}


async def _drawn(ask: Ask, params: dict[str, Any]) -> Sample:
    try:
        result = await ask("sampling/createMessage", params)
    except SamplingError as error:
        return Sample(status=SampleStatus.FAILED, detail=str(error))
    content = result.get("content")
    blocks = content if isinstance(content, list) else [content]
    calls: list[ToolCall] = []
    said = ""
    for block in blocks:
        if not isinstance(block, Mapping):
            continue
        if block.get("type") == "text":
            said += str(block.get("text", ""))
        if block.get("type") == "tool_use":
            name, arguments = block.get("name"), block.get("input")
            if not isinstance(name, str) or not isinstance(arguments, dict):
                return Sample(status=SampleStatus.UNPARSABLE, detail="a tool call without a name or arguments")
            calls.append(ToolCall(name=name, arguments=arguments, id=str(block.get("id", ""))))
    reason = result.get("stopReason")
    finish = {"maxTokens": "length"}.get(str(reason), str(reason) if reason is not None else None)
    return Sample(calls=tuple(calls), text=said, finish_reason=finish)
