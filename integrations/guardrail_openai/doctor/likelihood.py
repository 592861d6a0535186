"""What the endpoint says about probabilities: of a call's tokens, and of the letters of a question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardrail.errors import AskingError
from guardrail.sampling import Failure
from guardrail.signals import Evidence, Registry
from guardrail.types import Need, Question
from guardrail_openai.doctor import canaries
from guardrail_openai.doctor.findings import Finding, Level
from guardrail_openai.doctor.probes import Drawn, Probes, advice

_TOP = 5
_WITHOUT = "Signals of the plan's own tokens are missing, and the low tier draws samples instead."
_WHERE = "vLLM, llama.cpp and most local servers give them; hosted ones often leave them out for tool calls."


def log_probabilities(probes: Probes) -> tuple[Finding, Drawn, frozenset[Need]]:
    """Whether the tokens of a call come with log-probabilities that are really those of the call."""
    wanted: dict[str, Any] = (
        {"include": ["message.output_text.logprobs"], "top_logprobs": _TOP}
        if probes.api == "responses"
        else {"logprobs": True, "top_logprobs": _TOP}
    )
    drawn = probes.draw("are there log-probabilities?", probes.request(canaries.PLAIN, **wanted))
    if isinstance(drawn.outcome, Failure):
        return _missing(f"A request for them fails: {advice(drawn.outcome)}."), drawn, frozenset()
    planned = next((sample for sample in drawn.samples if sample.calls), None)
    if planned is None:
        return _missing("The answer had no call, so that it cannot be told."), drawn, frozenset()
    mean, margin = Registry().measure(("logprob_mean", "top_margin"), Evidence(planned=planned, index=0))
    data = {"tokens": len(planned.tokens or ()), "logprob_mean": mean.value, "top_margin": margin.value}
    if mean.value is None:
        return _missing(f"{str(mean.missing).capitalize()}.", data), drawn, frozenset()
    if margin.value is None:
        found = Finding(
            check="log-probabilities",
            level=Level.WARNING,
            found=f"The call's tokens have log-probabilities, but no alternatives: {margin.missing}.",
            means="top_margin and top_entropy are missing.",
            remedy="Ask for top_logprobs, if the server takes it.",
            data=data,
        )
        return found, drawn, frozenset({Need.LOGPROBS, Need.SAMPLE_LOGPROBS})
    found = Finding(
        check="log-probabilities",
        level=Level.OK,
        found=f"{len(planned.tokens or ())} tokens of a call, with alternatives; mean over its name and values "
        f"{mean.value:.2f} nats.",
        remedy="Plan with logprobs=True and top_logprobs to have them.",
        data=data,
    )
    return found, drawn, frozenset({Need.LOGPROBS, Need.SAMPLE_LOGPROBS, Need.TOP_LOGPROBS})


def _missing(found: str, data: dict[str, Any] | None = None) -> Finding:
    return Finding(
        check="log-probabilities", level=Level.WARNING, found=found, means=_WITHOUT, remedy=_WHERE, data=data or {}
    )


def letters(probes: Probes, drawn: Sequence[Drawn]) -> tuple[Finding, bool, dict[str, Any]]:
    """Whether P(True) is measured from the probabilities of two letters, and what one question costs."""
    planned = next((sample for one in drawn for sample in one.samples if sample.calls and sample.valid), None)
    if planned is None:
        return _no_letters("There is no call to ask about."), False, {}
    step = probes.step(probes.request(canaries.PLAIN), planned)
    questions = Registry().questions("p_true", step, 0)
    try:
        batch = probes.ask("does P(True) get its letters?", step, questions)
    except AskingError as error:
        return _no_letters(f"{error}."), False, {}
    (signal,) = Registry().measure(
        ("p_true",), Evidence(planned=planned, index=0, tool=step.tools[0], replies={"p_true": batch.replies})
    )
    cost = _cost(batch.usage.seconds, batch.usage.prompt_tokens, batch.usage.completion_tokens, questions)
    if signal.value is None:
        return _no_letters(f"{str(signal.missing).capitalize()}.", cost), False, cost
    return (
        Finding(
            check="P(True)",
            level=Level.OK,
            found=f"P(True) of a plain call is {signal.value:.2f}, from the probabilities of two letters, both orders.",
            data={"value": signal.value, **cost},
        ),
        True,
        cost,
    )


def _no_letters(found: str, data: dict[str, Any] | None = None) -> Finding:
    return Finding(
        check="P(True)",
        level=Level.WARNING,
        found=found,
        means="The signal p_true is missing: a tier that rests on it goes to its fail-closed route.",
        remedy="Name other signals in the policy, or use a server that gives top_logprobs.",
        data=data or {},
    )


def _cost(seconds: float, prompt: int | None, completion: int | None, questions: Sequence[Question]) -> dict[str, Any]:
    each = max(1, len(questions))
    tokens = None if prompt is None or completion is None else (prompt + completion) / each
    return {"questions": len(questions), "seconds": round(seconds / each, 3), "tokens": tokens}
