"""A run that was killed goes on: the same results, and nothing that was written is paid for again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guardrail.codec import to_json
from tests.support.bulk import case
from tests.support.openai_server import OpenAIServer, call

CASES = 40
AT_ONCE = 4


def said(body: dict[str, Any]) -> int:
    return int(body["messages"][-1]["content"].split()[-1])


def plan(body: dict[str, Any], _: int) -> dict[str, Any]:
    return call("pay", amount=said(body))


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(plan, delay=0.02) as running:
        yield running


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(json.dumps(to_json(case(number))) + "\n" for number in range(CASES)))
    return path


def command(cases: Path, server: OpenAIServer, out: Path, *more: str) -> list[str]:
    planner = ("--planner", f"openai:new@{server.url}", "--concurrency", str(AT_ONCE), "--samples", "3")
    return [sys.executable, "-m", "guardrail", "replay", str(cases), *planner, "--out", str(out), "--yes", *more]


def started(*arguments: str) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def lines(out: Path) -> list[dict[str, Any]]:
    """What is written, whole lines alone, without what a clock or a server's counter says."""
    found = []
    for line in out.read_bytes().splitlines(keepends=True) if out.exists() else ():
        if line.endswith(b"\n"):
            found.append(_steady(json.loads(line)))
    return found


def _steady(data: Any) -> Any:
    if isinstance(data, dict):
        left_out = ("seconds", "response_id", "id", "started", "at")
        return {
            key: _steady(value) for key, value in data.items() if key not in left_out or (key == "id" and "run" in data)
        }
    return [_steady(one) for one in data] if isinstance(data, list) else data


def wait_for(out: Path, count: int, run: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while len(lines(out)) < count:
        assert run.poll() is None, run.stderr.read().decode() if run.stderr else ""
        assert time.monotonic() < deadline
        time.sleep(0.01)


def finish(run: subprocess.Popen[bytes]) -> tuple[int, str]:
    out, errors = run.communicate(timeout=120)
    return run.returncode, (out + errors).decode()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_stopped_goes_on(server: OpenAIServer, cases: Path, tmp_path: Path, how: signal.Signals) -> None:
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    assert finish(started(*command(cases, server, whole)))[0] == 0
    assert len(server.requests) == 2 * CASES
    server.clear()

    run = started(*command(cases, server, out))
    wait_for(out, CASES // 3, run)
    run.send_signal(how)
    code, told = finish(run)
    before = {line["id"] for line in lines(out)}
    assert CASES // 3 <= len(before) < CASES
    if how == signal.SIGINT:
        assert code == 130
        assert f"stopped: {len(before)} of {CASES} are in" in told

    assert finish(started(*command(cases, server, out)))[0] == 0
    assert lines(out) == lines(whole)
    paid = Counter(said(body) for body in server.requests)
    again = [number for number, count in paid.items() if count > 2]
    # a plan and its samples are two requests; only what was in work is asked for a second time
    assert len(again) <= AT_ONCE
    assert not any(f"case {number:04}" in before for number in again)
    assert all(count >= 2 for count in paid.values())
    assert len(paid) == CASES


def test_a_line_that_was_torn_is_done_again(server: OpenAIServer, cases: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    finish(started(*command(cases, server, out, "--limit", "5")))
    whole = lines(out)
    out.write_bytes(out.read_bytes()[:-30])
    server.clear()
    code, told = finish(started(*command(cases, server, out, "--limit", "5")))
    assert code == 0, told
    assert "was cut off; its step is done again" in told
    assert lines(out) == whole
    assert len(server.requests) == 2
