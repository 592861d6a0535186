"""The examples, run as a newcomer runs them: from their folder, each in a process of its own, against a server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from guardrail import Queue, open_store
from guardrail.types import Record, Review, ReviewState
from tests.support.openai_server import Body, OpenAIServer, call, say

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE = 180.0


@dataclass
class Folder:
    """A copy of the examples, and what came of running them there."""

    path: Path
    server: OpenAIServer
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: str, **how: Any) -> subprocess.Popen[str]:
        """``python`` and ``guardrail`` are those of this environment."""
        given = {name: value for name, value in os.environ.items() if not name.startswith("GUARDRAIL_")}
        given |= {"OPENAI_BASE_URL": self.server.url, "OPENAI_API_KEY": "x", "PYTHONWARNINGS": "ignore"}
        given |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "200"}
        words = {"python": [sys.executable], "guardrail": [sys.executable, "-m", "guardrail"]}
        process = subprocess.Popen(
            [*words[arguments[0]], *arguments[1:]],
            cwd=self.path,
            env=given | self.environment,
            text=True,
            stdin=subprocess.DEVNULL,
            **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **how},
        )
        self.processes.append(process)
        return process

    def run(self, *arguments: str, code: int = 0) -> str:
        """What it prints."""
        return self.ended(self.start(*arguments), code)

    def ended(self, process: subprocess.Popen[str], code: int = 0) -> str:
        """What a process printed that comes to its end."""
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == code, said
        return said

    @property
    def drawn(self) -> int:
        """How many resamples the server was asked for."""
        return sum(body.get("n") or 1 for body in self.server.drawn)

    @property
    def planned(self) -> int:
        """How many requests were made by the agent itself."""
        return len(self.server.requests) - len(self.server.drawn)

    def reviews(self) -> list[Review]:
        """Those of the store that the examples name."""
        store = open_store(f"sqlite:///{self.path / 'guardrail.db'}")
        try:
            return store.reviews()
        finally:
            store.close()

    def records(self) -> list[Record]:
        """What the guard decided, oldest first."""
        store = open_store(f"sqlite:///{self.path / 'guardrail.db'}")
        try:
            return sorted(store.records(), key=lambda record: record.at)
        finally:
            store.close()

    def waiting(self, asking: subprocess.Popen[str] | None = None) -> Review:
        """The review that comes to wait for a person; ``asking`` is the process that is to ask for it."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            ended = asking is not None and asking.poll() is not None
            found = self.reviews() if (self.path / "guardrail.db").exists() else []
            if waits := [one for one in found if one.state is ReviewState.PENDING]:
                return waits[0]
            assert not ended, f"it ended, and nothing waits: {asking and asking.communicate()[0]}"
            time.sleep(0.1)
        raise AssertionError("nothing waits")

    def approve(self, review: Review) -> None:
        """As a person does."""
        store = open_store(f"sqlite:///{self.path / 'guardrail.db'}")
        try:
            Queue(store).approve(review.id, by="ann", seen_digest=review.digest)
        finally:
            store.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    copy = tmp_path / "examples"
    shutil.copytree(EXAMPLES, copy, ignore=shutil.ignore_patterns("*.db*", "__pycache__", "*.egg-info"))
    with OpenAIServer(clerk(35)) as server:
        folder = Folder(copy, server)
        yield folder
        for process in folder.processes:
            with process:  # closes what it printed to, and waits
                process.kill()


def clerk(amount: int, *wavering: int) -> Any:
    """A model that looks the order up, pays ``amount`` back and says so.

    With ``wavering`` each next plan of the refund has the next of these amounts, the first one first.
    """
    amounts = [amount, *wavering]
    paid = 0

    def reply(body: Body, _index: int) -> Any:
        nonlocal paid
        said = [str(one.get("content")) for one in body["messages"] if one["role"] == "tool"]
        if any("refunded" in one for one in said):
            return say("The money is on its way.")
        if any("review" in one for one in said):
            return say("A person has to decide first.")
        if not any("paid" in one for one in said):
            return call("order", number=1042)
        paid += 1
        return call("refund", number=1042, amount=amounts[(paid - 1) % len(amounts)])

    return reply
