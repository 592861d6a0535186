"""A store, a clock, and a web server that is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guardrail.store import Store, open_store
from tests.notify.receiving import Clock, Receiver, receiving
from tests.support import postgres


@pytest.fixture
def store() -> Iterator[Store]:
    opened = open_store("memory://")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    with postgres.running() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver
