"""A client, the proxy as a process of its own, and the real server behind it."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp")

import anyio
import yaml
from mcp import Client, StdioServerParameters, stdio_client

from guardrail import Policy, Queue, open_store
from guardrail.types import Review, ReviewState
from guardrail_mcp import Proxy, Settings
from tests.support.approval_trace import Ran, taped

SERVER = str(Path(__file__).parents[1] / "support" / "mcp_server.py")
POLICY = """
tiers:
  low: {unmeasured: execute}
tools:
  - {match: burn, tier: high}
  - {match: [slow, fall], tier: low}
  - {match: "*", tier: low, annotations: {readOnlyHint: true}}
  - {match: lend, tier: critical, when: {days: {gt: 100}}}
  - {match: lend, tier: high}
"""


@dataclass
class Library:
    """Where everything of a test is, and what happened."""

    folder: Path
    options: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    policy: str = POLICY
    wait: float = 20.0
    refers: str = ""
    elsewhere: bool = False

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder / 'guardrail.db'}"

    @property
    def upstream(self) -> list[str]:
        return [sys.executable, SERVER, str(self.folder / "ran.jsonl"), *([self.refers] if self.refers else [])]

    def command(self) -> StdioServerParameters:
        (self.folder / "policy.yaml").write_text(self.policy)
        said = ["--policy", str(self.folder / "policy.yaml"), "--name", "books", "--wait", str(self.wait)]
        args = ["-m", "guardrail", "--store", self.url, "mcp", *said, *self.options, "--", *self.upstream]
        return StdioServerParameters(command=sys.executable, args=args)

    def direct(self) -> StdioServerParameters:
        return StdioServerParameters(command=self.upstream[0], args=self.upstream[1:])

    @asynccontextmanager
    async def client(
        self, *, direct: bool = False, process: bool = False, mode: str = "legacy", **how: Any
    ) -> AsyncIterator[Client]:
        """A client behind the proxy, which is a process of its own or runs in this one."""
        self.elsewhere = self.elsewhere or direct or process
        transport = stdio_client(self.command() if process else self.direct())
        async with Client(transport if direct or process else self.within(), mode=mode, **how) as client:
            yield client

    @asynccontextmanager
    async def within(self) -> AsyncIterator[Any]:
        """The proxy in this process, before the server as a process of its own."""
        to_proxy, at_proxy = anyio.create_memory_object_stream[Any](0)
        to_client, at_client = anyio.create_memory_object_stream[Any](0)
        store = open_store(self.url)
        settings = Settings(
            policy=Policy.parse(yaml.safe_load(self.policy) or {}),
            thread_id="mcp/books",
            requester="mcp/books",
            wait=self.wait,
            **self.settings,
        )

        async def proxied() -> None:
            async with stdio_client(self.direct()) as server, to_client, at_proxy:
                await Proxy(settings, store).run((at_proxy, to_client), server)

        try:
            async with anyio.create_task_group() as tasks, to_proxy, at_client:
                tasks.start_soon(proxied)
                yield at_client, to_proxy
                await to_proxy.aclose()
        finally:
            store.close()

    @property
    def ran(self) -> list[dict[str, Any]]:
        file = self.folder / "ran.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def reviews(self, *states: ReviewState) -> list[Review]:
        store = open_store(self.url)
        try:
            return store.reviews(states=frozenset(states) or None)
        finally:
            store.close()

    def records(self) -> list[Any]:
        store = open_store(self.url)
        try:
            return store.records()
        finally:
            store.close()

    def decide(self, what: str, **said: Any) -> Review:
        """A person decides on the review that waits, as soon as there is one."""
        store = open_store(self.url)
        try:
            queue = Queue(store)
            until = time.monotonic() + 30
            while time.monotonic() < until:
                found = store.reviews(states=frozenset({ReviewState.PENDING}))
                if found:
                    return getattr(queue, what)(found[-1].id, by="ada", seen_digest=found[-1].digest, **said)
                time.sleep(0.02)
            raise AssertionError("nothing waits")
        finally:
            store.close()

    def deciding(self, what: str, **said: Any) -> threading.Thread:
        thread = threading.Thread(target=self.decide, args=(what,), kwargs=said, daemon=True)
        thread.start()
        return thread


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    """Whatever a test does, agentack's rules on approvals hold on what happened in this process."""
    library = Library(tmp_path)
    with taped() as tape:
        yield library
        for one in [] if library.elsewhere else library.ran:
            if not one["name"].endswith(" ended"):
                tape.add(Ran(name=one["name"], arguments=one["arguments"], key=""))
    assert library.elsewhere or tape.broken() == []


def text(result: Any) -> str:
    return "\n".join(block.text for block in result.content)
