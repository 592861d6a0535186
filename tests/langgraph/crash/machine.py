"""Processes to be killed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from guardrail import open_store
from guardrail.types import Review

LEASE = 0.5
"""Seconds."""


class Machine:
    """Processes that share a folder and a store, one command each; they can be killed on the way."""

    def __init__(self, folder: Path, url: str, *, releases: bool = False) -> None:
        self.folder, self.url, self.releases = folder, url, releases
        shutil.copy(Path(__file__).with_name("agent.py"), folder)

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "agent.py"],
            cwd=self.folder,
            env={**os.environ, "GUARDRAIL_STORE": self.url, "RELEASES": "yes" if self.releases else ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        assert self.answer() == "ready"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)

    def run(self, *command: str, fault: str = "", code: int | None = 0) -> int:
        self.begin(*command, fault=fault)
        status = int(self.answer())
        assert code in (None, status), self.log
        return status

    def begin(self, *command: str, fault: str = "") -> None:
        self.process.stdin.write(json.dumps([command, fault]) + "\n")

    def answer(self) -> str:
        return self.process.stdout.readline().strip()

    def work(self, *options: str, fault: str = "", code: int | None = 0) -> int:
        return self.run("work", "--once", "--lease", str(LEASE), *options, fault=fault, code=code)

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    @property
    def ran(self) -> Counter[str]:
        """How often the tool ran, by idempotency key."""
        path = self.folder / "ran"
        return Counter(path.read_text().split() if path.exists() else [])

    def reviews(self) -> list[Review]:
        store = open_store(self.url)
        try:
            return store.reviews(limit=10_000)
        finally:
            store.close()
