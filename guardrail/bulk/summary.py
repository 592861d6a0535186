"""What a replay came to, beside what was recorded: whether the other model is the cheaper one at the same error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from guardrail.bulk.job import Job
from guardrail.clustering import Entailment
from guardrail.engine.scoring import replay, score
from guardrail.errors import PolicyError
from guardrail.signals import Registry
from guardrail.types import Case, Route, StepVerdict, Usage


@dataclass(frozen=True, kw_only=True)
class Side:
    """The figures of one side. Counts are of calls, but for ``cases``.

    ``judged`` calls were executed and somebody, or a checker, said whether they are right; ``wrong`` of them are not.
    ``agreement`` is the mean over the calls that have one, None where none has. ``usage`` is the samples', ``planning``
    that of the plans, which recorded cases do not tell.
    """

    models: tuple[str, ...]
    cases: int
    calls: int
    executed: int
    judged: int
    wrong: int
    agreement: float | None
    usage: Usage
    planning: Usage | None = None


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Both sides, over the cases that could be replayed. ``same`` plans mean what the recorded ones do; None where the
    plans were kept. Cases that ``failed``, counted by their reason, are in neither.
    """

    recorded: Side
    replayed: Side
    same: int | None
    failed: dict[str, int]


def summary(pairs: Iterable[tuple[Case, Case]], job: Job, judge: Entailment) -> Summary:
    """Figures of pairs of a recorded case and what came of it.

    What was recorded goes through the same policy again, over its own samples: nothing is sent.
    """
    registry = Registry()
    before: list[tuple[Case, StepVerdict | None]] = []
    after: list[tuple[Case, StepVerdict | None]] = []
    failed: dict[str, int] = {}
    same = 0
    for recorded, case in pairs:
        if case.failure:
            failed[case.failure] = failed.get(case.failure, 0) + 1
            continue
        before.append((recorded, _verdict(recorded, job, judge, registry)))
        after.append((case, case.verdict))
        same += not job.keep_plan and _same(recorded, case, job, judge, registry)
    return Summary(
        recorded=_side(before, planning=None),
        replayed=_side(after, planning=None if job.keep_plan else _total(case.planning for case, _ in after)),
        same=None if job.keep_plan else same,
        failed=failed,
    )


def _verdict(case: Case, job: Job, judge: Entailment, registry: Registry) -> StepVerdict | None:
    """What the policy makes of a recorded case, over at most as many samples as it has."""
    if not case.samples:
        return case.verdict
    tiers = {
        tier: replace(each, samples=min(each.samples, max(2, len(case.samples))))
        for tier, each in job.policy.settings.items()
    }
    try:
        policy = replace(job.policy, tiers=tiers)
    except PolicyError:  # its stages need more samples than were recorded
        return case.verdict
    return replay(
        case,
        policy,
        entailment=judge,
        registry=registry,
        risk_model=job.risk_model,
        curtail=False,
        attempt=case.attempt,
    ).verdict


def _same(recorded: Case, case: Case, job: Job, judge: Entailment, registry: Registry) -> bool:
    """Whether the new plan has each call of the recorded one, and no other."""
    if len(recorded.planned.calls) != len(case.planned.calls):
        return False
    if not recorded.planned.calls:
        return True
    beside = replace(recorded, samples=(case.planned,))
    (found,) = score([beside], ["agreement"], entailment=judge, registry=registry, policy=job.policy)
    return all(signal.value == 1 for (signal,) in found)


def _side(cases: Sequence[tuple[Case, StepVerdict | None]], *, planning: Usage | None) -> Side:
    agreements: list[float] = []
    calls = executed = judged = wrong = 0
    for case, verdict in cases:
        for one in verdict.verdicts if verdict is not None else ():
            calls += 1
            found = one.signal("agreement")
            if found is not None and found.value is not None:
                agreements.append(found.value)
            if one.route is not Route.EXECUTE:
                continue
            executed += 1
            said: set[bool | None] = {label.correct for label in case.labels if label.call_id == one.call.id}
            said = said or {case.correct}
            if said in ({True}, {False}):
                judged += 1
                wrong += said == {False}
    return Side(
        models=tuple(dict.fromkeys(case.model for case, _ in cases)),
        cases=len(cases),
        calls=calls,
        executed=executed,
        judged=judged,
        wrong=wrong,
        agreement=sum(agreements) / len(agreements) if agreements else None,
        usage=_total(case.usage for case, _ in cases),
        planning=planning,
    )


def _total(usages: Iterable[Usage | None]) -> Usage:
    total = Usage()
    for usage in usages:
        # what nobody has written down was not free
        total += usage if usage is not None else Usage(requests=1)
    return total
