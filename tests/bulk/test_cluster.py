"""Replay on a cluster: the same results as on one machine, whatever happens to a node."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from guardrail.bulk import PlannerOptions, cluster, local
from guardrail.bulk.job import Job
from guardrail.bulk.results import line_of
from guardrail.errors import MissingExtra
from tests.support import bulk

CASES = 60
BATCH = 4
NODES = 2
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")


def replayed(folder: Path, how: str) -> dict[str, object]:
    """One run in a process of its own, which is ended with all that it started."""
    paid = folder / "paid"
    paid.mkdir(exist_ok=True)
    environment = {**os.environ, bulk.LOG: str(paid)}
    command = [sys.executable, "-m", "tests.support.two_nodes", str(folder), how]
    root = Path(bulk.__file__).parents[2]
    with subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as run:
        try:
            out, errors = run.communicate(timeout=240)
        except BaseException:
            os.killpg(run.pid, signal.SIGKILL)
            raise
    assert run.returncode == 0, errors.decode()[-3000:]
    found: dict[str, object] = json.loads(out.decode().splitlines()[-1])
    return found


def on_this_machine() -> set[bytes]:
    job = Job(
        planner=bulk.steady,
        options=PlannerOptions(settings={"delay": 0}),
        checker=bulk.checker,
        named={"checker": "right"},
        concurrency=7,
        started="2026-02-03T00:00:00+00:00",
    )
    lines: list[bytes] = []
    asyncio.run(local.run(map(bulk.case, range(CASES)), job, lambda case: lines.append(line_of(case))))
    return set(lines)


@needs_ray
@pytest.mark.slow
def test_a_node_that_dies_half_way_changes_no_result(tmp_path: Path) -> None:
    assert replayed(tmp_path, "kill") == {"finished": CASES, "killed": True}
    written = (tmp_path / "results.jsonl").read_bytes().splitlines(keepends=True)
    assert len(written) == CASES
    assert set(written) == on_this_machine()
    # what the dead node had in work was done again, and what it had handed in was not
    assert CASES <= len(bulk.noted(tmp_path / "paid")) <= CASES + NODES * BATCH


@needs_ray
@pytest.mark.slow
def test_a_run_that_was_ended_goes_on_from_what_is_written(tmp_path: Path) -> None:
    assert replayed(tmp_path, "stop")["finished"] == CASES // 3
    first = set((tmp_path / "results.jsonl").read_bytes().splitlines(keepends=True))
    before = bulk.noted(tmp_path / "paid")
    assert replayed(tmp_path, "whole")["finished"] == CASES
    written = set((tmp_path / "results.jsonl").read_bytes().splitlines(keepends=True))
    assert first < written == on_this_machine()
    # nothing that was written is paid for again
    finished = {json.loads(line)["id"] for line in first}
    again = bulk.noted(tmp_path / "paid")
    assert all(again.count(identity) == before.count(identity) == 1 for identity in finished)


@needs_ray
@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:port", ":1"])
def test_a_cluster_that_is_not_there_is_told_at_once(address: str) -> None:
    code = f"""
from guardrail.bulk import Job, cluster
from guardrail.errors import ConfigError
from tests.support import bulk
try:
    cluster.run([bulk.case(1)], Job(planner=bulk.steady), print, address={address!r})
except ConfigError as error:
    print(error)
"""
    root = Path(bulk.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60, check=True
    )
    assert f"there is no Ray cluster at {address} " in done.stdout


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"pip install 'guardrail-middleware\[ray\]'"):
        cluster.run([bulk.case(1)], Job(planner=bulk.steady), lambda _: True)
