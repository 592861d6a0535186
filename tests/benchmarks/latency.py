"""How long a guarded agent takes on a model server, with and without what hides the guard's latency.

    python -m tests.benchmarks.latency --base-url http://127.0.0.1:8091/v1 --model NAME

Runs one task (look a city's weather up, then say it) in turn under each condition: nothing hidden, samples begun
with the planning request, the tool run while samples arrive, and both. Prints seconds, requests and tokens.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import BaseTool, tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from guardrail import Policy
from guardrail_langgraph import GuardrailNode

CITIES = ("Paris", "Oslo", "Lima", "Cairo", "Quito", "Delhi", "Rome", "Kyoto")
CONDITIONS: dict[str, dict[str, bool]] = {
    "nothing hidden": {},
    "speculate": {"speculate": True},
    "run_ahead": {"run_ahead": True},
    "both": {"speculate": True, "run_ahead": True},
}
INSTRUCTIONS = "Answer with the weather that the tool tells. Call the tool once, then answer in one short sentence."


@dataclass
class Meter:
    """What went over the wire."""

    requests: int = 0
    prompt: int = 0
    completion: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, response: httpx.Response) -> None:
        response.read()
        usage = response.json().get("usage") or {} if response.is_success else {}
        with self.lock:
            self.requests += 1
            self.prompt += usage.get("prompt_tokens") or 0
            self.completion += usage.get("completion_tokens") or 0


@dataclass(frozen=True, kw_only=True)
class Run:
    """One task under one condition."""

    seconds: float
    assessed: float
    requests: int
    prompt: int
    completion: int
    route: str


def weather_tool(seconds: float) -> BaseTool:
    """A tool that only reads, and takes its time."""

    @tool
    def weather(city: str) -> str:
        """Tell the weather of a city."""
        time.sleep(seconds)
        return f"It is sunny and 21 degrees in {city}."

    weather.metadata = {"readOnlyHint": True}
    return weather


def run(base_url: str, model: str, city: str, samples: int, tool_seconds: float, hidden: dict[str, bool]) -> Run:
    """The task, from the question to the last word."""
    meter = Meter()
    policy = Policy.parse(
        {
            "default": {"tier": "low"},
            "tiers": {"low": {"samples": samples, "logprob": None, "stopping": {"rule": "none"}, "max_retries": 0}},
        }
    )
    with httpx.Client(event_hooks={"response": [meter.answered]}, timeout=300) as client:
        chat = ChatOpenAI(
            model=model,
            base_url=base_url,
            api_key="none",
            http_client=client,
            temperature=0.0,
            max_completion_tokens=80,
            timeout=300,
        )
        tools = [weather_tool(tool_seconds)]
        from guardrail_langgraph import ChatModelSampler

        guard = GuardrailNode(chat, tools=tools, policy=policy, sampler=ChatModelSampler(chat, timeout=300), **hidden)
        planner = guard.watch(chat).bind_tools(tools)
        builder = StateGraph(MessagesState)
        builder.add_node("agent", lambda state: {"messages": [planner.invoke(state["messages"])]})
        builder.add_node("guard", guard)
        builder.add_node("tools", guard.tool_node())
        builder.add_edge(START, "agent")
        builder.add_edge("agent", "guard")
        builder.add_edge("tools", "agent")
        app = builder.compile(checkpointer=InMemorySaver())
        asked: Any = {"messages": [SystemMessage(INSTRUCTIONS), HumanMessage(f"What is the weather in {city}?")]}
        started = time.perf_counter()
        app.invoke(asked, {"configurable": {"thread_id": city}, "recursion_limit": 12})
        seconds = time.perf_counter() - started
        # what was given up may still be under way
        time.sleep(1.0)
        records = guard.store.records()
    return Run(
        seconds=seconds,
        assessed=sum(record.verdict.seconds for record in records),
        requests=meter.requests,
        prompt=meter.prompt,
        completion=meter.completion,
        route="+".join(record.verdict.route.value for record in records) or "no call",
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--tool-seconds", type=float, default=3.0)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    runs: dict[str, list[Run]] = {name: [] for name in CONDITIONS}
    for repeat in range(given.repeats):
        for name, hidden in CONDITIONS.items():
            city = CITIES[repeat % len(CITIES)]
            done = run(given.base_url, given.model, city, given.samples, given.tool_seconds, hidden)
            runs[name].append(done)
            print(f"# {city:6} {name:15} {done.seconds:6.2f} s, guard {done.assessed:6.2f} s, {done.route}", flush=True)
    print(f"{'condition':15} {'seconds':>8} {'guard s':>8} {'requests':>9} {'prompt':>7} {'completion':>11}")
    for name, done_runs in runs.items():
        middle = [
            statistics.median(getattr(one, what) for one in done_runs)
            for what in ("seconds", "assessed", "requests", "prompt", "completion")
        ]
        print(f"{name:15} {middle[0]:8.2f} {middle[1]:8.2f} {middle[2]:9.0f} {middle[3]:7.0f} {middle[4]:11.0f}")


if __name__ == "__main__":
    main()
