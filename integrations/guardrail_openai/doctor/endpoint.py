"""Whether there is a model that plans tool calls."""

from __future__ import annotations

from collections.abc import Sequence

from guardrail.review import check_arguments
from guardrail.sampling import Failure
from guardrail.types import ToolSpec
from guardrail_openai.doctor import canaries
from guardrail_openai.doctor.findings import Blocked, Finding, Level
from guardrail_openai.doctor.probes import Drawn, Probes, advice

_PARSER = (
    "serve the model with a tool-call parser (vLLM: --enable-auto-tool-choice --tool-call-parser NAME; "
    "llama.cpp: --jinja), or use a model that was trained to call tools"
)
_SHOWN_MODELS = 8


def reached(probes: Probes) -> tuple[Finding, Drawn]:
    """The endpoint answers, and knows the model; with the answer to the plain canary.

    Raises:
        Blocked: it does not.
    """
    drawn = probes.first("is there a model?", canaries.PLAIN)
    if isinstance(drawn.outcome, Failure):
        raise Blocked(_not_reached(probes, drawn.outcome))
    seconds = drawn.usage.seconds
    taken = "" if "temperature" in probes.settings else " It takes no temperature."
    return Finding(
        check="endpoint",
        level=Level.OK if not taken else Level.WARNING,
        found=f"{probes.model} answered in {seconds:.1f} s.{taken}",
        means="Samples are drawn at the model's own temperature, which may not be 1." if taken else "",
        remedy="Give the sampler temperature=None, and plan without a temperature." if taken else "",
        data={"seconds": round(seconds, 3), "settings": dict(probes.settings)},
    ), drawn


def _not_reached(probes: Probes, failure: Failure) -> Finding:
    known = probes.models() if failure.status == 404 else None
    if known is not None and probes.model not in known:
        names = ", ".join(known[:_SHOWN_MODELS]) or "none"
        return _blocked("endpoint", f"{failure.summary}.", f"Use a model that it has: {names}.")
    if failure.refused and failure.status not in (401, 403, 404):
        bare = probes.request(canaries.PLAIN)
        bare.pop("tools")
        if not isinstance(probes.draw("does it answer without tools?", bare).outcome, Failure):
            return _blocked("tool calls", f"It refuses tools: {advice(failure)}.", f"To be guarded, {_PARSER}.")
    return _blocked("endpoint", f"{advice(failure)}.", "Nothing can be measured before it answers.")


def _blocked(check: str, found: str, remedy: str) -> Finding:
    return Finding(
        check=check,
        level=Level.FAILURE,
        found=found,
        means="Every step would go to its fail-closed route.",
        remedy=remedy,
    )


def tool_calls(probes: Probes, drawn: Sequence[Drawn]) -> Finding:
    """Calls come back, parse, and fit the tool's schema."""
    samples = [sample for one in drawn for sample in one.samples]
    (tool,) = probes.step(probes.request(canaries.PLAIN), samples[0]).tools
    called = [sample for sample in samples if sample.valid and sample.calls]
    data = {"answers": len(samples), "with_calls": len(called)}
    if not called:
        broken = next((sample for sample in samples if not sample.valid), None)
        what = f"{broken.status.value}: {broken.detail}" if broken else "the model answered in words"
        return Finding(
            check="tool calls",
            level=Level.FAILURE,
            found=f"No call in {len(samples)} answers to a task that needs one ({what}).",
            means="There is nothing to guard, or calls come back as text that nobody parses.",
            remedy=f"If this model calls tools, {_PARSER}.",
            data=data,
        )
    calls = [call for sample in called for call in sample.calls]
    misfits = [problem for call in calls for problem in check_arguments(tool, call.arguments)]
    others = len(samples) - len(called)
    if misfits or others:
        return Finding(
            check="tool calls",
            level=Level.WARNING,
            found=f"{len(called)} of {len(samples)} answers have a readable call."
            + (f" Of these, {len(misfits)} do not fit the schema: {misfits[0]}." if misfits else ""),
            means="Answers without a call, or with another one, lower the agreement of good plans.",
            remedy="Expect more retries and reviews, or use a stronger model.",
            data={**data, "misfits": len(misfits)},
        )
    return Finding(
        check="tool calls",
        level=Level.OK,
        found=f"All {len(samples)} answers have a call that parses and fits its schema.",
        data=data,
    )


def own_tools(probes: Probes, tools: Sequence[ToolSpec]) -> Finding:
    """The caller's own tools are accepted as they are."""
    functions = [
        {"name": tool.name, "description": tool.description, "parameters": tool.parameters or {"type": "object"}}
        for tool in tools
    ]
    outcome = probes.draw("does it take your tools?", probes.offering("Say hello.", functions)).outcome
    if isinstance(outcome, Failure):
        return Finding(
            check="your tools",
            level=Level.FAILURE,
            found=f"A request with your {len(tools)} tools failed: {advice(outcome)}.",
            means="The agent could not plan with them either.",
            remedy="Correct the schema that it names; not every endpoint takes every form of JSON Schema.",
        )
    return Finding(check="your tools", level=Level.OK, found=f"A request with your {len(tools)} tools is accepted.")
