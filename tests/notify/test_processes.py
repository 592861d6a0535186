"""Several processes tell, and some of them die: everything is told, and what is told twice has the same id."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from guardrail.notify import verify
from guardrail.store import Store, open_store
from guardrail.types import NoticeState
from tests.notify.receiving import SECRET, Receiver, opened, until


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("server").fresh_url())
    return f"sqlite:///{tmp_path / 'guardrail.db'}"


@contextmanager
def telling(url: str, hook: str, *more: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.notify.teller", url, hook, *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        if process.poll() is None:
            process.communicate("", timeout=30)
        else:
            process.communicate()


def settled(store: Store, count: int) -> bool:
    return [one.state for one in store.notices(limit=1000)] == [NoticeState.SENT] * count


def told(receiver: Receiver) -> Counter[str]:
    """How often each review was told."""
    said = [verify(one.headers, one.body, SECRET) for one in receiver.requests]
    return Counter(item["id"] for one in said for item in one["data"]["items"])


def test_several_processes_tell_everything_once(url: str, receiver: Receiver) -> None:
    store = open_store(url)
    with telling(url, receiver.url), telling(url, receiver.url), telling(url, receiver.url):
        ids = [opened(store, number) for number in range(30)]
        until(lambda: settled(store, 30), 60)
    # digests name twenty of what they tell; the notices themselves say that the others were in one
    assert set(told(receiver).values()) == {1}
    assert sum(_total(receiver)) == 30
    assert {one.subject for one in store.notices(limit=100)} == set(ids)
    assert len({one.headers["webhook-id"] for one in receiver.requests}) == len(receiver.requests)
    store.close()


def _total(receiver: Receiver) -> list[int]:
    return [verify(one.headers, one.body, SECRET)["data"]["total"] for one in receiver.requests]


@pytest.mark.parametrize(("when", "times"), [("before", 1), ("after", 2)])
def test_a_sender_that_is_killed_loses_nothing_and_the_id_stays(
    url: str, receiver: Receiver, when: str, times: int
) -> None:
    store = open_store(url)
    with telling(url, receiver.url, when) as first:
        review_id = opened(store, 1)
        assert first.wait(30) == -9
    assert len(receiver.requests) == times - 1
    (notice,) = store.notices()
    assert (notice.state, notice.attempts) == (NoticeState.OWED, 1)
    with telling(url, receiver.url):
        until(lambda: settled(store, 1), 60)
    assert told(receiver) == {review_id: times}
    assert {one.headers["webhook-id"] for one in receiver.requests} == {notice.id}
    store.close()
