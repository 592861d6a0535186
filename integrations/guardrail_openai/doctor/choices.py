"""Whether one request gives several samples, up to how many, and whether its bill is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardrail.sampling import Failure
from guardrail_openai.doctor import canaries
from guardrail_openai.doctor.findings import Finding, Level
from guardrail_openai.doctor.probes import Drawn, Probes, advice

_ALONE = 4
"""Requests for the free canary where each gives one sample."""
_TOLERANCE = 1.25
"""Reports and counted tokens may differ by what stands around an answer."""


def ladder(probes: Probes, most: int, *, logprobs: bool) -> tuple[Drawn, ...]:
    """The free canary with 1, 2, 4, ... up to ``most`` choices, as far as they come."""
    wanted: dict[str, Any] = {"logprobs": True} if logprobs and probes.api == "chat" else {}
    request = probes.request(canaries.FREE, **wanted)
    found = [probes.draw("does it take n=1?", request)]
    size = 2
    while probes.api == "chat" and found[-1].asked == len(found[-1].samples) and found[-1].asked < most:
        found.append(probes.draw(f"does it take n={min(size, most)}?", request, min(size, most)))
        size *= 2
    while most_choices(found) == 1 and len(found) < min(most, _ALONE):
        found.append(probes.draw("is there variety?", request))
    return tuple(found)


def most_choices(drawn: Sequence[Drawn]) -> int:
    """The most samples that one request gave, of those asked for."""
    return max((one.asked for one in drawn if len(one.samples) >= one.asked), default=1)


def several(probes: Probes, drawn: Sequence[Drawn], wanted: int) -> Finding:
    """How many samples one request gives."""
    if probes.api == "responses":
        return Finding(
            check="n",
            level=Level.OK,
            found="The Responses API has no n: every sample is a request of its own, and pays for the prompt.",
            remedy="With long prompts, chat completions may be cheaper.",
            data={"most": 1},
        )
    most = most_choices(drawn)
    last = next((one for one in reversed(drawn) if one.asked > 1), drawn[-1])
    data = {"most": most, "seconds": {str(one.asked): round(one.usage.seconds, 3) for one in drawn if one.samples}}
    if most >= wanted:
        return Finding(check="n", level=Level.OK, found=f"One request gives {most} samples.", data=data)
    what = (
        f"n={last.asked} is refused ({advice(last.outcome)})"
        if isinstance(last.outcome, Failure)
        else f"n={last.asked} gives {len(last.samples)}"
    )
    return Finding(
        check="n",
        level=Level.WARNING,
        found=f"One request gives at most {most} of {wanted} samples: {what}.",
        means=f"{wanted} samples take {-(-wanted // most)} requests, and each pays for the prompt.",
        remedy="The sampler finds this out by itself. A server's slots can be raised (llama.cpp: --parallel).",
        data=data,
    )


def usage(drawn: Sequence[Drawn]) -> Finding:
    """What several choices are billed: the prompt once, the completions of all."""
    came = [one for one in drawn if one.samples]
    if not came:
        return _warning("No answer to the free canary came back.", "Costs are not known.", "Run the doctor again.", {})
    first, last = came[0], max(came, key=lambda one: len(one.samples))
    prompt, reported = first.usage.prompt_tokens, last.reported
    data = {
        "prompt_tokens": [one.usage.prompt_tokens for one in came],
        "completion_tokens": [one.reported for one in came],
    }
    if prompt is None or reported is None:
        return _warning(
            "It reports no token counts.",
            "Costs are unknown, and a budget in tokens or money cannot be kept.",
            "Turn usage reports on, or give budgets in seconds.",
            data,
        )
    choices = len(last.samples)
    if choices > 1 and (last.usage.prompt_tokens or 0) >= prompt * choices:
        return _warning(
            f"The prompt is billed once for each of {choices} choices.",
            "One request with n costs as much as separate ones.",
            "Expect no saving from n here; it is still one request against the rate limit.",
            data,
        )
    counted = _counted(last)
    if counted and reported * _TOLERANCE < counted:
        return _warning(
            f"{reported} completion tokens are reported for {choices} choices of {counted} tokens.",
            "The report is of one choice only: costs look lower than they are.",
            "The sampler counts by log-probabilities where they are given; ask for them, or distrust the bill.",
            data,
        )
    how = f"the log-probabilities count {counted}" if counted else "there are no log-probabilities to count by"
    return Finding(
        check="usage",
        level=Level.OK,
        found=f"{last.usage.prompt_tokens} prompt and {reported} completion tokens for {choices} "
        f"{'choice' if choices == 1 else 'choices'}; {how}.",
        data=data,
    )


def _counted(drawn: Drawn) -> int:
    return sum(len(sample.tokens or ()) for sample in drawn.samples)


def _warning(found: str, means: str, remedy: str, data: Mapping[str, object]) -> Finding:
    return Finding(check="usage", level=Level.WARNING, found=found, means=means, remedy=remedy, data=data)
