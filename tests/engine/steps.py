"""Steps, samples, policies and backends for the tests of the engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from guardrail import Guard, Policy
from guardrail.clustering import TextPair
from guardrail.sampling import ScriptedSampler
from guardrail.store import MemoryStore
from guardrail.types import (
    Need,
    PlanningStep,
    Question,
    Reply,
    ReplyBatch,
    Safer,
    Sample,
    SampleBatch,
    SampleStatus,
    Signal,
    SignalInfo,
    StepVerdict,
    Token,
    ToolCall,
    ToolSpec,
    Usage,
)

PAY = ToolSpec(
    name="pay",
    parameters={
        "type": "object",
        "properties": {"amount": {"type": "number"}, "memo": {"type": "string", "description": "Free text."}},
        "required": ["amount"],
    },
)
READ = ToolSpec(name="read", parameters={"type": "object", "properties": {"id": {"type": "string"}}})


def pay(amount: float, memo: str | None = None, identity: str = "c1") -> ToolCall:
    arguments: dict[str, Any] = {"amount": amount}
    if memo is not None:
        arguments["memo"] = memo
    return ToolCall(name="pay", arguments=arguments, id=identity)


def read(name: str, identity: str = "c2") -> ToolCall:
    return ToolCall(name="read", arguments={"id": name}, id=identity)


def sample(*calls: ToolCall, **more: Any) -> Sample:
    return Sample(calls=calls, text="" if calls else "Which one?", **more)


def step(*calls: ToolCall, **more: Any) -> PlanningStep:
    given: dict[str, Any] = {
        "id": "m1",
        "planned": sample(*calls),
        "tools": (PAY, READ),
        "request": "the request",
        "thread_id": "t1",
        **more,
    }
    return PlanningStep(**given)


def likely(logprob: float, **more: Any) -> PlanningStep:
    """A step whose every token is so likely."""
    texts = ('{"', "amount", '":', " ", "10", "}")
    return step(planned=sample(pay(10), tokens=tuple(Token(text=text, logprob=logprob) for text in texts)), **more)


def tiers(tier: str, **more: Any) -> Policy:
    return Policy.parse({"default": {"tier": tier}, **more})


GOOD, OTHER, BROKEN = sample(pay(10)), sample(pay(20)), sample(pay(10), status=SampleStatus.TRUNCATED)


def in_order(drawn: Sequence[Sample]) -> Callable[[PlanningStep, int], SampleBatch]:
    left = list(drawn)

    def draw(_step: PlanningStep, n: int) -> SampleBatch:
        batch, left[:] = left[:n], left[n:]
        return SampleBatch(samples=tuple(batch), usage=Usage(requests=1, prompt_tokens=100, completion_tokens=10 * n))

    return draw


def decide(policy: Policy, drawn: Sequence[Sample], one: PlanningStep | None = None, **options: Any) -> StepVerdict:
    return Guard(policy, ScriptedSampler(in_order(drawn)), MemoryStore(), **options).assess(one or step(pay(10)))


class Broken:
    """A backend that fails in every way it can."""

    name = "broken"

    def __init__(self, error: Exception | None = None, answer: Any = None) -> None:
        self._error, self._answer = error, answer

    def _fail(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._answer

    def sample(self, step: PlanningStep, n: int) -> Any:
        return self._fail()

    async def asample(self, step: PlanningStep, n: int) -> Any:
        return self._fail()

    def equivalent(self, pairs: Sequence[TextPair]) -> Any:
        return self._fail()

    async def aequivalent(self, pairs: Sequence[TextPair]) -> Any:
        return self._fail()

    def ask(self, step: PlanningStep, questions: Sequence[Question]) -> Any:
        return self._fail()

    async def aask(self, step: PlanningStep, questions: Sequence[Question]) -> Any:
        return self._fail()


class Stated:
    """Asks for a number and takes the reply's text for it."""

    def __init__(self, name: str = "p_true", questions: int = 1) -> None:
        self.info = SignalInfo(
            name=name,
            unit="probability",
            safer=Safer.HIGH,
            needs=frozenset({Need.QUESTION}),
            title=f"stated {name}",
            low=0.0,
            high=1.0,
            self_reported=True,
        )
        self._questions = questions

    def questions(self, step: PlanningStep, index: int) -> tuple[Question, ...]:
        name = self.info.name
        one = Question(signal=name, about=index, system="", user=f"{name} of {index}", max_tokens=5)
        return (one,) * self._questions

    def measure(self, evidence: Any) -> Signal:
        replies = evidence.replies[self.info.name]
        if not all(reply.valid for reply in replies):
            return Signal(name=self.info.name, missing="no usable reply")
        try:
            return Signal(name=self.info.name, value=min(float(reply.text) for reply in replies))
        except ValueError:
            return Signal(name=self.info.name, missing="no number came back")


class Answering:
    """An asker with an answer a question, and what it was asked."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked: list[list[str]] = []

    def ask(self, step: PlanningStep, questions: Sequence[Question]) -> ReplyBatch:
        self.asked.append([question.user for question in questions])
        texts = [self._answers.pop(0) if len(self._answers) > 1 else self._answers[0] for _ in questions]
        usage = Usage(requests=len(questions), prompt_tokens=50 * len(texts), completion_tokens=len(texts))
        return ReplyBatch(replies=tuple(Reply(text=text) for text in texts), usage=usage)

    async def aask(self, step: PlanningStep, questions: Sequence[Question]) -> ReplyBatch:
        return self.ask(step, questions)


class Model:
    """A risk model: 1 minus the mean of its signals, each of which is better the higher it is."""

    digest = "model-1"

    def __init__(self, *signals: str) -> None:
        self.signals = signals

    def risk(self, signals: Sequence[Signal]) -> Signal:
        ends = [one.bounds or ((one.value, one.value) if one.value is not None else None) for one in signals]
        if not all(ends):
            missing = next(one.missing for one, end in zip(signals, ends, strict=True) if end is None)
            return Signal(name="risk", missing=missing or "not learned")
        low = 1 - sum(end[1] for end in ends if end) / len(ends)
        high = 1 - sum(end[0] for end in ends if end) / len(ends)
        bounds = None if low == high else (max(0.0, low), min(1.0, high))
        if all(one.value is not None for one in signals):
            return Signal(name="risk", value=high if bounds is None else bounds[1], bounds=bounds)
        return Signal(name="risk", missing="samples are missing", bounds=bounds)
