"""Which samples are evidence, and why the others are not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from guardrail.types import Sample, SampleStatus

Provenance = tuple[str, int]
"""Response id and choice index: two samples that share both are one sample twice."""

# What OpenAI, Anthropic, Google, Mistral, Cohere and the Responses API call an answer that was cut short.
CUT_SHORT = frozenset(
    {
        "length",
        "max_tokens",
        "max_output_tokens",
        "model_length",
        "model_context_window_exceeded",
        "incomplete",
        "content_filter",
        "safety",
        "recitation",
        "blocklist",
        "prohibited_content",
        "spii",
    }
)
# Provider-side errors that arrive as an answer.
BROKEN = frozenset({"error", "error_toxic", "error_limit", "malformed_function_call"})


def provenance(sample: Sample) -> Provenance | None:
    """Where a sample comes from, None where the provider does not say."""
    return (sample.response_id, sample.choice or 0) if sample.response_id else None


def inspect(samples: Sequence[Sample], seen: Collection[Provenance] = ()) -> tuple[Sample, ...]:
    """The samples, each with the status it deserves.

    Copies are told by provenance, never by content: honest unanimity looks the same. The first of
    several copies stays valid unless ``seen`` (earlier waves, the planned turn) has it already.
    Inspecting samples again changes nothing.
    """
    known = set(seen)
    inspected: list[Sample] = []
    for sample in samples:
        status, detail = _status(sample, known)
        source = provenance(sample)
        if source is not None:
            known.add(source)
        inspected.append(sample if status is sample.status else replace(sample, status=status, detail=detail))
    return tuple(inspected)


def _status(sample: Sample, known: Collection[Provenance]) -> tuple[SampleStatus, str]:
    status, detail = sample.status, sample.detail
    finish = (sample.finish_reason or "").lower()
    source = provenance(sample)
    if status is SampleStatus.FAILED:
        pass
    elif finish in BROKEN:
        status, detail = SampleStatus.FAILED, f"the provider ended it with {finish!r}"
    elif finish in CUT_SHORT:
        # before the rest: a cut answer is often unparsable or empty too, and the cut is the cause
        status, detail = SampleStatus.TRUNCATED, f"cut short: finish reason {finish!r}"
    elif status is not SampleStatus.OK:
        pass
    elif not sample.calls and not sample.text.strip():
        status, detail = SampleStatus.EMPTY, "neither a call nor words"
    elif source is not None and source in known:
        status, detail = SampleStatus.NOT_INDEPENDENT, f"choice {source[1]} of response {source[0]} was counted before"
    return status, detail
