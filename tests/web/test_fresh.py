"""Values that are kept for some seconds: made once, renewed in time, and never by more than a tenth of the time."""

from __future__ import annotations

import threading

import pytest

from guardrail.web.pages.fresh import Fresh


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_value_is_made_anew_when_its_time_is_over() -> None:
    time = Time()
    fresh: Fresh[list[int]] = Fresh(5, time)
    first = fresh.get("", "x", lambda: [1])
    time.now += 5
    assert fresh.get("", "x", lambda: [2]) is first
    time.now += 0.1
    assert fresh.get("", "x", lambda: [2]) == [2]
    assert fresh.get("", "y", lambda: [3]) == [3]
    assert fresh.get("other", "x", lambda: [4]) == [4]


def test_what_takes_long_is_made_seldom() -> None:
    time = Time()
    fresh: Fresh[float] = Fresh(5, time)

    def slowly() -> float:
        time.now += 4
        return time.now

    made = fresh.get("", "x", slowly)
    time.now += 40
    assert fresh.get("", "x", slowly) == made
    time.now += 0.1
    assert fresh.get("", "x", slowly) > made


def test_whoever_changed_something_sees_it() -> None:
    fresh: Fresh[int] = Fresh(5, Time())
    fresh.get("", "x", lambda: 1)
    fresh.get("other", "x", lambda: 1)
    fresh.change("", "x", lambda kept: kept + 1)
    fresh.change("", "nothing", lambda kept: kept + 1)
    assert fresh.get("", "x", lambda: 9) == 2
    fresh.forget("")
    assert fresh.get("", "x", lambda: 9) == 9
    assert fresh.get("other", "x", lambda: 9) == 1


def test_what_fails_is_not_kept() -> None:
    fresh: Fresh[int] = Fresh(5, Time())
    with pytest.raises(ZeroDivisionError):
        fresh.get("", "x", lambda: 1 // 0)
    assert fresh.get("", "x", lambda: 1) == 1


def test_many_who_ask_at_once_have_it_made_once() -> None:
    fresh: Fresh[int] = Fresh(60)
    begin, made, got = threading.Barrier(8), [], []

    def make() -> int:
        made.append(1)
        return len(made)

    def ask() -> None:
        begin.wait()
        got.append(fresh.get("", "x", make))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [1] * 8


def test_not_everything_is_kept() -> None:
    fresh: Fresh[int] = Fresh(60)
    for number in range(1000):
        fresh.get(str(number), "x", lambda: 1)
    assert len(fresh._kept) <= 64
