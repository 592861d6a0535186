"""How questions about a plan are asked, without I/O: retries, and fewer letter probabilities where many are refused."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from guardrail.errors import AskingError
from guardrail.sampling.drawing import Answer, Failure, retry_wait
from guardrail.sampling.validity import inspect
from guardrail.types import Question, Reply, ReplyBatch, Sample, SampleStatus, Usage

_CUT_BY_ITS_LIMIT: Final = frozenset({"length", "max_tokens", "max_output_tokens"})

_ADAPTATIONS: Final = 3
"""An endpoint that refuses whatever is sent is not asked for ever."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """One question to send, after ``wait`` seconds; with the ``top`` likeliest first tokens (0: no probabilities)."""

    question: Question
    top: int = 0
    wait: float = 0.0
    attempt: int = 0
    adapted: int = 0


class Letters:
    """How many of the likeliest tokens an endpoint gives, as far as it has shown: it is asked for the first of
    ``steps``, and for the next wherever that is refused. The last, 0, asks for no probabilities.
    """

    def __init__(self, steps: Sequence[int] = (20, 5, 0)) -> None:
        self._steps = (*(step for step in steps if step), 0)

    @property
    def most(self) -> int:
        """What is worth asking for."""
        return self._steps[0]

    def fewer(self, top: int) -> int:
        """What to ask for where ``top`` is refused."""
        return next(step for step in self._steps if step < top)

    def lower(self, top: int) -> None:
        """Remember that no more than ``top`` are given."""
        self._steps = tuple(step for step in self._steps if step <= top)


def inquire(
    questions: Sequence[Question],
    letters: Letters,
    *,
    retries: int,
    patience: float,
    adapt: Callable[[Failure], bool] = lambda _failure: False,
) -> Generator[tuple[Query, ...], Sequence[Answer | Failure], ReplyBatch]:
    """Yield rounds of queries that may be sent at the same time, until each question has its reply.

    ``adapt`` is told of every refusal, and says whether the adapter will now send something else. The usage is that
    of every request; its seconds are the driver's to fill in.

    Raises:
        AskingError: no question could be asked; the cause is the first failure.
    """
    replies: list[Reply | None] = [None] * len(questions)
    waiting = {
        index: Query(question=question, top=letters.most if question.letters else 0)
        for index, question in enumerate(questions)
    }
    usage = Usage()
    failures: list[Failure] = []
    while waiting:
        outcomes = yield tuple(waiting.values())
        following: dict[int, Query] = {}
        for (index, query), outcome in zip(waiting.items(), outcomes, strict=True):
            usage += outcome.usage
            if isinstance(outcome, Answer):
                if query.question.letters:
                    letters.lower(query.top)
                replies[index] = reply_from(outcome.samples[0], query.question)
                continue
            wait = retry_wait(outcome, query.attempt, retries=retries, patience=patience)
            if wait is not None:
                following[index] = replace(query, wait=wait, attempt=query.attempt + 1)
            elif outcome.refused and query.adapted < _ADAPTATIONS and adapt(outcome):
                following[index] = replace(query, wait=0.0, adapted=query.adapted + 1)
            elif query.top and outcome.may_be_about_n and outcome.refused:
                following[index] = replace(query, wait=0.0, top=letters.fewer(query.top))
            else:
                failures.append(outcome)
                replies[index] = Reply(status=SampleStatus.FAILED, detail=outcome.summary)
        waiting = following
    if failures and len(failures) == len(questions):
        error = AskingError(f"the model could not be asked about its plan: {failures[0].summary}")
        error.usage = usage
        raise error from failures[0].error
    return ReplyBatch(replies=tuple(reply for reply in replies if reply is not None), usage=usage)


def reply_from(sample: Sample, question: Question) -> Reply:
    """What was answered, with the status it deserves.

    An answer of letters may end at its token limit: all that is wanted stands before that.
    """
    if question.letters and (sample.finish_reason or "").lower() in _CUT_BY_ITS_LIMIT:
        sample = replace(sample, finish_reason=None)
    (seen,) = inspect([sample])
    status, detail = seen.status, seen.detail
    if status is SampleStatus.EMPTY and question.letters and seen.tokens:
        # a server may keep the only token for itself, and still say how likely it was
        status, detail = SampleStatus.OK, ""
    return Reply(text=seen.text, tokens=seen.tokens, status=status, detail=detail)
