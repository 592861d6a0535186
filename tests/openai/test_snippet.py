"""The shortest loop: what the documentation shows."""

from __future__ import annotations

import pytest

from guardrail.types import Route
from tests.support.openai_server import OpenAIServer, call

SNIPPET = """
from openai import OpenAI
from guardrail import Guard, Policy, open_store
from guardrail_openai import OpenAISampler, planning_step

client = OpenAI()
guard = Guard(Policy.load("policy.yaml"), OpenAISampler(client), open_store("sqlite:///guardrail.db"))

request = {"model": "gpt-4.1-mini", "messages": messages, "tools": tools}
response = client.chat.completions.create(**request)
step = guard.assess(planning_step(request, response, thread_id="42"))
for verdict in step.verdicts:
    if verdict.route == "execute":
        run(verdict.call.name, verdict.call.arguments)
    else:
        print(verdict.route, verdict.why)
"""


@pytest.mark.parametrize(("amounts", "expected"), [([5] * 99, Route.EXECUTE), (range(99), Route.RETRY)], ids=["a", "b"])
def test_the_shortest_loop(
    server: OpenAIServer, monkeypatch: pytest.MonkeyPatch, tmp_path, amounts, expected: Route
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    (tmp_path / "policy.yaml").write_text("tools:\n  - {match: pay, tier: medium}\n")
    server.reply = lambda _body, index: call("pay", amount=amounts[index])
    ran: list[dict[str, int]] = []
    tool = {"type": "function", "function": {"name": "pay", "parameters": {"type": "object"}}}
    names = {
        "messages": [{"role": "user", "content": "pay"}],
        "tools": [tool],
        "run": lambda _name, arguments: ran.append(arguments),
    }
    exec(compile(SNIPPET, "snippet", "exec"), names)
    assert names["step"].route is expected
    assert ran == ([{"amount": 5}] if expected is Route.EXECUTE else [])
    names["client"].close()
