"""The agent waits in one process, the page and the API are served by another, and people decide by every door."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from guardrail.store import open_store
from guardrail.types import Review, ReviewState
from tests.support import postgres

GUARDRAIL = (sys.executable, "-m", "guardrail")
PASSWORD = "a phrase of zoe alone"
GRAPH = "guardrail_langgraph.demo.session:graph"
PATIENCE = 120.0


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    with postgres.running() as server:
        yield server


@dataclass
class Machine:
    """A folder in which an agent runs and pages are served, each in a process of its own."""

    folder: Path
    store: str
    url: str = ""
    link: str = ""

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [*GUARDRAIL, "--store", self.store, *arguments]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )

    def run(self, *arguments: str) -> str:
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
        return said

    def waiting(self) -> Review:
        """The review that the agent waits for."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                store = open_store(self.store, create=False)
            except Exception:  # it is being made
                time.sleep(0.1)
                continue
            found = store.reviews(states=frozenset({ReviewState.PENDING}))
            store.close()
            if found:
                return found[0]
            time.sleep(0.1)
        raise AssertionError("no agent asked for anything")

    def state(self, review: Review) -> Review:
        store = open_store(self.store, create=False)
        try:
            return store.review(review.id)
        finally:
            store.close()

    @contextmanager
    def browser(self) -> Iterator[httpx.Client]:
        """A browser without scripts, in which the first account was made by the one-time link."""
        with httpx.Client(
            base_url=self.url, headers={"accept": "text/html"}, follow_redirects=True, timeout=30
        ) as browser:
            form = {"name": "zoe", "password": PASSWORD, "again": PASSWORD, "csrf": _csrf(browser.get(self.link).text)}
            assert browser.post(self.link, data=form).url.path == "/reviews"
            yield browser


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machine]:
    """... with its server started."""
    url = f"sqlite:///{tmp_path / 'guardrail.db'}"
    if request.param == "postgres":
        url = request.getfixturevalue("server").fresh_url()
    machine = Machine(folder=tmp_path, store=url)
    process = machine.start("serve", "--port", "0")
    assert process.stdout is not None
    said = ""
    while "/welcome/" not in said:
        line = process.stdout.readline()
        assert line, f"the server ended: {said}"
        said += line
    machine.link = re.search(r"http\S+/welcome/\S+", said)[0]  # type: ignore[index]
    machine.url = machine.link.partition("/welcome/")[0]
    yield machine
    process.terminate()
    process.communicate(timeout=30)
    assert process.returncode == 0


def _csrf(page: str) -> str:
    return re.search(r'name="csrf" value="(\w+)"', page)[1]  # type: ignore[index]


def _field(page: str, name: str) -> str:
    return re.search(rf'name="{name}" value="([^"]*)"', page)[1]  # type: ignore[index]


def approve_by_page(machine: Machine, review: Review) -> None:
    with machine.browser() as browser:
        assert review.id[:12] in browser.get("/reviews").text
        page = browser.get(f"/reviews/{review.id}").text
        form = {"type": "approve", "csrf": _csrf(page), **{name: _field(page, name) for name in ("digest", "revision")}}
        answer = browser.post(f"/reviews/{review.id}/decide", data=form)
    assert answer.status_code == 200, answer.text


def approve_by_api(machine: Machine, review: Review) -> None:
    with machine.browser() as browser:
        form = {"name": "script", "scope": ["reviews:read", "reviews:decide"], "days": "1"}
        form["csrf"] = _csrf(browser.get("/account").text)  # type: ignore[assignment]
        token = re.search(r"grd_\w+", browser.post("/account/tokens", data=form).text)[0]  # type: ignore[index]
    with httpx.Client(base_url=machine.url, headers={"authorization": f"Bearer {token}"}, timeout=30) as program:
        (found,) = program.get("/api/v1/reviews", params={"state": "pending"}).json()["reviews"]
        assert found["id"] == review.id
        body = {"type": "approve", "seen_digest": found["digest"]}
        answer = program.post(f"/api/v1/reviews/{review.id}/decide", json=body)
    assert answer.status_code == 200, answer.text


def approve_by_command(machine: Machine, review: Review) -> None:
    machine.run("reviews", "approve", review.id[:12], "--yes", "--by", "zoe")


DOORS = [approve_by_page, approve_by_api, approve_by_command]


@pytest.mark.parametrize("approve", DOORS)
def test_an_agent_that_waits_goes_on_when_somebody_decides(machine: Machine, approve: object) -> None:
    agent = machine.start("demo", "--task", "delete", "--queue", "--fast")
    review = machine.waiting()
    approve(machine, review)  # type: ignore[operator]
    said, _ = agent.communicate(timeout=PATIENCE)
    assert agent.returncode == 0, said
    assert "approve by zoe" in said
    assert "Deleted customer C6" in said
    assert machine.state(review).state is ReviewState.DONE
    assert "nothing is wrong" in machine.run("audit", "verify")


@pytest.mark.parametrize("approve", DOORS[:2])
def test_an_agent_whose_process_has_ended_is_taken_up_by_a_worker(machine: Machine, approve: object) -> None:
    machine.run("demo", "--task", "delete", "--non-interactive", "--fast")
    review = machine.waiting()
    approve(machine, review)  # type: ignore[operator]
    machine.run("worker", "--once", "--graph", GRAPH)
    done = machine.state(review)
    assert (done.state, done.decision and done.decision.by) == (ReviewState.DONE, "zoe")
    shown = machine.run("reviews", "show", review.id, "--json")
    assert json.loads(shown)
