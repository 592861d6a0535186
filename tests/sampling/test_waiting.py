"""When a request is sent again, and which goes first."""

from __future__ import annotations

import pytest

from guardrail.sampling import Answer, Ask, Failure, Limit, draw, retry_wait
from guardrail.types import Sample, SampleBatch, Usage


class HTTPError(Exception):
    def __init__(self, status_code: int, headers: dict[str, str] | None = None, code: str | None = None) -> None:
        super().__init__()
        self.status_code = status_code
        self.code = code
        self.response = type("Response", (), {"headers": headers or {}})()


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after": "soon", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1s"}, None),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1h2m3.5s"}, 3723.5),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "12ms"}, 0.012),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "7"}, 7.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "7 days"}, None),
        ({"x-ratelimit-remaining-tokens": "5", "x-ratelimit-reset-tokens": "6m0s"}, None),
        ({"x-ratelimit-remaining-tokens": "-1", "x-ratelimit-reset-tokens": "0"}, None),
        (
            {
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "2s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "5s",
            },
            5.0,
        ),
        ({}, None),
    ],
    ids=str,
)
def test_what_a_server_asks_for_is_read(headers: dict[str, str], wait: float | None) -> None:
    found = Failure.of(HTTPError(429, headers)).retry_after
    assert found == (wait if wait is None else pytest.approx(wait))


@pytest.mark.parametrize(
    "error", [HTTPError(429, code="insufficient_quota"), HTTPError(503, {"x-should-retry": "false"})]
)
def test_what_will_fail_again_is_not_sent_again_nor_for_fewer_choices(error: HTTPError) -> None:
    failure = Failure.of(error)
    assert retry_wait(failure, 0, retries=3, patience=9) is None
    assert not failure.may_be_about_n


def test_an_account_without_credit_is_named() -> None:
    assert Failure.of(HTTPError(429, code="insufficient_quota")).summary == (
        "HTTPError (HTTP 429): the account has no credit left"
    )


def rounds_of(outcomes: dict[int, Failure], n: int = 4, *, first_alone: bool = True) -> tuple[SampleBatch, list[int]]:
    """The sizes of the rounds; the request of a given number meets a failure."""
    drawing = draw(n, Limit(1), retries=1, patience=9.0, first_alone=first_alone)
    sizes: list[int] = []
    sent = 0

    def answer(_ask: Ask) -> Answer | Failure:
        nonlocal sent
        sent += 1
        return outcomes.get(sent - 1) or Answer(samples=(Sample(text="x"),), usage=Usage(requests=1))

    try:
        asks = next(drawing)
        while True:
            sizes.append(len(asks))
            asks = drawing.send([answer(ask) for ask in asks])
    except StopIteration as end:
        return end.value, sizes


def test_the_first_request_goes_alone_until_it_is_answered() -> None:
    assert rounds_of({})[1] == [1, 3]
    assert rounds_of({}, first_alone=False)[1] == [4]
    assert rounds_of({}, n=1)[1] == [1]
    batch, sizes = rounds_of({0: Failure.of(HTTPError(429))})
    assert sizes == [1, 1, 3]
    assert len(batch.samples) == 4


def test_where_the_first_is_lost_the_rest_do_not_queue() -> None:
    batch, sizes = rounds_of({0: Failure.of(TimeoutError())})
    assert sizes == [1, 3]
    assert [sample.valid for sample in batch.samples] == [True, True, True, False]
