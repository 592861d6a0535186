"""Record what a real model plans for the requests of ``guardrail demo --label``.

    python examples/record_requests.py --base-url http://127.0.0.1:8091/v1 --model qwen2.5-coder-1.5b-instruct \
        --work requests.jsonl --count 170

Each request is planned once at temperature 0 and drawn eight times at temperature 1, from the same messages. Answers
are added to the work file as they come: a second run goes on where the first one stopped. At the end, and with
``--pack-only`` at once, all of them are written into the package, in the order of the stream and none left out.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.outputs import ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_openai import ChatOpenAI

import guardrail_langgraph.demo as package
from guardrail_langgraph.demo.agent import SYSTEM
from guardrail_langgraph.demo.labelled.recorded_requests import FILE, head, line, pack, unpack
from guardrail_langgraph.demo.labelled.traffic import Request, requests
from guardrail_langgraph.demo.recording import Drawn, RecordedStep, Recording, request_digest
from guardrail_langgraph.demo.shop import Shop, shop_tools

PACKED = Path(package.__file__).parent / "recordings" / FILE
TOOLS = [convert_to_openai_tool(tool) for tool in shop_tools(lambda _: Shop(":memory:"))]


def drawn(result: ChatResult) -> Iterator[Drawn]:
    """Each answer with its tokens; JSON that is no call is kept as the words it is."""
    for generation in result.generations:
        message, info = generation.message, generation.generation_info or {}
        if not isinstance(message, AIMessage) or message.invalid_tool_calls:
            raise SystemExit(f"this answer cannot be recorded: {message!r}")
        yield Drawn(
            calls=tuple(message.tool_calls),
            text=str(message.text),
            finish_reason=info["finish_reason"],
            tokens=tuple((token["token"], token["logprob"]) for token in info["logprobs"]["content"]),
        )


def record(request: Request, live: ChatOpenAI, samples: int) -> RecordedStep:
    """Plan and samples, asked for at the same time."""
    messages = [SystemMessage(SYSTEM), HumanMessage(request.text)]

    def ask(**settings: Any) -> ChatResult:
        return live._generate(messages, tools=TOOLS, **settings)  # noqa: SLF001 - the result with its usage

    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        planned, sampled = pool.submit(ask, temperature=0), pool.submit(ask, temperature=1.0, n=samples)
        (plan,) = drawn(planned.result())
        others = tuple(drawn(sampled.result()))
    return RecordedStep(
        request=request_digest(messages, TOOLS),
        plan=plan,
        samples=others if plan.calls else (),
        prompt_tokens=(planned.result().llm_output or {})["token_usage"]["prompt_tokens"],
        seconds=time.perf_counter() - started,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--work", type=Path, required=True, help="file to add to")
    parser.add_argument("--count", type=int, default=170)
    parser.add_argument("--server", default="llama.cpp llama-server, Q4_K_M, 2 CPU cores")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=160)
    parser.add_argument("--at-once", type=int, default=2, help="requests under way; the server needs 9 places for each")
    parser.add_argument("--pack-only", action="store_true", help="record nothing more")
    options = parser.parse_args()
    live = ChatOpenAI(
        model=options.model,
        base_url=options.base_url,
        api_key=os.environ.get("OPENAI_API_KEY", "not-needed"),  # type: ignore[arg-type]  # a plain string is accepted
        max_completion_tokens=options.max_tokens,
        logprobs=True,
        timeout=900,
    )
    settings = {"max_tokens": options.max_tokens, "temperature": {"plan": 0, "samples": 1}, "n": options.samples}
    known = unpack(options.work.read_text("utf-8")) if options.work.exists() else {}
    stream = () if options.pack_only else requests(options.count)
    missing = [request for request in stream if request.text not in known]
    with ThreadPoolExecutor(options.at_once) as pool:
        steps = pool.map(lambda request: record(request, live, options.samples), missing)
        for request, step in zip(missing, steps, strict=True):
            recording = Recording(
                task=request.id,
                text=request.text,
                model=options.model,
                server=options.server,
                date=datetime.now(UTC).date().isoformat(),
                settings=settings,
                steps={"": step},
            )
            with options.work.open("a", encoding="utf-8") as file:
                file.write(line(recording) + "\n" if known else f"{head(recording)}\n{line(recording)}\n")
            known[request.text] = recording
            print(f"{request.id} {step.seconds:5.1f} s  {request.text}\n     {_told(step)}", flush=True)
    PACKED.write_bytes(pack(known.values()))


def _told(step: RecordedStep) -> str:
    calls = [f"{call['name']}({json.dumps(call['args'])})" for call in step.plan.calls]
    return " ".join(calls) or repr(step.plan.text[:80])


if __name__ == "__main__":
    main()
