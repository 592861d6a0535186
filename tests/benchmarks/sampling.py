"""What N samples of a planning step cost: one request for all, concurrent requests, one after the other.

    python -m tests.benchmarks.sampling --base-url URL --model NAME [--n 8] [--api-key KEY] [--repeat 1] [--json]
    python -m tests.benchmarks.sampling --local FOLDER_OR_GGUF [--n 10] [--dtype auto] [--repeat 1] [--json]

The endpoint is any OpenAI-compatible server. The prompt is sent once before, so that every way finds the
same prompt cache. ``--local`` runs a model through transformers instead, and tells what its samples cost
against one greedy plan.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from importlib.metadata import version
from typing import Any

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from rich.console import Console
from rich.table import Table

from guardrail.errors import SamplingError
from guardrail.types import PlanningStep, Sample, SampleBatch
from guardrail_langgraph.requests import request_for
from guardrail_langgraph.sampler import ChatModelSampler

SYSTEM = (
    "You are a support agent of a web shop. Use the tools to do what the customer asks. "
    "Refund at most what was paid, and never delete anything without being asked to."
)
TASK = "Order A-1042 arrived broken. Please give me back the 35.90 I paid and write to ann@example.com that it is done."


@tool
def find_order(order_id: str) -> str:
    """Look up an order by its id."""
    return order_id


@tool
def refund(order_id: str, amount: float, reason: str) -> str:
    """Give money back for an order. The amount is in euros."""
    return f"{order_id} {amount} {reason}"


@tool
def send_email(to: str, subject: str, body: str) -> str:
    """Send an e-mail to a customer."""
    return f"{to} {subject} {body}"


WAYS: dict[str, dict[str, Any]] = {
    "one request with n": {"use_n": True},
    "concurrent": {"use_n": False, "concurrency": 64},
    "sequential": {"use_n": False, "concurrency": 1},
}


def measured(batches: list[SampleBatch]) -> dict[str, Any]:
    """One row of the table: medians over the repetitions."""
    return {
        "requests": statistics.median_low([batch.usage.requests for batch in batches]),
        "prompt_tokens": _median([batch.usage.prompt_tokens for batch in batches]),
        "completion_tokens": _median([batch.usage.completion_tokens for batch in batches]),
        "seconds": round(statistics.median([batch.usage.seconds for batch in batches]), 3),
        "valid": statistics.median_low([sum(sample.valid for sample in batch.samples) for batch in batches]),
    }


def _median(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return statistics.median_low(known) if known else None


def run(base_url: str, model: str, *, n: int, api_key: str, repeat: int, timeout: float) -> dict[str, Any]:
    """Draw N samples each way.

    Raises:
        SamplingError: the endpoint does not answer.
    """
    chat = ChatOpenAI(model=model, base_url=base_url, api_key=api_key, temperature=0.0)
    request = request_for(
        chat.bind_tools([find_order, refund, send_email]), [SystemMessage(SYSTEM), HumanMessage(TASK)]
    )
    step = PlanningStep(id="benchmark", planned=Sample(), tools=(), request=request)
    ChatModelSampler(chat, timeout=timeout).sample(step, 1)
    rows = {
        way: measured([ChatModelSampler(chat, timeout=timeout, **options).sample(step, n) for _ in range(repeat)])
        for way, options in WAYS.items()
    }
    return {
        "n": n,
        "model": model,
        "temperature": 1.0,
        "repeat": repeat,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("langchain-core", "langchain-openai", "openai")},
        "ways": rows,
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url")
    parser.add_argument("--model")
    parser.add_argument("--local", metavar="FOLDER_OR_GGUF")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--n", type=int, default=8)
    parser.add_argument("--api-key", default=os.environ.get("OPENAI_API_KEY") or "none")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=600.0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(argv)
    if not given.local and not (given.base_url and given.model):
        parser.error("give --base-url and --model, or --local")
    if given.n < 1 or given.repeat < 1:
        parser.error("--n and --repeat must be at least 1")
    if given.local:
        return _local(given)
    try:
        result = run(
            given.base_url,
            given.model,
            n=given.n,
            api_key=given.api_key,
            repeat=given.repeat,
            timeout=given.timeout,
        )
    except SamplingError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    table = Table("way", "requests", "prompt tokens", "completion tokens", "valid", "seconds")
    for way, row in result["ways"].items():
        keys = ("requests", "prompt_tokens", "completion_tokens", "valid", "seconds")
        table.add_row(way, *["-" if row[key] is None else str(row[key]) for key in keys])
    console = Console()
    console.print(
        f"{result['model']}, {given.n} samples at temperature 1, median of {given.repeat}; Python {result['python']}, "
        f"{result['cores']} cores here; " + ", ".join(f"{k} {v}" for k, v in result["versions"].items())
    )
    console.print(table)
    if given.json:
        sys.stdout.write(json.dumps(result) + "\n")
    return 0


def _local(given: argparse.Namespace) -> int:
    from tests.benchmarks import local_sampling

    result = local_sampling.run(given.local, n=given.n, repeat=given.repeat, dtype=given.dtype)
    local_sampling.show(result, Console())
    if given.json:
        sys.stdout.write(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
