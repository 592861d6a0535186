"""One planning step from its plan to verdicts, as a generator that does no I/O.

The generator asks (``Draw``, ``Judge``, ``Inquire``) and is sent the answer, or the failure, by whoever drives it.

Every call goes through the stages of its tier in order. A stage pays for what it names: questions first, then samples
up to its number, then the pairs of texts that its conditions need. Where they are true the call is executed, where a
doubt is true it is not, and otherwise the next stage follows; see ``guardrail.engine.stages``. What only the record
wants compared is compared last.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from guardrail.clustering import Answers, TextPair
from guardrail.comparing import Named
from guardrail.engine.calibrated import Calibration, Standing
from guardrail.engine.calls import Call, calls_of, concluded_last, enforced, ruled
from guardrail.engine.evidence import COMPARED, Gathered, Tools
from guardrail.engine.fingerprint import signals_of
from guardrail.engine.refused import Objection
from guardrail.engine.stages import Outcome
from guardrail.engine.verdicts import step_verdict
from guardrail.errors import AskingError, BudgetSpent, MeasurementError
from guardrail.policy import Policy
from guardrail.signals import Registry
from guardrail.types import (
    Alarm,
    Need,
    PlanningStep,
    Question,
    Reason,
    Reply,
    ReplyBatch,
    Sample,
    SampleBatch,
    StepVerdict,
    Tier,
)


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Asks for n samples of the step; answered with a ``SampleBatch`` or a ``MeasurementError``."""

    n: int


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Asks which pairs mean the same; answered with a list of booleans or a ``MeasurementError``."""

    pairs: tuple[TextPair, ...]


@dataclass(frozen=True, kw_only=True)
class Inquire:
    """Asks the model about its calls; answered with a ``ReplyBatch`` or a ``MeasurementError``."""

    questions: tuple[Question, ...]


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """The verdict on a step, the samples behind it, and what the scores depend on."""

    verdict: StepVerdict
    samples: tuple[Sample, ...]
    fingerprint: dict[str, str]


Request = Draw | Judge | Inquire
Answer = SampleBatch | Sequence[bool] | ReplyBatch | MeasurementError
Flow = Generator[Request, Answer, Assessment]
Part = Generator[Request, Answer, None]


def assess(
    step: PlanningStep,
    policy: Policy,
    *,
    draw_audit: float,
    curtail: bool = True,
    entailment: str = "exact",
    tools: Tools | None = None,
    judging_is_free: bool = False,
    calibration: Calibration | None = None,
    fingerprint: Mapping[str, str] | None = None,
    alarms: Sequence[Alarm] = (),
    objections: Mapping[int, Objection] | None = None,
) -> Flow:
    """Decide on every call of a planning step.

    ``draw_audit`` is a uniform random number in [0, 1), drawn before anything is sampled: the step is
    audited, and then takes all its samples, where it lies below the policy's audit probability. Where
    ``judging_is_free`` texts are compared at every look, and otherwise at most twice for one number of samples.
    ``calibration`` has the thresholds, which hold for calls of a ``fingerprint`` like theirs, but for the ``alarms``
    that stand. ``objections`` are what the thread's past says against a call, by its index.
    """
    tools = tools or Tools(registry=Registry())
    known = dict(fingerprint or {})

    def standing(tier: Tier, tool: str) -> Standing | None:
        if calibration is None:
            return None
        return calibration.standing(tier, tool, attempt=step.attempt, fingerprint=known, alarms=alarms)

    calls = calls_of(step, policy, early=curtail, standing=standing, objections=objections)
    audit = max((call.resolution.audit for call in calls), default=0.0)
    audited = draw_audit < audit
    gathered = Gathered(step, tools, comparators=comparators_of(calls), stated_defaults=policy.stated_defaults)
    measured = [call for call in calls if call.ruling is None]
    if audited:
        for call in measured:
            call.early = False
    yield from _Measuring(measured, gathered, policy, audited=audited, judging_is_free=judging_is_free).run()
    for call in measured:
        if call.ruling is None:
            call.ruling = concluded_last(call, gathered)
        call.ruling = enforced(call, gathered)
    verdict = step_verdict(calls, gathered, audited=audited, audit=audit, entailment=entailment)
    depends = {"signals": signals_of(calls, tools), **known}
    if gathered.fell_back:
        depends["entailment"] = verdict.entailment
    return Assessment(verdict=verdict, samples=gathered.samples, fingerprint=depends)


class _Measuring:
    """Gathers the evidence on the calls of a step until every one is decided, or nothing more is to be had."""

    def __init__(
        self, calls: Sequence[Call], gathered: Gathered, policy: Policy, *, audited: bool, judging_is_free: bool
    ) -> None:
        self._calls = calls
        self._gathered = gathered
        self._policy = policy
        self._audited = audited
        self._judging_is_free = judging_is_free

    def run(self) -> Part:
        yield from self._advance()
        self._gathered.asked = self._most(self._calls) if self._audited else self._gathered.raised
        while target := self._target():
            yield from self._draw(target)
            yield from self._advance()
        if self._audited:
            yield from self._inquire((call, name) for call in self._calls for name in call.all_paid)
        yield from self._judge(self._of_record())

    def _open(self) -> list[Call]:
        return [call for call in self._calls if call.open]

    def _all(self) -> int:
        """How many samples there will be at most."""
        return self._gathered.asked if self._audited else self._gathered.raised

    def _most(self, calls: Iterable[Call]) -> int:
        """N of those calls, of as many as take samples."""
        return max((call.most(self._gathered.tools, whole=self._audited) for call in calls), default=0)

    def _advance(self) -> Part:
        """Take every call as far through its stages as the evidence reaches, and pay for what that takes."""
        moved = True
        while moved:
            moved = False
            self._gathered.raised = self._most(self._open())
            yield from self._inquire((call, name) for call in self._open() for name in call.paid_in(call.stage))
            yield from self._compare()
            for call in [call for call in self._open() if not call.last]:
                look = call.look(self._gathered)
                if look.outcome in (Outcome.EXECUTE, Outcome.DOUBT, Outcome.UNSCORED):
                    call.ruling = ruled(call, look, self._gathered)
                    moved = True
                elif look.outcome is Outcome.NEXT or call.complete(self._gathered):
                    call.at += 1
                    moved = True

    def _target(self) -> int:
        """How many samples there should be in all next; 0 where no more are wanted.

        Every call that waits needs at least as many as it looks at next, so the most of them is never too many.
        """
        gathered = self._gathered
        if gathered.closed:
            return 0
        if self._audited:
            return gathered.asked if gathered.requested < gathered.asked else 0
        waiting = (
            call.next_look(gathered)
            for call in self._open()
            if not call.complete(gathered) and not (call.last and call.settled(gathered))
        )
        return max(waiting, default=0)

    def _draw(self, target: int) -> Part:
        gathered = self._gathered
        size = target - gathered.requested
        answer = yield Draw(n=size)
        gathered.requested = target
        if isinstance(answer, SampleBatch) and all(isinstance(sample, Sample) for sample in answer.samples):
            gathered.add(answer, size)
            return
        spent = isinstance(answer, BudgetSpent)
        gathered.fail(Reason.BUDGET_SPENT if spent else Reason.SAMPLING_FAILED, answer)
        gathered.closed = gathered.closed or spent

    def _compare(self) -> Part:
        """Have judged what the conditions need at this number of samples.

        Two rounds settle N samples: the first tells who agrees with the plan, the second all the rest. At a look
        after which there is another, structure has to do.
        """
        gathered = self._gathered
        if gathered.requested < self._all():
            yield from self._judge(wanted for call in self._open() for wanted in self._at_this_look(call))
        elif gathered.samples:
            wanted = {*self._of_record(), *(each for call in self._open() for each in call.deciding(gathered))}
            if wanted and not gathered.pairs:
                yield from self._judge([(Need.AGREEMENT, gathered.requested)])
            yield from self._judge(wanted)

    def _at_this_look(self, call: Call) -> Iterable[tuple[Need, int]]:
        """What a call needs compared before all N samples are there."""
        gathered = self._gathered
        ends = call.complete(gathered)
        looks_again = not ends and call.last and call.next_look(gathered) < self._all()
        skipped = looks_again and not (self._judging_is_free or call.expects)
        if not gathered.samples or skipped or not (ends or call.early):
            return ()
        return call.deciding(gathered)

    def _of_record(self) -> list[tuple[Need, int]]:
        """What the signals on the record need compared, for the calls that have come to pay for them."""
        gathered = self._gathered
        reached = [
            call.all_paid if self._audited else call.reached for call in self._calls if self._audited or call.open
        ]
        needs = gathered.tools.needs(sorted({name for names in reached for name in names}))
        return [(need, gathered.requested) for need in COMPARED if need in needs]

    def _judge(self, wanted: Iterable[tuple[Need, int]]) -> Part:
        """Have those pairs judged that are not judged yet.

        Where the judge fails, the policy may let the texts count as different.
        """
        gathered, wanted = self._gathered, list(wanted)
        while gathered.samples and gathered.unjudged is None:
            asked = tuple(dict.fromkeys(pair for need, n in wanted for pair in gathered.open_pairs(need, n)))
            if not asked:
                return
            answer = yield Judge(pairs=asked)
            judged = _judged(asked, answer)
            if not judged and self._policy.judge_fallback == "exact":
                gathered.fell_back = True
                judged = dict.fromkeys(asked, False)
            gathered.same.update(judged)
            gathered.pairs += len(asked)
            gathered.known_pairs += answer.known if isinstance(answer, Answers) else 0
            if not judged:
                gathered.unjudged = _detail(answer)
                gathered.closed = True

    def _inquire(self, wanted: Iterable[tuple[Call, str]]) -> Part:
        """Ask what is not asked yet. What comes back unusable leaves its signal missing, and says why."""
        gathered = self._gathered
        asking = [(key, self._questions(*key)) for key in dict.fromkeys((call.index, name) for call, name in wanted)]
        asking = [(key, questions) for key, questions in asking if questions is not None]
        questions = tuple(question for _, each in asking for question in each or ())
        answer: Answer = ReplyBatch(replies=())
        if questions and not gathered.tools.asks:
            answer = AskingError("the guard has no asker")
        elif questions and gathered.failure is Reason.BUDGET_SPENT:
            answer = BudgetSpent(gathered.detail)
        elif questions:
            answer = yield Inquire(questions=questions)
            gathered.questions += 0 if isinstance(answer, BudgetSpent) else len(questions)
        self._take(asking, questions, answer)

    def _questions(self, index: int, name: str) -> tuple[Question, ...] | None:
        """What a signal asks about a call; None where it asks nothing, or nothing more."""
        gathered, key = self._gathered, (index, name)
        if not gathered.tools.asking(name) or key in gathered.replies or key in gathered.unasked:
            return None
        try:
            return gathered.tools.registry.questions(name, gathered.step, index)
        except Exception as error:  # noqa: BLE001 - a signal of somebody else may raise anything
            gathered.unasked[key] = f"its question could not be put: {type(error).__name__}"
            return None

    def _take(
        self,
        asking: Sequence[tuple[tuple[int, str], tuple[Question, ...] | None]],
        questions: Sequence[Question],
        answer: object,
    ) -> None:
        gathered = self._gathered
        replies = _replies(questions, answer)
        if isinstance(answer, ReplyBatch):
            gathered.usage += answer.usage
        elif isinstance(answer, BudgetSpent):
            gathered.fail(Reason.BUDGET_SPENT, answer)
            gathered.closed = True
        for key, each in asking:
            if replies is None:
                gathered.unasked[key] = f"the model could not be asked ({_detail(answer)})"
            else:
                gathered.replies[key], replies = replies[: len(each or ())], replies[len(each or ()) :]


def _judged(pairs: tuple[TextPair, ...], answer: object) -> dict[TextPair, bool]:
    """Which pairs mean the same: only a plain True does. Nothing where the judge did not answer for each."""
    if not isinstance(answer, Sequence) or len(answer) != len(pairs):
        return {}
    return {pair: same is True for pair, same in zip(pairs, answer, strict=True)}


def _replies(questions: Sequence[Question], answer: object) -> tuple[Reply, ...] | None:
    """One reply a question, or None where they did not come."""
    if not isinstance(answer, ReplyBatch) or len(answer.replies) != len(questions):
        return None
    return answer.replies if all(isinstance(reply, Reply) for reply in answer.replies) else None


def _detail(answer: object) -> str:
    return str(answer) if isinstance(answer, MeasurementError) else "the answer has the wrong form"


def comparators_of(calls: Sequence[Call]) -> dict[str, dict[str, Named]]:
    """Comparators by tool. Where two calls of a tool met rules that differ, only what both say holds."""
    found: dict[str, dict[str, Named]] = {}
    for call in calls:
        named = dict(call.resolution.comparators)
        known = found.setdefault(call.call.name, named)
        found[call.call.name] = {path: name for path, name in known.items() if named.get(path) == name}
    return found
