"""Record what a real model plans in every branch of ``guardrail demo``.

    python examples/record_demo.py --base-url http://127.0.0.1:8091/v1 --model qwen2.5-coder-1.5b-instruct

Drives the real demo graph, guard included, answering each review once with approve and once with reject. Steps
that are already recorded, for exactly the request that is sent now, are replayed; only missing ones are paid for.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import MemorySaver
from langgraph.types import Command
from pydantic import Field

import guardrail_langgraph.demo as package
from guardrail_langgraph.demo.agent import build_agent
from guardrail_langgraph.demo.recorded import RecordedChatModel
from guardrail_langgraph.demo.recording import Drawn, RecordedStep, Recording, from_data, request_digest, to_data
from guardrail_langgraph.demo.shop import Shop
from guardrail_langgraph.demo.tasks import TASKS, Task

FOLDER = Path(package.__file__).parent / "recordings"
ANSWERS = (("approve",), ("reject",))


class Recorder(RecordedChatModel):
    """Replays what is recorded for this very request; asks the live model for the rest."""

    live: ChatOpenAI
    samples: int
    visited: set[str] = Field(default_factory=set)

    def _step(
        self, recording: Recording, at: str, messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]
    ) -> RecordedStep:
        self.visited.add(at)
        request = request_digest(messages, tools)
        known = recording.steps.get(at)
        if known is None or known.request != request:
            known = self._record(list(messages), list(tools), request)
            recording.steps[at] = known
            save(recording)
            print(f"  {at or '(first)':40} {known.seconds:5.1f} s  {_told(known)}", flush=True)
        return known

    def _record(self, messages: list[BaseMessage], tools: list[Any], request: str) -> RecordedStep:
        started = time.perf_counter()
        planned = self.live._generate(messages, tools=tools, temperature=0)  # noqa: SLF001 - the result with its usage
        plan = _drawn(planned)[0]
        samples: tuple[Drawn, ...] = ()
        if plan.calls:
            samples = _drawn(self.live._generate(messages, tools=tools, temperature=1.0, n=self.samples))  # noqa: SLF001
        usage = (planned.llm_output or {})["token_usage"]
        return RecordedStep(
            request=request,
            plan=plan,
            samples=samples,
            prompt_tokens=usage["prompt_tokens"],
            seconds=time.perf_counter() - started,
        )


def _drawn(result: ChatResult) -> tuple[Drawn, ...]:
    return tuple(_one(generation) for generation in result.generations)


def _one(generation: ChatGeneration) -> Drawn:
    message, info = generation.message, generation.generation_info or {}
    if not isinstance(message, AIMessage) or message.invalid_tool_calls:
        raise SystemExit(f"this answer cannot be recorded: {message!r}")
    return Drawn(
        calls=tuple(message.tool_calls),
        text=str(message.text),
        finish_reason=info["finish_reason"],
        tokens=tuple((token["token"], token["logprob"]) for token in info["logprobs"]["content"]),
    )


def _told(step: RecordedStep) -> str:
    calls = [f"{call['name']}({json.dumps(call['args'])})" for call in step.plan.calls]
    return " ".join(calls) or repr(step.plan.text[:80])


def save(recording: Recording) -> None:
    """Write one task's recording, a step a line."""
    data = to_data(recording)
    steps = ",\n".join(f"{json.dumps(at)}:{_compact(step)}" for at, step in data.pop("steps").items())
    text = f'{_compact(data)[:-1]},"steps":{{\n{steps}\n}}}}\n'
    (FOLDER / f"{recording.task}.json").write_text(text, encoding="utf-8")


def _compact(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def run(task: Task, model: Recorder, answers: Sequence[str], folder: Path) -> bool:
    """Run the demo's graph, giving these answers in order; whether it then asks for another one."""
    shop = Shop(folder / "shop.sqlite")
    graph = build_agent(model, lambda _: shop, store="memory://", checkpointer=MemorySaver())
    config: Any = {"configurable": {"thread_id": "record"}, "recursion_limit": 60}
    graph.invoke({"messages": [("user", task.text)]}, config)
    for answer in answers:
        waiting = graph.get_state(config).interrupts
        resume = {one.id: {"decisions": [{"type": answer}]} for one in waiting}
        graph.invoke(Command(resume=resume), config)
    return bool(graph.get_state(config).interrupts)


def explore(task: Task, model: Recorder) -> Iterator[tuple[str, ...]]:
    """Every sequence of answers that the run of a task asks for."""
    pending: list[tuple[str, ...]] = [()]
    while pending:
        answers = pending.pop()
        with tempfile.TemporaryDirectory() as folder:
            if run(task, model, answers, Path(folder)):
                pending += [answers + more for more in ANSWERS]
            else:
                yield answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--server", default="llama.cpp llama-server, Q4_K_M, 2 CPU cores")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=160)
    parser.add_argument("--task", action="append", help="only this one; may be repeated")
    options = parser.parse_args()
    live = ChatOpenAI(
        model=options.model,
        base_url=options.base_url,
        api_key=os.environ.get("OPENAI_API_KEY", "not-needed"),  # type: ignore[arg-type]  # a plain string is accepted
        max_tokens=options.max_tokens,
        logprobs=True,
        timeout=900,
    )
    settings = {"max_tokens": options.max_tokens, "temperature": {"plan": 0, "samples": 1}, "n": options.samples}
    for task in TASKS:
        if options.task and task.id not in options.task:
            continue
        file = FOLDER / f"{task.id}.json"
        known = from_data(json.loads(file.read_text())) if file.exists() else None
        recording = Recording(
            task=task.id,
            text=task.text,
            model=options.model,
            server=options.server,
            date=datetime.now(UTC).date().isoformat(),
            settings=settings,
            steps=known.steps if known and known.text == task.text else {},
        )
        model = Recorder(
            recordings={task.text: recording}, model_name=options.model, live=live, samples=options.samples
        )
        print(f"{task.id}: {task.text}", flush=True)
        for answers in explore(task, model):
            print(f"  ended after {', '.join(answers) or 'no answer'}", flush=True)
        for unreachable in recording.steps.keys() - model.visited:
            del recording.steps[unreachable]
        save(recording)


if __name__ == "__main__":
    main()
