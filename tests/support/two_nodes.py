"""Replays on a cluster of this machine, in a process of its own: what Ray leaves behind ends with it.

``python -m tests.support.two_nodes FOLDER kill|stop|whole`` writes ``FOLDER/results.jsonl``. "kill" takes one of the two
nodes away half-way, "stop" ends the run after the first results, "whole" does neither on a cluster that is started
and ended by the run itself. The environment variable of ``tests.support.bulk.LOG`` names the folder of what was paid.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

from guardrail.bulk import Job, PlannerOptions, Results, Worker, cluster
from guardrail.types import Case
from tests.support import bulk

CASES = 60
MEMORY = 80_000_000


def job(**settings: Any) -> Job:
    return Job(
        planner=bulk.steady,
        options=PlannerOptions(settings=settings),
        checker=bulk.checker,
        named={"checker": "right"},
        concurrency=4,
        started="2026-02-03T00:00:00+00:00",
    )


def main(folder: Path, how: str) -> None:
    asked = job(delay=0.3)
    cases = [bulk.case(number) for number in range(CASES)]
    results = Results(folder / "results.jsonl", Worker(asked).run)
    left = [case for case in cases if case.id not in results.finished]
    nodes = None
    alive = []
    if how != "whole":
        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": MEMORY})
        alive = [nodes.add_node(num_cpus=1, object_store_memory=MEMORY)]
        ray.init(address=nodes.address, log_to_driver=False)

    def done(case: Case) -> bool:
        results.add(case)
        if how == "kill" and alive and len(results.finished) >= CASES // 3:
            nodes.remove_node(alive.pop(), allow_graceful=False)
        return not (how == "stop" and len(results.finished) >= CASES // 3)

    try:
        cluster.run(left, asked, done)
        if len(results.finished) == len(cases):
            results.complete()
    finally:
        results.close()
        ray.shutdown()
        if nodes is not None:
            nodes.shutdown()
    print(json.dumps({"finished": len(results.finished), "killed": how == "kill" and not alive}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
