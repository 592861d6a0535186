"""The details: why a call got its route, what people decided on it, what became of it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from guardrail.cli.render import LINE, call_block, call_text, facts, route_text, time_text
from guardrail.cli.safe_text import LONG, shown
from guardrail.types import (
    Cluster,
    DecisionType,
    MeaningKind,
    Record,
    Review,
    ReviewState,
    Route,
    Sample,
    Signal,
    StepVerdict,
    ToolCall,
    Verdict,
)

_BAR = 16
DECIDED = {
    DecisionType.APPROVE: "approved",
    DecisionType.EDIT: "edited",
    DecisionType.REJECT: "rejected",
    DecisionType.RESPOND: "answered",
}


def record_view(record: Record, reviews: Sequence[Review], *, full: bool) -> RenderableType:
    """Everything about one planning step."""
    step = record.verdict
    parts: list[RenderableType] = [
        facts(
            ("record", Text.assemble(shown(record.id), "  ", time_text(record.at), " UTC")),
            (
                "thread",
                Text.assemble(shown(record.thread_id), "  step ", shown(record.step_id), f"  try {record.attempt + 1}"),
            ),
            ("model", shown(record.model)),
            ("route", route_text(step.route)),
            ("samples", Text(_samples_line(step, record.fingerprint.get("stopping", "")))),
            ("entailment", Text.assemble(shown(step.entailment), _pairs_line(step))),
            ("cost", Text(_cost_line(step))),
            *(
                ("beyond the plan", Text.assemble(f"{count} of {step.drawn} samples also call ", shown(tool)))
                for tool, count in step.extra.items()
            ),
        )
    ]
    for index, verdict in enumerate(step.verdicts, start=1):
        own = [review for review in reviews if review.call.id == verdict.call.id]
        parts += [Text(""), Text(f"call {index} of {len(step.verdicts)}", "bold underline")]
        parts += [call_block(verdict.call, full=full), evidence(verdict)]
        parts += [review_view(review, full=full, call=review.call != verdict.call) for review in own]
        parts.append(facts(("what ran", shown(what_ran(verdict, own, step.route), limit=None))))
    parts += [Text(""), Text("samples", "bold underline")]
    parts += [_sample(index, sample) for index, sample in enumerate(record.samples)] or [Text("  none were drawn")]
    if record.labels:
        parts += [Text(""), Text("labels", "bold underline")]
        parts += [
            Text.assemble(
                f"  {'right' if label.correct else 'wrong'} by ",
                shown(label.by),
                f" ({label.source.value}) ",
                time_text(label.at),
                "  ",
                shown(label.note),
            )
            for label in record.labels
        ]
    return Group(*parts)


def evidence(verdict: Verdict) -> RenderableType:
    """Why a call got its route: counts, meanings with bars, signals."""
    valid = sum(len(cluster.members) for cluster in verdict.clusters)
    threshold = "none" if verdict.threshold is None else f"{verdict.threshold:.3g}"
    parts: list[RenderableType] = [
        facts(
            (
                "verdict",
                Text.assemble(
                    route_text(verdict.route), f"  {verdict.tier.value} stakes, rule ", shown(verdict.rule or "default")
                ),
            ),
            ("why", shown(verdict.why)),
            *([("decided", Text(f"at stage {verdict.stage} of its tier"))] if verdict.stage else []),
            (
                "needed",
                Text(
                    f"{verdict.needed} of {verdict.asked} samples; "
                    f"{verdict.agreeing} agree, {verdict.disagreeing} do not"
                ),
            ),
            ("threshold", Text(f"{threshold}, {'calibrated' if verdict.calibrated else 'not calibrated'}")),
        )
    ]
    if verdict.clusters:
        parts.append(Text("  meanings"))
        parts += [_meaning(cluster, valid) for cluster in verdict.clusters]
    if verdict.signals:
        parts.append(Text("  signals"))
        parts.append(facts(*((signal.name, _signal(signal)) for signal in verdict.signals), indent=4))
    return Group(*parts)


def review_view(review: Review, *, full: bool, call: bool = True) -> RenderableType:
    """One review: what it asks, how it was decided, and its history."""
    decision = review.decision
    parts: list[RenderableType] = [
        facts(
            ("review", Text.assemble(shown(review.id), "  ", (review.state.value, "bold"))),
            ("asked", Text.assemble(time_text(review.at), " UTC  ", f"{review.tier.value} stakes")),
            ("why", shown(review.why)),
            ("allowed", Text(", ".join(kind.value for kind in review.decisions))),
            *_people(review),
        )
    ]
    if call:
        parts.append(Padding(call_block(review.call, full=full), (0, 0, 0, 2)))
    if decision is not None and decision.arguments is not None:
        edited = ToolCall(name=review.call.name, arguments=decision.arguments)
        parts.append(Text("  edited to"))
        parts.append(Padding(call_block(edited, full=full), (0, 0, 0, 4)))
    if decision is not None and decision.message:
        parts.append(facts(("message", shown(decision.message, limit=None if full else LONG))))
    parts += [
        Text.assemble(
            "    ", time_text(event.at), f"  {event.state.value} by ", shown(event.by), "  ", shown(event.note)
        )
        for event in review.history
    ]
    parts += [
        Text.assemble("    ", time_text(one.at), "  ", shown(one.by), " commented: ", shown(one.text))
        for one in review.comments
    ]
    return Group(*parts)


def _people(review: Review) -> list[tuple[str, Text]]:
    """Who asked, who may decide, who holds it, and until when, as far as there is something to say."""
    found: list[tuple[str, Text]] = []
    for name, value in (("tenant", review.tenant), ("requester", review.requester), ("rule", review.rule)):
        if value:
            found.append((name, shown(value)))
    if review.due:
        note = ", escalated" if review.escalated else ""
        found.append(("deadline", Text.assemble(time_text(review.due), f" UTC, then it is rejected{note}")))
    if review.use_within is not None:
        found.append(("approval", Text(f"holds for {review.use_within:g} seconds")))
    if review.roles:
        found.append(("reviewers", shown(" or ".join(review.roles))))
    if review.quorum > 1:
        votes = ", ".join(f"{vote.type.value} by {vote.by}" for vote in review.votes) or "none so far"
        found.append(("votes", Text.assemble(f"{review.quorum} people have to agree; ", shown(votes))))
    if review.claim is not None:
        found.append(
            ("claimed", Text.assemble(shown(review.claim.by), " until ", time_text(review.claim.until), " UTC"))
        )
    return found


def what_ran(verdict: Verdict, reviews: Sequence[Review], step_route: Route) -> str:
    """In words, what became of one planned call, as far as the store knows."""
    if step_route is Route.RETRY:
        return "nothing: the step was planned again"
    if verdict.route is Route.EXECUTE:
        return "the call, as planned: released without a human"
    if not reviews:
        return "nothing: it waits for a review that is not in this store"
    review = reviews[-1]
    kind = review.decision.type if review.decision else None
    decided = DECIDED[kind] if kind else "decided"
    if review.state is ReviewState.DECIDED:
        return f"nothing yet: {decided}, but the agent has not gone on"
    if review.state is ReviewState.DONE and kind in (DecisionType.REJECT, DecisionType.RESPOND):
        return f"nothing: {decided}"
    return {
        ReviewState.PENDING: "nothing yet: it waits for a human",
        ReviewState.CLAIMED: "nothing yet: a human is looking at it",
        ReviewState.EXECUTING: "the call was started; that it ended is not on record",
        ReviewState.DONE: "the call, with edited arguments" if kind is DecisionType.EDIT else "the call, as planned",
        ReviewState.OUTCOME_UNKNOWN: "the call was started; whether it took effect is not known",
        ReviewState.EXPIRED: "nothing: nobody decided in time",
        ReviewState.SUPERSEDED: "nothing: it was called off",
    }[review.state]


def _signal(signal: Signal) -> Text:
    """Its value and what is known beside it: what the open samples leave, how sure it is, and argument by argument."""
    said = [shown(f"missing: {signal.missing}") if signal.value is None else Text(_number(signal.value, signal.unit))]
    if signal.bounds is not None:
        said.append(Text(f"between {signal.bounds[0]:.4g} and {signal.bounds[1]:.4g}, by the samples that are open"))
    if signal.credible is not None:
        said.append(Text(f"95 % credible from {signal.credible[0]:.4g} to {signal.credible[1]:.4g}"))
    said += [Text.assemble(shown(name, limit=LINE), f" {value:.4g}") for name, value in signal.parts.items()]
    return Text("; ").join(said)


def _number(value: float, unit: str) -> str:
    return f"{value:.4g} {unit}".strip()


def _meaning(cluster: Cluster, valid: int) -> Text:
    count = len(cluster.members)
    filled = round(_BAR * count / valid) if valid else 0
    line = Text.assemble(
        "    ", ("█" * filled, "green" if cluster.planned else "red"), ("░" * (_BAR - filled), "dim"), f" {count:2}  "
    )
    if cluster.planned:
        line.append("as planned  ", "green")
    if cluster.kind is MeaningKind.NO_CALL or cluster.call is None:
        line.append_text(Text.assemble("no such call  ", shown(cluster.text, limit=120)))
    else:
        if cluster.kind is MeaningKind.OTHER_TOOL:
            line.append("another tool  ")
        if cluster.differs:
            line.append_text(Text.assemble("other ", shown(", ".join(cluster.differs), limit=120), "  "))
        line.append_text(call_text(cluster.call))
    return line


def _sample(index: int, sample: Sample) -> Text:
    line = Text(f"  {index:2}  {sample.status.value:<15} ")
    if sample.detail:
        line.append_text(Text.assemble(shown(sample.detail, limit=200), "  "))
    calls = Text("  +  ").join(call_text(call) for call in sample.calls)
    return line.append_text(calls if sample.calls else shown(sample.text, limit=120))


def _samples_line(step: StepVerdict, stopping: str) -> str:
    audit = "audited" if step.audited else "not audited"
    change = "was not likely to change" if "bayesian" in stopping else "could not change"
    stopped = f", stopped early: the rest {change} the verdict" if step.curtailed else ""
    return (
        f"{step.drawn} drawn of {step.asked} asked, {step.invalid} invalid{stopped}; "
        f"{audit} (probability {step.audit_probability:g})"
    )


def _pairs_line(step: StepVerdict) -> str:
    known = f", {step.known_pairs} of them judged before" if step.known_pairs else ""
    return f", {step.pairs} pair{'s' if step.pairs != 1 else ''} of texts{known}"


def _cost_line(step: StepVerdict) -> str:
    usage = step.usage
    asked = (
        f" ({step.questions} question{'s' if step.questions != 1 else ''} about the calls)" if step.questions else ""
    )
    prompt, completion = (
        "unknown" if count is None else f"{count:,}" for count in (usage.prompt_tokens, usage.completion_tokens)
    )
    return (
        f"{usage.requests} request{'s' if usage.requests != 1 else ''}{asked}, {prompt} prompt tokens, "
        f"{completion} completion tokens, "
        f"{usage.seconds:.2f} s sampling, {step.seconds:.2f} s in all"
    )
