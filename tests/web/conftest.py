"""The application over each kind of store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guardrail.store import MemoryStore, Store, open_store
from tests.support import postgres
from tests.web.serving import Site


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    with postgres.running() as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A new store of each kind."""
    if request.param == "postgres":
        url = request.getfixturevalue("server").fresh_url()
    else:
        url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'guardrail.db'}"
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def site() -> Site:
    """The application over a store in memory."""
    return Site(store=MemoryStore())


@pytest.fixture
def any_site(store: Store) -> Site:
    """The application over a store of each kind."""
    return Site(store=store)
