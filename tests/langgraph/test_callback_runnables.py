"""The callback handler in chains of any Runnables: no agent, no graph."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnableParallel

from guardrail_langgraph import GuardrailCallbackHandler
from guardrail_langgraph.blocked import ToolCallBlocked
from tests.support.agents import Bank, chat_model, n_asked, never_agreeing, policy
from tests.support.openai_server import OpenAIServer, agent, call

PROMPT = ChatPromptTemplate.from_template("{input}")
WAYS = ("invoke", "ainvoke", "stream", "astream", "batch", "abatch")


def starting(bank: Bank, *, ids: bool) -> RunnableLambda[AIMessage, list[str]]:
    """Starts the tools of a plan, by the ids of its calls or without."""
    named = {one.name: one for one in [*bank.tools, *bank.async_tools]}

    def given(planned: Any) -> Any:
        return {**planned, "type": "tool_call"} if ids else planned["args"]

    def start(plan: AIMessage) -> list[str]:
        return [_text(named[one["name"]].invoke(given(one))) for one in plan.tool_calls]

    async def astart(plan: AIMessage) -> list[str]:
        return [_text(await named[one["name"]].ainvoke(given(one))) for one in plan.tool_calls]

    return RunnableLambda(start, afunc=astart)


def _text(said: Any) -> str:
    return str(said.content if isinstance(said, ToolMessage) else said)


async def run(chain: Any, way: str, handler: GuardrailCallbackHandler) -> Any:
    config: Any = {"callbacks": [handler]}
    match way:
        case "invoke":
            return chain.invoke({"input": "go"}, config)
        case "ainvoke":
            return await chain.ainvoke({"input": "go"}, config)
        case "stream":
            return list(chain.stream({"input": "go"}, config))[-1]
        case "astream":
            return [part async for part in chain.astream({"input": "go"}, config)][-1]
        case "batch":
            return chain.batch([{"input": "go"}], config)[0]
        case _:
            return (await chain.abatch([{"input": "go"}], config))[0]


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("way", WAYS)
async def test_a_chain_of_prompt_model_and_tools(way: str, ids: bool) -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        handler = GuardrailCallbackHandler(chat_model(server), tools=bank.tools, policy=policy(), store="memory://")
        chain = PROMPT | chat_model(server).bind_tools(bank.tools) | starting(bank, ids=ids)
        assert await run(chain, way, handler) == ["paid 10"]
        assert n_asked(server) == 8
        server.reply = agent(call("wipe", account="a1"))
        with pytest.raises(ToolCallBlocked, match="must wait for a human"):
            await run(chain, way, handler)
        server.reply = never_agreeing
        with pytest.raises(ToolCallBlocked, match="planning this step again"):
            await run(chain, way, handler)
    assert bank.paid == [10]
    assert len(handler.store.records()) == 3


@pytest.mark.parametrize("way", ["ainvoke", "astream", "abatch"])
async def test_an_asynchronous_tool_is_held_like_any_other(way: str) -> None:
    bank = Bank()
    rules = policy(tools=[{"match": "transfer", "tier": "critical"}])
    with OpenAIServer(agent(call("transfer", amount=5))) as server:
        handler = GuardrailCallbackHandler(chat_model(server), tools=bank.async_tools, policy=rules)
        chain = PROMPT | chat_model(server).bind_tools(bank.async_tools) | starting(bank, ids=True)
        with pytest.raises(ToolCallBlocked, match="must wait for a human"):
            await run(chain, way, handler)
    assert bank.run == []


def test_branches_side_by_side_use_their_own_plans() -> None:
    """Both plan the same call, one of them in doubt; what the other was let is not for it."""
    bank = Bank()
    rules = policy(tools=[{"match": "pay", "tier": "high"}], tiers={"high": {"max_retries": 0}})

    def replies(body: dict[str, Any], index: int) -> dict[str, Any]:
        doubtful = "doubt" in str(body["messages"]) and body.get("temperature") == 1.0
        return call("pay", amount=100 + index if doubtful else 10)

    def caught(chain: Any) -> Any:
        def inner(given: Any) -> str:
            try:
                return str(chain.invoke(given))
            except ToolCallBlocked:
                return "blocked"

        return RunnableLambda(inner)

    with OpenAIServer(replies) as server:
        handler = GuardrailCallbackHandler(chat_model(server), tools=bank.tools, policy=rules)
        planner = chat_model(server).bind_tools(bank.tools)
        both_planned = threading.Barrier(2, timeout=30)

        def once_both_have_planned(plan: AIMessage) -> AIMessage:
            both_planned.wait()
            return plan

        def branch(text: str) -> Any:
            prompt = ChatPromptTemplate.from_template(text)
            return caught(prompt | planner | once_both_have_planned | starting(bank, ids=False))

        both = RunnableParallel(sure=branch("sure {input}"), doubt=branch("doubt {input}"))
        for _ in range(5):
            said = both.invoke({"input": "x"}, {"callbacks": [handler]})
            assert said == {"sure": "['paid 10']", "doubt": "blocked"}
    assert bank.paid == [10] * 5


def test_threads_that_share_a_handler() -> None:
    bank = Bank()
    with OpenAIServer(lambda body, _index: call("pay", amount=int(body["messages"][0]["content"]))) as server:
        handler = GuardrailCallbackHandler(chat_model(server), tools=bank.tools, policy=policy(), store="memory://")
        chain = PROMPT | chat_model(server).bind_tools(bank.tools) | starting(bank, ids=False)

        def one(number: int) -> list[str]:
            return chain.invoke({"input": str(number)}, {"callbacks": [handler]})

        with ThreadPoolExecutor(8) as pool:
            said = list(pool.map(one, range(1, 17)))
        assert n_asked(server) == 16 * 8
    assert said == [[f"paid {number}"] for number in range(1, 17)]
    assert sorted(bank.paid) == list(range(1, 17))


def test_a_call_is_started_once_and_again_only_after_it_has_failed() -> None:
    bank, tries = Bank(), []
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        handler = GuardrailCallbackHandler(chat_model(server), tools=bank.tools, policy=policy())
        planner = chat_model(server).bind_tools(bank.tools)

        def twice(plan: AIMessage) -> list[str]:
            said = []
            for _ in range(2):
                try:
                    said.append(_text(bank.tools[0].invoke({**plan.tool_calls[0], "type": "tool_call"})))
                except ToolCallBlocked as error:
                    said.append(str(error))
            return said

        said = (PROMPT | planner | RunnableLambda(twice)).invoke({"input": "go"}, {"callbacks": [handler]})
        assert said[0] == "paid 10"
        assert "this call has run, once" in said[1]

        def fails_once(amount: int, to: str = "bob") -> str:
            tries.append(amount)
            if len(tries) == 1:
                raise OSError("try again")
            return "paid at last"

        flaky = bank.tools[0].model_copy(update={"func": fails_once}).with_retry(wait_exponential_jitter=False)

        def patient(plan: AIMessage) -> str:
            return _text(flaky.invoke({**plan.tool_calls[0], "type": "tool_call"}))

        chain = PROMPT | planner | RunnableLambda(patient)
        assert chain.invoke({"input": "go"}, {"callbacks": [handler]}) == "paid at last"
    assert tries == [10, 10]


def test_call_ids_that_a_server_gives_again_are_told_apart_by_their_run() -> None:
    """Some servers number the calls of every response from 0."""
    bank = Bank()

    def numbered(body: dict[str, Any], index: int) -> dict[str, Any]:
        message = call("pay", amount=int(body["messages"][0]["content"]))
        message["tool_calls"][0]["id"] = "0"
        return message

    with OpenAIServer(numbered) as server:
        handler = GuardrailCallbackHandler(chat_model(server), tools=bank.tools, policy=policy())
        chain = PROMPT | chat_model(server).bind_tools(bank.tools) | starting(bank, ids=True)
        for amount in (1, 2, 3):
            assert chain.invoke({"input": str(amount)}, {"callbacks": [handler]}) == [f"paid {amount}"]
        assert n_asked(server) == 24
    assert bank.paid == [1, 2, 3]
