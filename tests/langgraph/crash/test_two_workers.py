"""Workers in processes of their own: they share the work, and end as they are asked to."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from guardrail.types import ReviewState
from tests.langgraph.crash.machine import Machine


def test_two_workers_resume_twenty_threads_once_each(tmp_path: Path, url: str) -> None:
    threads = [f"t{number}" for number in range(20)]
    with Machine(tmp_path, url) as one, Machine(tmp_path, url) as other:
        one.run("start", *threads)
        one.run("decide")
        both = (one, other)
        for machine in both:
            machine.begin("work", "--once", "--concurrency", "3")
        assert [machine.answer() for machine in both] == ["0", "0"], one.log
        reviews = one.reviews()
        assert {review.state for review in reviews} == {ReviewState.DONE}
        assert one.ran == dict.fromkeys((review.id for review in reviews), 1)
        told = re.findall(r" resumed (\S+) .* thread=(\S+)", one.log)
        assert sorted(told) == sorted((review.id[:12], review.thread_id) for review in reviews)


def test_a_worker_that_is_asked_to_end_finishes_what_runs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'guardrail.db'}"
    with Machine(tmp_path, url) as machine:
        machine.run("start", "t1", "t2")
        machine.run("decide")
        worker = subprocess.Popen(
            [sys.executable, "agent.py", "work", "--concurrency", "1", "--poll", "0.1"],
            cwd=tmp_path,
            env={**os.environ, "GUARDRAIL_STORE": url, "SLOW": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        waited = time.monotonic() + 60
        while not (tmp_path / "begun").exists():
            assert time.monotonic() < waited
            time.sleep(0.05)
        worker.send_signal(signal.SIGTERM)
        line = ""
        while " stopping " not in line:
            line = worker.stdout.readline()
            assert line
        (tmp_path / "go").touch()
        rest, _ = worker.communicate(timeout=60)
        assert worker.returncode == 0
        assert rest.count(" resumed ") == 1
        states = sorted(review.state for review in machine.reviews())
        assert states == [ReviewState.DECIDED, ReviewState.DONE]
        machine.work()
        assert sorted(machine.ran.values()) == [1, 1]
