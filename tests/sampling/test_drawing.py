"""How n samples are asked for: split, topped up, retried, paid."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.errors import SamplingError
from guardrail.sampling import Answer, Ask, Failure, Limit, draw, retry_wait
from guardrail.types import Sample, SampleBatch, ToolCall, Usage

Endpoint = Callable[[Ask], Answer | Failure]


class HTTPError(Exception):
    def __init__(self, status: int, message: str = "no", headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status_code = status
        self.response = type("Response", (), {"headers": headers or {}, "status_code": status})()


def answer(choices: int) -> Answer:
    calls = (ToolCall(name="pay", arguments={"amount": 1}),)
    return Answer(
        samples=tuple(Sample(calls=calls) for _ in range(choices)),
        usage=Usage(requests=1, prompt_tokens=50, completion_tokens=7 * choices),
    )


def failure(status: int, message: str = "no", **headers: str) -> Failure:
    return Failure.of(HTTPError(status, message, {k.replace("_", "-"): v for k, v in headers.items()}))


def run(
    n: int, endpoint: Endpoint, limit: Limit | None = None, retries: int = 2
) -> tuple[SampleBatch, list[list[Ask]]]:
    rounds: list[list[Ask]] = []
    drawing = draw(n, limit or Limit(), retries=retries, patience=60)
    try:
        asks = next(drawing)
        while True:
            rounds.append(list(asks))
            assert len(rounds) < 50
            asks = drawing.send([endpoint(ask) for ask in asks])
    except StopIteration as end:
        return end.value, rounds


def sizes(rounds: list[list[Ask]]) -> list[list[int]]:
    return [[ask.choices for ask in asks] for asks in rounds]


def at_most(most: int, message: str = "n must be at most that") -> Endpoint:
    return lambda ask: answer(ask.choices) if ask.choices <= most else failure(400, message)


def test_one_request_where_n_is_honoured() -> None:
    batch, rounds = run(8, lambda ask: answer(ask.choices))
    assert sizes(rounds) == [[8]]
    assert batch.usage == Usage(requests=1, prompt_tokens=50, completion_tokens=56)


def test_what_an_ignored_n_leaves_out_is_topped_up_and_remembered() -> None:
    limit = Limit()
    batch, rounds = run(5, lambda _ask: answer(1), limit)
    assert sizes(rounds) == [[5], [1, 1, 1, 1]]
    assert len(batch.samples) == 5
    assert batch.usage.requests == 5
    assert sizes(run(5, lambda _ask: answer(1), limit)[1]) == [[1] * 5]


def test_a_refused_n_is_halved_and_remembered() -> None:
    limit = Limit()
    batch, rounds = run(8, at_most(3), limit)
    assert sizes(rounds) == [[8], [4, 4], [2, 2, 2, 2]]
    assert len(batch.samples) == 8
    assert sizes(run(5, at_most(3), limit)[1]) == [[2, 2, 1]]


def test_a_refusal_that_does_not_speak_of_n_leads_to_single_requests() -> None:
    _, rounds = run(4, at_most(1, "unsupported"))
    assert sizes(rounds) == [[4], [1, 1, 1, 1]]


def test_a_refusal_of_everything_is_not_held_against_n() -> None:
    limit = Limit()
    with pytest.raises(SamplingError):
        run(4, lambda _ask: failure(400, "unknown tool"), limit)
    assert limit.most is None


def test_a_server_error_on_n_is_split_but_not_remembered() -> None:
    limit = Limit()
    batch, _ = run(4, lambda ask: answer(1) if ask.choices == 1 else failure(500), limit, retries=0)
    assert len(batch.samples) == 4
    assert limit.most is None


def test_more_than_asked_is_paid_but_not_used() -> None:
    batch, _ = run(3, lambda _ask: answer(9))
    assert len(batch.samples) == 3
    assert batch.usage.completion_tokens == 63


@pytest.mark.parametrize("status", [401, 403, 404, 429])
def test_refusals_that_are_not_about_n_are_not_split(status: int) -> None:
    asked: list[Ask] = []

    def endpoint(ask: Ask) -> Failure:
        asked.append(ask)
        return failure(status)

    with pytest.raises(SamplingError) as error:
        run(8, endpoint, retries=0)
    assert [ask.choices for ask in asked] == [8]
    assert f"HTTP {status}" in str(error.value)
    assert isinstance(error.value.usage, Usage)
    assert error.value.usage.requests == 1


def test_the_cause_is_kept_and_the_providers_words_are_not_repeated() -> None:
    with pytest.raises(SamplingError) as error:
        run(1, lambda _ask: failure(401, "Incorrect API key provided: sk-secret"))
    assert "sk-secret" not in str(error.value)
    assert "check the API key" in str(error.value)
    assert isinstance(error.value.__cause__, HTTPError)


def test_transient_failures_are_sent_again_with_growing_waits() -> None:
    _, rounds = run(2, lambda ask: failure(503) if ask.attempt < 2 else answer(ask.choices))
    waits = [asks[0].wait for asks in rounds]
    assert waits[0] == 0
    assert 0.25 <= waits[1] <= 0.5 <= waits[2] <= 1.0


def test_the_rest_of_a_partly_failed_drawing_is_marked_failed() -> None:
    count = iter(range(10))
    batch, _ = run(4, lambda _ask: answer(1) if next(count) % 2 else failure(401), Limit(1))
    assert [one.status.value for one in batch.samples] == ["ok", "ok", "failed", "failed"]
    assert "HTTP 401" in batch.samples[-1].detail
    assert batch.usage.requests == 4


@pytest.mark.parametrize(
    ("given", "wait"),
    [
        (failure(429, retry_after="7"), 7.0),
        (failure(503, retry_after="0"), 0.0),
        (failure(429, retry_after="61"), None),
        (failure(429, retry_after="Fri, 01 Jan 2100 00:00:00 GMT"), None),
        (failure(429, retry_after="Mon, 01 Jan 2001 00:00:00 GMT"), 0.0),
        (failure(400), None),
        (failure(422), None),
        (Failure.of(TimeoutError()), None),
        (Failure.of(ValueError("what")), None),
    ],
)
def test_what_the_server_asks_for_is_obeyed_within_reason(given: Failure, wait: float | None) -> None:
    assert retry_wait(given, 0, retries=2, patience=60) == wait


@pytest.mark.parametrize("value", ["soon", "nan", ""])
def test_an_unreadable_retry_after_means_backoff(value: str) -> None:
    wait = retry_wait(failure(429, retry_after=value), 0, retries=2, patience=60)
    assert wait is not None
    assert 0.25 <= wait <= 0.5


def test_retries_end() -> None:
    assert retry_wait(failure(429, retry_after="0"), 2, retries=2, patience=60) is None


def test_an_unreachable_endpoint_is_tried_again_and_named() -> None:
    unreachable = Failure.of(ConnectionRefusedError())
    assert retry_wait(unreachable, 0, retries=1, patience=60) is not None
    assert "cannot be reached" in unreachable.summary


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "tokens"),
    [
        (HTTPError(429), 0),
        (HTTPError(400), 0),
        (HTTPError(500), 0),
        (HTTPError(408), None),
        (HTTPError(504), None),
        (TypeError("unexpected keyword 'n'"), 0),
        (ConnectionRefusedError(), 0),
        (_caused(type("APIConnectionError", (Exception,), {})(), type("ConnectError", (Exception,), {})()), 0),
        (type("APIConnectionError", (Exception,), {})(), None),
        (TimeoutError(), None),
        (ValueError(), None),
    ],
    ids=repr,
)
def test_a_failed_request_costs_nothing_only_where_the_model_was_not_asked(
    error: Exception, tokens: int | None
) -> None:
    assert Failure.of(error).usage == Usage(requests=1, prompt_tokens=tokens, completion_tokens=tokens)


def test_one_request_that_reports_no_tokens_leaves_the_bill_unknown() -> None:
    silent = Answer(samples=answer(1).samples, usage=Usage(requests=1, seconds=1.0))
    batch, _ = run(3, lambda ask: answer(2) if ask.choices == 3 else silent)
    assert batch.usage == Usage(requests=2, seconds=1.0)


def test_an_answer_has_samples() -> None:
    with pytest.raises(ValueError, match="without choices"):
        Answer(samples=(), usage=Usage())


@given(
    n=st.integers(1, 20),
    honoured=st.integers(1, 20),
    refused_from=st.integers(2, 30),
    known=st.one_of(st.none(), st.integers(1, 20)),
    fails=st.sets(st.integers(0, 40)),
)
def test_exactly_n_come_back_whatever_the_endpoint_does(
    n: int, honoured: int, refused_from: int, known: int | None, fails: set[int]
) -> None:
    sent = 0
    given_back = 0

    def endpoint(ask: Ask) -> Answer | Failure:
        nonlocal sent, given_back
        sent += 1
        if sent - 1 in fails:
            return failure(500, retry_after="0")
        if ask.choices >= refused_from:
            return failure(400, "n is too large")
        given_back += min(ask.choices, honoured)
        return answer(min(ask.choices, honoured))

    limit = Limit(known)
    try:
        batch, rounds = run(n, endpoint, limit)
    except SamplingError:
        assert given_back == 0
        return
    assert len(batch.samples) == n
    assert sum(one.valid for one in batch.samples) == given_back <= n
    assert batch.usage.requests == sent
    if known is not None:
        assert max(ask.choices for ask in rounds[0]) <= known
