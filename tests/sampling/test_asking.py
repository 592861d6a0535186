"""How questions are asked, without any I/O."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from guardrail.errors import AskingError
from guardrail.sampling import Answer, Failure, Letters, Query, inquire
from guardrail.types import Question, ReplyBatch, Sample, SampleStatus, Usage


class HTTPError(Exception):
    def __init__(self, status_code: int, message: str = "") -> None:
        super().__init__(message)
        self.status_code = status_code


def question(*letters: str, text: str = "?") -> Question:
    return Question(signal="p_true", about=0, system="s", user=text, max_tokens=1, letters=letters)


def said(text: str) -> Answer:
    return Answer(samples=(Sample(text=text),), usage=Usage(requests=1, prompt_tokens=3, completion_tokens=1))


def refused(status: int = 400, message: str = "") -> Failure:
    return Failure.of(HTTPError(status, message))


def run(
    questions: list[Question],
    respond: Callable[[Query], Answer | Failure],
    letters: Letters | None = None,
    adapt: Callable[[Failure], bool] = lambda _: False,
) -> tuple[ReplyBatch, list[list[Query]]]:
    rounds = inquire(questions, letters or Letters(), retries=2, patience=5.0, adapt=adapt)
    asked: list[list[Query]] = []
    try:
        queries = next(rounds)
        while True:
            asked.append(list(queries))
            queries = rounds.send([respond(query) for query in queries])
    except StopIteration as end:
        return end.value, asked


def test_replies_keep_the_order_of_questions_and_all_requests_are_billed() -> None:
    failed: list[str] = []

    def respond(query: Query) -> Answer | Failure:
        if query.question.user == "a" and not failed:
            failed.append("a")
            return refused(503)
        return said(query.question.user)

    batch, asked = run([question(text="a"), question(text="b")], respond)
    assert [reply.text for reply in batch.replies] == ["a", "b"]
    assert [[query.question.user for query in one] for one in asked] == [["a", "b"], ["a"]]
    assert asked[1][0].wait > 0
    assert batch.usage == Usage(requests=3, prompt_tokens=6, completion_tokens=2)


def test_letters_are_asked_for_only_where_they_are_wanted() -> None:
    _, asked = run([question("A", "B"), question()], lambda _: said("A"), Letters((8, 0)))
    assert [query.top for query in asked[0]] == [8, 0]


@pytest.mark.parametrize("most", [20, 5, 0])
def test_what_is_refused_is_asked_for_less_and_remembered(most: int) -> None:
    letters = Letters()
    _, asked = run([question("A")], lambda query: refused() if query.top > most else said("A"), letters)
    assert [one[0].top for one in asked] == [top for top in (20, 5, 0) if top >= most]
    assert letters.most == most


def test_a_refusal_of_everything_teaches_nothing() -> None:
    letters = Letters()
    with pytest.raises(AskingError, match="HTTP 400"):
        run([question("A")], lambda _: refused(), letters)
    assert letters.most == 20


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_key_or_a_model_that_is_wrong_is_not_a_matter_of_letters(status: int) -> None:
    asked: list[Query] = []
    with pytest.raises(AskingError):
        run([question("A")], lambda query: asked.append(query) or refused(status))
    assert len(asked) == 1


def test_what_an_adapter_can_change_is_sent_again_but_not_for_ever() -> None:
    told: list[Failure] = []

    def adapt(failure: Failure) -> bool:
        told.append(failure)
        return True

    batch, asked = run([question()], lambda query: refused() if query.adapted < 2 else said("x"), adapt=adapt)
    assert (batch.replies[0].text, len(asked), len(told)) == ("x", 3, 2)
    with pytest.raises(AskingError):
        run([question()], lambda _: refused(), adapt=lambda _: True)


def test_some_failures_are_replies_of_that_status() -> None:
    batch, _ = run(
        [question(text="a"), question(text="b")],
        lambda query: refused(403) if query.question.user == "a" else said("b"),
    )
    assert [reply.status for reply in batch.replies] == [SampleStatus.FAILED, SampleStatus.OK]
    assert "API key" in batch.replies[0].detail


def test_a_timeout_is_final() -> None:
    asked: list[Query] = []
    with pytest.raises(AskingError, match="no answer in time"):
        run([question("A")], lambda query: asked.append(query) or Failure.of(TimeoutError()))
    assert len(asked) == 1


def test_no_questions_cost_nothing() -> None:
    batch, asked = run([], lambda _: said("x"))
    assert (batch.replies, batch.usage, asked) == ((), Usage(), [])
