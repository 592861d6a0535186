"""Access over each kind of store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guardrail.store import open_store
from tests.access.doors import Door
from tests.support import postgres


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    with postgres.running() as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def any_door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Door]:
    if request.param == "postgres":
        url = request.getfixturevalue("server").fresh_url()
    else:
        url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'guardrail.db'}"
    store = open_store(url)
    yield Door(store=store)
    store.close()


@pytest.fixture
def door() -> Door:
    return Door()
