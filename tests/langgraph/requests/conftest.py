"""The server that requests are caught on their way to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.openai_server import OpenAIServer, agent, call


@pytest.fixture(scope="module")
def running() -> Iterator[OpenAIServer]:
    """One address for all tests: clients are cached by it, and slow to make."""
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def server(running: OpenAIServer) -> OpenAIServer:
    running.reset(agent(lambda _body, index: call("pay", amount=100 + index)))
    return running
