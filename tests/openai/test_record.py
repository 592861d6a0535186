"""The recording proxy: the agent sees what it would see without it, and its plans become cases."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from click.testing import CliRunner
from openai import AsyncOpenAI, OpenAI

from guardrail.cli.main import main
from guardrail.codec import from_json
from guardrail.types import Case
from guardrail_openai.record.proxy import application
from guardrail_openai.record.recorder import CaseFile, Recorder
from tests.support.openai_server import Fault, OpenAIServer, call, rate_limited, say

TOOL = {
    "name": "pay",
    "description": "Pay somebody.",
    "parameters": {"type": "object", "properties": {"amount": {"type": "integer"}}},
}
REQUEST: dict[str, Any] = {
    "model": "m",
    "temperature": 0.2,
    "messages": [{"role": "user", "content": "Pay Ann 5"}],
    "tools": [{"type": "function", "function": TOOL}],
}
RESPONSES: dict[str, Any] = {
    "model": "m",
    "input": [{"role": "user", "content": "Pay Ann 5"}],
    "tools": [{"type": "function", "strict": False, **TOOL}],
}


def plan(body: dict[str, Any], index: int) -> dict[str, Any]:
    return call("pay", amount=5 if index == 0 else 5 + index % 2)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "cases.jsonl"


def cases(out: Path) -> list[Case]:
    return [from_json(Case, json.loads(line)) for line in out.read_text().splitlines()]


def written(out: Path) -> tuple[str, int]:
    return out.read_text(), stat.S_IMODE(out.stat().st_mode)


@asynccontextmanager
async def proxied(
    url: str, out: Path, *, samples: int = 4, ask: tuple[str, ...] = (), **options: Any
) -> AsyncIterator[tuple[AsyncOpenAI, Recorder]]:
    """An agent's client behind the proxy; on leaving, everything begun is on file."""
    file = CaseFile(out)
    recorder = Recorder(file, upstream=url, samples=samples, ask=ask, timeout=5)
    app = application(recorder, upstream=url, **options)
    async with app.router.lifespan_context(app):
        agent = httpx.AsyncClient(transport=httpx.ASGITransport(app=app))
        yield AsyncOpenAI(base_url="http://proxy/v1", api_key="sk-agent", http_client=agent, max_retries=0), recorder
        await agent.aclose()
    file.close()


async def test_an_answer_passes_unchanged_and_its_plan_is_sampled_beside_it(server: OpenAIServer, out: Path) -> None:
    server.reply = plan
    async with proxied(server.url, out) as (agent, recorder):
        seen = await agent.chat.completions.create(**REQUEST)
    first, sampled = server.requests
    assert first == REQUEST
    assert (sampled["n"], sampled["temperature"], sampled["messages"]) == (4, 1.0, REQUEST["messages"])
    assert seen.choices[0].message.tool_calls[0].function.arguments == '{"amount": 5}'
    (case,) = cases(out)
    assert case.planned.calls[0].arguments == {"amount": 5}
    assert case.planned.response_id == seen.id
    assert [sample.calls[0].arguments["amount"] for sample in case.samples] == [6, 5, 6, 5]
    assert [turn.text for turn in case.conversation] == ["Pay Ann 5"]
    assert (case.tools[0].name, case.model, case.correct) == ("pay", "m", None)
    assert case.usage is not None
    assert (case.usage.requests, case.usage.prompt_tokens, case.usage.completion_tokens) == (1, 50, 28)
    assert (recorder.tally.seen, recorder.tally.recorded, recorder.waiting) == (1, 1, 0)


async def test_a_stream_passes_piece_by_piece_and_is_put_together_for_the_case(server: OpenAIServer, out: Path) -> None:
    server.reply = plan
    async with proxied(server.url, out) as (agent, _):
        stream = await agent.chat.completions.create(**REQUEST, stream=True)
        pieces = [piece async for piece in stream]
    assert len(pieces) > 3
    (case,) = cases(out)
    assert case.planned.calls[0].arguments == {"amount": 5}
    assert [body.get("stream") for body in server.requests] == [True, None]


async def test_the_responses_api_is_recorded_too(server: OpenAIServer, out: Path) -> None:
    server.reply = plan
    async with proxied(server.url, out, samples=3) as (agent, _):
        await agent.responses.create(**RESPONSES)
    (case,) = cases(out)
    assert (case.planned.calls[0].name, len(case.samples)) == ("pay", 3)
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("reply", "changed"),
    [(say("Hello"), {}), (plan, {"tools": openai.omit})],
    ids=["an answer in words", "no tools were offered"],
)
async def test_what_plans_nothing_only_passes(server: OpenAIServer, out: Path, reply: Any, changed: Any) -> None:
    server.reply = reply if callable(reply) else lambda body, index: reply
    async with proxied(server.url, out) as (agent, recorder):
        await agent.chat.completions.create(**{**REQUEST, **changed})
    assert (len(server.requests), recorder.tally.seen, cases(out)) == (1, 0, [])


async def test_errors_of_the_server_reach_the_agent_as_they_are(server: OpenAIServer, out: Path) -> None:
    server.faults = [rate_limited("7")]
    async with proxied(server.url, out) as (agent, recorder):
        with pytest.raises(openai.RateLimitError) as caught:
            await agent.chat.completions.create(**REQUEST)
    assert caught.value.response.headers["retry-after"] == "7"
    assert recorder.tally.seen == 0


async def test_a_server_that_is_not_there_is_a_bad_gateway(out: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    async with proxied(url, out) as (agent, _):
        with pytest.raises(openai.InternalServerError, match=r"cannot reach http://127\.0\.0\.1"):
            await agent.chat.completions.create(**REQUEST)


async def test_samples_are_drawn_in_the_agents_name_and_no_key_is_written(server: OpenAIServer, out: Path) -> None:
    server.reply, server.key = plan, "sk-agent"
    async with proxied(server.url, out) as (agent, recorder):
        await agent.chat.completions.create(**REQUEST, extra_headers={"OpenAI-Organization": "org-1"})
    sent = [{name.lower(): value for name, value in headers.items()} for headers in server.headers]
    assert [headers["authorization"] for headers in sent] == ["Bearer sk-agent"] * 2
    assert [headers["openai-organization"] for headers in sent] == ["org-1"] * 2
    assert recorder.tally.recorded == 1
    text, mode = written(out)
    assert "sk-agent" not in text
    assert mode == 0o600


async def test_samples_that_fail_are_told_and_never_disturb_the_agent(server: OpenAIServer, out: Path) -> None:
    server.reply = plan
    server.refuse = lambda body: "no samples here" if body.get("temperature") == 1.0 else None
    async with proxied(server.url, out) as (agent, recorder):
        seen = await agent.chat.completions.create(**REQUEST)
    assert seen.choices[0].message.tool_calls
    assert (recorder.tally.recorded, recorder.tally.failed, cases(out)) == (0, 1, [])
    assert "could not be drawn again" in recorder.tally.last_failure


async def test_a_broken_answer_passes_and_is_not_recorded(server: OpenAIServer, out: Path) -> None:
    server.faults = [Fault(status=200, body=b'{"choices": [')]
    async with proxied(server.url, out) as (agent, recorder):
        with pytest.raises(json.JSONDecodeError):
            await agent.chat.completions.create(**REQUEST)
    assert recorder.tally.seen == 0


async def test_a_share_of_the_steps_is_drawn_and_no_more_than_the_limit(server: OpenAIServer, out: Path) -> None:
    server.reply = plan
    chances = iter([0.1, 0.9, 0.2, 0.3])
    async with proxied(server.url, out, share=0.5, limit=2, draw=lambda: next(chances)) as (agent, recorder):
        for text in ("one", "two", "three", "four"):
            await agent.chat.completions.create(**{**REQUEST, "messages": [{"role": "user", "content": text}]})
    assert [case.conversation[0].text for case in cases(out)] == ["one", "three"]
    assert (recorder.tally.recorded, recorder.tally.left_out) == (2, 2)
    assert len({case.group for case in cases(out)}) == 2


async def test_the_model_is_asked_about_its_plan_where_that_is_wanted(server: OpenAIServer, out: Path) -> None:
    top = [{"token": "A", "logprob": -0.2, "bytes": None}, {"token": "B", "logprob": -1.8, "bytes": None}]
    letters = {"content": [{"token": "A", "logprob": -0.2, "bytes": None, "top_logprobs": top}]}

    def reply(body: dict[str, Any], index: int) -> dict[str, Any]:
        return plan(body, index) if body.get("tools") else say("A", logprobs=letters)

    server.reply = reply
    async with proxied(server.url, out, ask=("p_true",)) as (agent, _):
        await agent.chat.completions.create(**REQUEST)
    ((found,),) = cases(out)[0].signals
    # the letters are asked for in both orders, and a model that says A either way has no opinion
    assert (found.name, found.value) == ("p_true", pytest.approx(0.5, abs=1e-6))
    assert cases(out)[0].usage.requests == 3


def test_an_address_that_is_none_is_refused(out: Path) -> None:
    done = CliRunner().invoke(main, ["record", "--upstream", "api.openai.com", "--out", str(out)])
    assert done.exit_code == 2
    assert "--upstream must be an address such as https://api.openai.com/v1" in done.stderr


def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    arguments = ["record", "--upstream", "http://127.0.0.1:1/v1", "--out", str(tmp_path / "missing" / "cases.jsonl")]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert "cannot write cases to" in done.stderr


def test_the_command_serves_until_interrupted_and_finishes_what_it_began(server: OpenAIServer, out: Path) -> None:
    server.reply, server.delay = plan, 0.3
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "guardrail",
        "record",
        "--upstream",
        server.url,
        "--out",
        str(out),
        "--samples",
        "3",
    ]
    process = subprocess.Popen(
        [*command, "--port", str(port)], stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "300"}
    )
    try:
        _wait_for(lambda: _listens(port))
        with OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="k", max_retries=0) as agent:
            agent.chat.completions.create(**REQUEST)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert "1 recorded, 0 waiting" in said
    assert len(cases(out)[0].samples) == 3


def _listens(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/models", timeout=5).close()
    except OSError:
        return False
    return True


def _wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it never listened")
