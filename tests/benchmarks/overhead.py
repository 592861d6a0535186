"""What the guard itself costs a step: no model, no entailment, samples from memory.

python -m tests.benchmarks.overhead [--steps 200] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from guardrail import Guard, PlanningStep, Policy, Sample, SampleBatch, ToolCall, ToolSpec, open_store
from guardrail.sampling import ScriptedSampler
from guardrail.version import __version__

CALLS, SAMPLES, LIMIT_MS = (1, 3, 10), (5, 10, 20), 5.0
TOOL = ToolSpec(
    name="create_ticket",
    description="Open a ticket.",
    parameters={
        "type": "object",
        "properties": {
            "customer_id": {"type": "string"},
            "amount": {"type": "number"},
            "priority": {"type": "string", "enum": ["low", "normal", "urgent"], "default": "normal"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "summary": {"type": "string", "description": "What it is about, in one sentence."},
        },
        "required": ["customer_id", "amount", "summary"],
    },
)


def call(i: int, variant: int) -> ToolCall:
    """The i-th call of a step; variants differ in form, and every fifth in the amount."""
    amount: Any = 10 * i if variant % 5 else 10 * i + 1
    return ToolCall(
        id=f"c{i}",
        name=TOOL.name,
        arguments={
            "customer_id": f"cus_{i}",
            "amount": float(amount) if variant % 2 else amount,
            "tags": ["billing", "refund"],
            "summary": "The customer was charged twice." + (" " if variant % 3 else ""),
            **({"priority": "normal"} if variant % 2 else {}),
        },
    )


def measure(calls: int, samples: int, steps: int, store_url: str) -> dict[str, float]:
    """Median and 99th percentile, in milliseconds a step."""
    policy = Policy.parse({"tiers": {"high": {"samples": samples}}})
    drawn = tuple(
        Sample(calls=tuple(call(i, v + 1) for i in range(1, calls + 1)), response_id=f"r{v}", choice=0)
        for v in range(samples)
    )
    sampler = ScriptedSampler(lambda _step, n: SampleBatch(samples=drawn[:n]))
    guard = Guard(policy, sampler, open_store(store_url), curtail=False)
    planned = Sample(calls=tuple(call(i, 1) for i in range(1, calls + 1)))
    times: list[float] = []
    for at in range(steps + 5):
        step = PlanningStep(id=f"m{at}", planned=planned, tools=(TOOL,), request="request", thread_id="t")
        started = time.perf_counter()
        guard.assess(step)
        times.append((time.perf_counter() - started) * 1000)
    times = sorted(times[5:])
    return {"median": statistics.median(times), "p99": times[int(len(times) * 0.99) - 1]}


def import_time() -> dict[str, Any]:
    """Milliseconds of ``import guardrail`` in a fresh process (median of 5), and what else it loads."""
    code = (
        "import sys, time; t = time.perf_counter(); import guardrail; t = time.perf_counter() - t;"
        "print(t * 1000, len(sys.modules), [m for m in sys.modules if m.split('.')[0] in "
        "('pydantic', 'langchain_core', 'langgraph', 'openai', 'torch', 'transformers', 'numpy', 'scipy', 'sklearn')])"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(5)]
    lines = [run.stdout.split(" ", 2) for run in runs]
    return {
        "ms": statistics.median(float(line[0]) for line in lines),
        "modules": int(lines[0][1]),
        "heavy": lines[0][2],
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    random.seed(0)
    console = Console()
    table = Table(title=f"guard overhead, ms a step (limit {LIMIT_MS} at 3 calls, N=10)")
    for column in ("calls", "N", "store", "median", "p99", "median / limit"):
        table.add_column(column, justify="right")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for store in ("memory", "sqlite"):
            for calls in CALLS:
                for samples in SAMPLES:
                    url = "memory://" if store == "memory" else f"sqlite:///{Path(folder) / f'{calls}-{samples}.db'}"
                    row = measure(calls, samples, options.steps, url)
                    rows.append({"calls": calls, "n": samples, "store": store, **row})
                    ratio = row["median"] / LIMIT_MS
                    table.add_row(
                        str(calls), str(samples), store, f"{row['median']:.2f}", f"{row['p99']:.2f}", f"{ratio:.2f}"
                    )
    console.print(table)
    imported = import_time()
    console.print(f"import guardrail: {imported['ms']:.0f} ms, heavy modules: {imported['heavy'].strip()}")
    console.print(f"guardrail {__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, seed 0")
    if options.json:
        print(json.dumps({"steps": rows, "import": imported}))


if __name__ == "__main__":
    main()
