"""How n samples are asked for, without I/O: sizes of requests, top-ups, splits, retries, and the bill.

``draw`` yields rounds of requests that may be sent at the same time and is sent what came of each.
A sampler only has to send them, synchronously or not.
"""

from __future__ import annotations

import random
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import chain

from guardrail.errors import SamplingError
from guardrail.types import Sample, SampleBatch, SampleStatus, Usage

BACKOFF_SECONDS = 0.5

_UNAUTHORIZED = frozenset({401, 403})
_NOT_FOUND = 404
_TRANSIENT = frozenset({408, 409, 425, 429})
_SERVER_ERROR = 500
_NOT_ABOUT_N = _UNAUTHORIZED | _TRANSIENT | {_NOT_FOUND}
_CONNECTION_ERRORS = frozenset({"APIConnectionError", "TransportError", "ConnectionError"})
_ABOUT_N = re.compile(r"\bn\b|\bn_\w+|choices|candidate|slots|parallel", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request to send: for ``choices`` samples, after ``wait`` seconds."""

    choices: int
    wait: float = 0.0
    attempt: int = 0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one request gave, at least one sample, and what it cost."""

    samples: tuple[Sample, ...]
    usage: Usage

    def __post_init__(self) -> None:
        if not self.samples:
            raise ValueError("an answer without choices is a failure")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What went wrong with one request. ``retry_after`` is what the server asked for, in seconds."""

    error: Exception
    status: int | None = None
    retry_after: float | None = None
    timed_out: bool = False
    unreachable: bool = False
    usage: Usage = field(default_factory=lambda: Usage(requests=1))

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """What an exception of any HTTP client or provider library says."""
        names = {kind.__name__ for kind in type(error).__mro__}
        timed_out = any("Timeout" in name for name in names)
        return cls(
            error=error,
            status=_status(error),
            retry_after=_retry_after(error),
            timed_out=timed_out,
            unreachable=not timed_out and bool(names & _CONNECTION_ERRORS),
        )

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later. A timeout is final: it has used up the time there was."""
        if self.status is None:
            return self.unreachable
        return self.status in _TRANSIENT or self.status >= _SERVER_ERROR

    @property
    def may_be_about_n(self) -> bool:
        """Whether a request for fewer samples might be accepted."""
        if self.timed_out or self.unreachable:
            return False
        return self.status not in _NOT_ABOUT_N and "ContextOverflow" not in type(self.error).__name__

    @property
    def refused(self) -> bool:
        """Whether the endpoint or its client turned the request down, rather than broke over it."""
        if self.status is None:
            return isinstance(self.error, TypeError)
        return not self.transient

    @property
    def summary(self) -> str:
        """What happened and what to do. The provider's own words stay in ``error``: they may hold secrets."""
        code = f" (HTTP {self.status})" if self.status is not None else ""
        return f"{type(self.error).__name__}{code}{self._advice}"

    @property
    def _advice(self) -> str:
        if self.timed_out:
            return ": no answer in time; raise the sampler's timeout or use a faster endpoint"
        if self.unreachable:
            return ": the endpoint cannot be reached; check its address and that it runs"
        if self.status in _UNAUTHORIZED:
            return ": check the API key"
        if self.status == _NOT_FOUND:
            return ": check the model's name and the endpoint's address"
        return ""


class Limit:
    """How many samples one request may ask for, as far as an endpoint has shown. None: no limit met."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most

    def lower(self, most: int) -> None:
        """Remember that more than ``most`` do not come back from one request."""
        self.most = most if self.most is None else min(self.most, most)


def draw(
    n: int, limit: Limit, *, retries: int, patience: float
) -> Generator[tuple[Ask, ...], Sequence[Answer | Failure], SampleBatch]:
    """Yield rounds of requests until ``n`` samples are there or the rest cannot be had.

    What is missing becomes samples of status ``failed``. The usage has every request that was sent,
    and tokens as reported; its seconds are the driver's to fill in. ``patience`` is the longest wait,
    in seconds, that a server's Retry-After may ask for.

    Raises:
        SamplingError: no sample at all; the cause is the first failure.
    """
    samples: list[Sample] = []
    usage = Usage()
    failures: list[Failure] = []
    lost = 0
    learned: int | None = None
    asks = _split(n, limit.most)
    while asks:
        outcomes = yield asks
        following: list[tuple[Ask, ...]] = []
        for ask, outcome in zip(asks, outcomes, strict=True):
            usage += outcome.usage
            if isinstance(outcome, Answer):
                samples += outcome.samples[: ask.choices]
                came = len(outcome.samples)
                if came < ask.choices:
                    learned = _least(learned, came)
                    following.append(_split(ask.choices - came, came))
                continue
            wait = retry_wait(outcome, ask.attempt, retries=retries, patience=patience)
            if wait is not None:
                following.append((Ask(choices=ask.choices, wait=wait, attempt=ask.attempt + 1),))
            elif ask.choices > 1 and outcome.may_be_about_n:
                fewer = _fewer(ask.choices, outcome)
                if outcome.refused:
                    learned = _least(learned, fewer)
                following.append(_split(ask.choices, fewer))
            else:
                failures.append(outcome)
                lost += ask.choices
        asks = tuple(chain.from_iterable(following))
    if not samples:
        raise _nothing_drawn(failures[0])
    # only now: a refusal that single requests meet too was not about their number
    if learned is not None:
        limit.lower(learned)
    detail = failures[0].summary if failures else ""
    return SampleBatch(
        samples=(*samples, *[Sample(status=SampleStatus.FAILED, detail=detail)] * lost),
        usage=usage,
    )


def retry_wait(failure: Failure, attempt: int, *, retries: int, patience: float) -> float | None:
    """Seconds to wait before the request is sent again, None if it should not be.

    What the server asked for in Retry-After, else exponential backoff with jitter.
    """
    if not failure.transient or attempt >= retries:
        return None
    if failure.retry_after is not None:
        return failure.retry_after if failure.retry_after <= patience else None
    backoff: float = BACKOFF_SECONDS * 2**attempt
    return backoff * random.uniform(0.5, 1.0)  # noqa: S311 - spreads clients out, guards no secret


def _split(n: int, most: int | None) -> tuple[Ask, ...]:
    size = n if most is None else min(n, most)
    if size < 1:
        return ()
    whole, rest = divmod(n, size)
    return (*[Ask(choices=size)] * whole, *([Ask(choices=rest)] if rest else ()))


def _fewer(choices: int, failure: Failure) -> int:
    # half as many while an endpoint complains about their number; one each where it is about something else
    return choices // 2 if failure.status is not None and _ABOUT_N.search(str(failure.error)) else 1


def _least(a: int | None, b: int) -> int:
    return b if a is None else min(a, b)


def _nothing_drawn(failure: Failure) -> SamplingError:
    error = SamplingError(f"the planning step could not be drawn again: {failure.summary}")
    error.__cause__ = failure.error
    return error


def _status(error: Exception) -> int | None:
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "status", "code"):
            status = getattr(holder, name, None)
            if isinstance(status, int) and 100 <= status < 600:
                return status
    return None


def _retry_after(error: Exception) -> float | None:
    headers = getattr(getattr(error, "response", None), "headers", None)
    value = headers.get("retry-after") if headers is not None else None
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (TypeError, ValueError):
            return None
    return max(0.0, seconds) if seconds == seconds else None  # noqa: PLR0124 - NaN is no wait
