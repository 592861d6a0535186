"""How n samples are asked for, without I/O: sizes of requests, top-ups, splits, retries, and the bill.

``draw`` yields rounds of requests that may be sent at the same time and is sent what came of each.
A sampler only has to send them, synchronously or not.
"""

from __future__ import annotations

import random
import re
from collections.abc import Generator, Mapping, Sequence
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
_MAYBE_SERVED = frozenset({408, 504})
_NOT_SENT = frozenset({"ConnectError", "ConnectTimeout", "ConnectionRefusedError", "PoolTimeout"})
_CONNECTION_ERRORS = frozenset({"APIConnectionError", "TransportError", "ConnectionError"})
_ABOUT_N = re.compile(r"\bn\b|\bn_\w+|choices|candidate|slots|parallel", re.IGNORECASE)
_OUT_OF_CREDIT = "insufficient_quota"
_LIMITED = ("requests", "tokens")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s|)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "": 1.0, "ms": 0.001}


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
    """What went wrong with one request. ``retry_after`` is what the server asked for, in seconds.

    ``usage`` has no tokens where the model cannot have been asked, and unknown ones where it may have been.
    ``final``: the same request fails again, whatever its number of choices. ``advice`` is what to do, where the
    adapter knows more than the status tells.
    """

    error: Exception
    status: int | None = None
    retry_after: float | None = None
    timed_out: bool = False
    unreachable: bool = False
    final: bool = False
    advice: str = ""
    usage: Usage = field(default_factory=lambda: Usage(requests=1))

    @classmethod
    def of(cls, error: Exception) -> Failure:
        """What an exception of any HTTP client or provider library says."""
        names = {kind.__name__ for kind in type(error).__mro__}
        timed_out = any("Timeout" in name for name in names)
        status = _status(error)
        unserved = status not in _MAYBE_SERVED if status is not None else isinstance(error, TypeError) or _unsent(error)
        tokens = 0 if unserved else None
        return cls(
            error=error,
            status=status,
            usage=Usage(requests=1, prompt_tokens=tokens, completion_tokens=tokens),
            retry_after=_retry_after(error),
            timed_out=timed_out,
            unreachable=not timed_out and bool(names & _CONNECTION_ERRORS),
            final=getattr(error, "code", None) == _OUT_OF_CREDIT or _headers(error).get("x-should-retry") == "false",
            advice="the account has no credit left" if getattr(error, "code", None) == _OUT_OF_CREDIT else "",
        )

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later. A timeout is final: it has used up the time there was."""
        if self.final:
            return False
        if self.status is None:
            return self.unreachable
        return self.status in _TRANSIENT or self.status >= _SERVER_ERROR

    @property
    def may_be_about_n(self) -> bool:
        """Whether a request for fewer samples might be accepted."""
        if self.final or self.timed_out or self.unreachable:
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
        if self.advice:
            return f": {self.advice}"
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
    n: int, limit: Limit, *, retries: int, patience: float, first_alone: bool = False
) -> Generator[tuple[Ask, ...], Sequence[Answer | Failure], SampleBatch]:
    """Yield rounds of requests until ``n`` samples are there or the rest cannot be had.

    What is missing becomes samples of status ``failed``. The usage has every request that was sent,
    and tokens as reported; its seconds are the driver's to fill in. ``patience`` is the longest wait,
    in seconds, that a server's Retry-After may ask for. With ``first_alone``, several requests are sent only when
    one has been answered: a server that keeps the prompts it has read then reads this one once.

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
        # where the first failed for good, the others do not wait for each other
        alone = first_alone and not samples and not failures
        asks, held = (asks[:1], asks[1:]) if alone else (asks, ())
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
        asks = tuple(chain.from_iterable((*following, held)))
    if not samples:
        raise _nothing_drawn(failures[0], usage)
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


def _nothing_drawn(failure: Failure, usage: Usage) -> SamplingError:
    error = SamplingError(f"the planning step could not be drawn again: {failure.summary}")
    error.usage = usage  # requests that failed are paid too
    error.__cause__ = failure.error
    return error


def _unsent(error: BaseException | None) -> bool:
    """Whether no connection came about, as far as the causes tell."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        if {kind.__name__ for kind in type(error).__mro__} & _NOT_SENT:
            return True
        seen.append(error)
        error = error.__cause__
    return False


def _status(error: Exception) -> int | None:
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "status", "code"):
            status = getattr(holder, name, None)
            if isinstance(status, int) and 100 <= status < 600:
                return status
    return None


def _headers(error: Exception) -> Mapping[str, str]:
    headers = getattr(getattr(error, "response", None), "headers", None)
    return headers if isinstance(headers, Mapping) else {}


def _retry_after(error: Exception) -> float | None:
    """What the server asked for: milliseconds, seconds or a date, else when a limit that is used up is whole again."""
    headers = _headers(error)
    if (milliseconds := _number(headers.get("retry-after-ms"))) is not None:
        return milliseconds / 1000
    if value := headers.get("retry-after"):
        seconds = _number(value)
        return _until(value) if seconds is None else seconds
    resets = [
        _duration(headers.get(f"x-ratelimit-reset-{what}"))
        for what in _LIMITED
        if headers.get(f"x-ratelimit-remaining-{what}") == "0"
    ]
    return max((reset for reset in resets if reset is not None), default=None)


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return max(0.0, number) if number == number else None  # noqa: PLR0124 - NaN is no wait


def _until(date: str) -> float | None:
    try:
        return max(0.0, (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _duration(value: str | None) -> float | None:
    """Seconds of "1s", "6m0s", "120ms" or a plain number."""
    parts = _DURATION.findall(value or "")
    if not parts or "".join(number + unit for number, unit in parts) != value:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
