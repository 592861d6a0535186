"""Every kind of store, and a place for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guardrail.store import Store, open_store
from tests.support import postgres


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    with postgres.running() as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store of each kind may be made. Each is another one."""
    if request.param == "postgres":
        return request.getfixturevalue("server").fresh_url()
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'guardrail.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "guardrail.db"
