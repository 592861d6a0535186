"""Whatever a test does to an agent, agentack's rules on approvals hold on what happened."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.approval_trace import taped


@pytest.fixture(autouse=True)
def _approvals_hold() -> Iterator[None]:
    with taped() as tape:
        yield
    assert tape.broken() == []
