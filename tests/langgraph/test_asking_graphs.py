"""Questions in guarded graphs: asked where a tier names their signal, with the user's own prompt, paid once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from guardrail import Policy, open_store
from guardrail.signals import PTrue
from guardrail.types import Reply, ReplyBatch, Token
from tests.support.agents import GO, Bank, callback_agent, policy, react_agent, reply_until_paid, state_graph, thread
from tests.support.openai_server import OpenAIServer, call, say

ASKING = policy(tiers={"high": {"signals": ["agreement", "p_true", "verbalized_confidence"]}})
BUILDS = [
    state_graph,
    callback_agent,
    pytest.param(react_agent, marks=pytest.mark.filterwarnings("ignore:create_react_agent has been moved")),
]


def questions(server: OpenAIServer) -> list[dict[str, Any]]:
    return [body for body in server.requests if not body.get("tools")]


def answer(body: dict[str, Any], _index: int) -> dict[str, Any]:
    if body.get("tools"):
        return call("pay", amount=10)
    if not body.get("logprobs"):
        return say("Against: nothing.\nConfidence: 70%")
    top = [{"token": "A", "logprob": -0.1, "bytes": None}, {"token": "B", "logprob": -2.4, "bytes": None}]
    return say("A", logprobs={"content": [{"token": "A", "logprob": -0.1, "bytes": None, "top_logprobs": top}]})


@pytest.fixture
def server() -> Any:
    with OpenAIServer(reply_until_paid(answer)) as running:
        yield running


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("speculate", [False, True])
async def test_the_model_is_asked_about_its_call(server: OpenAIServer, build: Any, way: str, speculate: bool) -> None:
    store, bank = open_store("memory://"), Bank()
    bank.tools = bank.tools[:1]
    rules = Policy.parse(
        {
            "tools": [{"match": "pay", "tier": "high"}],
            "tiers": {"high": {"signals": ["agreement", "p_true", "verbalized_confidence"]}},
        }
    )
    app = build(server, bank, saver=InMemorySaver(), store=store, rules=rules, speculate=speculate)
    _ = app.invoke(GO, thread()) if way == "sync" else await app.ainvoke(GO, thread())
    assert bank.paid == [10]
    (record,) = store.records()
    (verdict,) = record.verdict.verdicts
    found = {signal.name: signal.value for signal in verdict.signals}
    assert found["p_true"] == pytest.approx(0.5)
    assert found["verbalized_confidence"] == 0.7
    assert record.verdict.questions == len(questions(server)) == 3
    # begun with the request, all samples come with one prompt; in waves, with several
    assert record.verdict.usage.requests == 3 + (1 if speculate else len(server.drawn))
    shown = json.loads(questions(server)[0]["messages"][1]["content"])
    assert shown["conversation"][-1] == {"role": "user", "text": "go"}
    assert shown["call"] == {"name": "pay", "arguments": {"amount": 10}}


def test_a_prompt_of_the_users_own(server: OpenAIServer) -> None:
    store = open_store("memory://")
    own = PTrue(prompt="Right? (A) $a (B) $b")
    app = state_graph(server, Bank(), saver=InMemorySaver(), store=store, rules=ASKING, signals=[own])
    app.invoke(GO, thread())
    systems = {body["messages"][0]["content"] for body in questions(server) if body.get("logprobs")}
    assert systems == {"Right? (A) right (B) wrong", "Right? (A) wrong (B) right"}
    usual = open_store("memory://")
    state_graph(server, Bank(), saver=InMemorySaver(), store=usual, rules=ASKING).invoke(GO, thread("t2"))
    (mine,), (theirs,) = store.records(), usual.records()
    assert mine.fingerprint != theirs.fingerprint


def test_another_asker(server: OpenAIServer) -> None:
    class Sure:
        def ask(self, step: Any, asked: Any) -> ReplyBatch:
            token = Token(text="A", logprob=-0.1, top=(("A", -0.1), ("B", -2.4)))
            return ReplyBatch(replies=tuple(Reply(text="Confidence: 40%", tokens=(token,)) for _ in asked))

        async def aask(self, step: Any, asked: Any) -> ReplyBatch:
            return self.ask(step, asked)

    store = open_store("memory://")
    state_graph(server, Bank(), saver=InMemorySaver(), store=store, rules=ASKING, asker=Sure()).invoke(GO, thread())
    (record,) = store.records()
    found = {signal.name: signal.value for signal in record.verdict.verdicts[0].signals}
    assert found["verbalized_confidence"] == 0.4
    assert questions(server) == []


def test_nothing_is_asked_where_no_tier_wants_it(server: OpenAIServer) -> None:
    state_graph(server, Bank(), saver=InMemorySaver()).invoke(GO, thread())
    assert questions(server) == []
