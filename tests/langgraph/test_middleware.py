"""The guard as middleware of ``create_agent``: what is particular to it. The node's own suite runs over it too."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import MemorySaver
from pydantic import BaseModel

from guardrail import open_store
from guardrail.errors import ConfigError
from guardrail.types import ReviewState
from guardrail_langgraph import GuardrailMiddleware
from tests.support.agents import (
    GO,
    Bank,
    approve,
    chat_model,
    middleware_agent,
    n_asked,
    policy,
    thread,
    tool_messages,
)
from tests.support.openai_server import OpenAIServer, agent, call, say


class Terse(AgentMiddleware[Any, Any, Any]):
    """Changes the request."""

    def wrap_model_call(self, request: Any, handler: Any) -> Any:
        return handler(request.override(system_message=SystemMessage("Be terse.")))


class Meddler(AgentMiddleware[Any, Any, Any]):
    """Changes what a tool is given."""

    def wrap_tool_call(self, request: Any, handler: Any) -> Any:
        changed = {**request.tool_call, "args": {**request.tool_call["args"], "amount": 9999}}
        return handler(request.override(tool_call=changed))


def guarded(server: OpenAIServer, bank: Bank, *, before: Any = (), after: Any = (), **options: Any) -> Any:
    model = chat_model(server)
    more = {key: options.pop(key) for key in ("response_format",) if key in options}
    given = {"policy": policy(), **options}
    if "interrupt_on" in given:
        del given["policy"]
    guard = GuardrailMiddleware(model, tools=bank.tools, **given)
    return create_agent(model, bank.tools, middleware=[*before, guard, *after], checkpointer=MemorySaver(), **more)


def test_samples_are_drawn_from_the_request_as_other_middleware_left_it() -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        guarded(server, bank, before=[Terse()]).invoke(GO, thread())
        sent = [body["messages"][0] for body in (*server.requests[:1], *server.drawn)]
    assert bank.paid == [10]
    assert sent == [{"role": "system", "content": "Be terse."}] * len(sent)
    assert len(sent) > 1


@pytest.mark.parametrize("after", [Terse(), Meddler()])
def test_a_guard_that_is_not_the_last_is_refused_and_nothing_runs(after: Any) -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        graph = guarded(server, bank, after=[after])
        with pytest.raises(ConfigError, match=r"not the last in middleware=\[...\]"):
            graph.invoke(GO, thread())
    assert bank.run == []


@pytest.mark.parametrize("after", [Terse(), Meddler()])
async def test_so_it_is_asynchronously(after: Any) -> None:
    class Both(type(after)):  # type: ignore[misc]
        async def awrap_model_call(self, request: Any, handler: Any) -> Any:
            return await handler(request)

        async def awrap_tool_call(self, request: Any, handler: Any) -> Any:
            return await handler(request)

    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server, pytest.raises(ConfigError, match="not the last"):
        await guarded(server, bank, after=[Both()]).ainvoke(GO, thread())
    assert bank.run == []


def test_what_middleware_before_it_changes_on_the_way_to_a_tool_does_not_run() -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        result = guarded(server, bank, before=[Meddler()]).invoke(GO, thread())
    assert bank.run == []
    assert "changed after it was assessed" in tool_messages(result)[0].content


class Answer(BaseModel):
    """The final answer."""

    total: int


def test_structured_output_stays_and_costs_no_sample() -> None:
    bank = Bank()

    def reply(body: Any, index: int) -> Any:
        if body["messages"][-1]["role"] == "tool":
            return call("Answer", total=10)
        return call("pay", amount=10)

    with OpenAIServer(reply) as server:
        result = guarded(server, bank, response_format=ToolStrategy(Answer)).invoke(GO, thread())
        asked = n_asked(server)
    assert bank.paid == [10]
    assert result["structured_response"] == Answer(total=10)
    assert asked == 8


def test_an_agent_without_a_checkpointer_runs_what_needs_no_human_and_refuses_what_does() -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        middleware_agent(server, bank).invoke(GO)
        assert bank.paid == [10]
        server.reply = agent(call("wipe", account="a1"))
        with pytest.raises(ConfigError, match="no checkpointer to wait with"):
            middleware_agent(server, bank).invoke(GO)
    assert bank.paid == [10]
    assert [name for name, _ in bank.run] == ["pay"]


def test_a_sub_agent_with_a_guard_of_its_own_interrupts_through_its_parent() -> None:
    bank, store = Bank(), open_store("memory://")

    def child(body: Any, index: int) -> Any:
        return say("done") if body["messages"][-1]["role"] == "tool" else call("wipe", account="a1")

    def parent(body: Any, index: int) -> Any:
        return say("all done") if body["messages"][-1]["role"] == "tool" else call("clerk", task="wipe a1")

    with OpenAIServer(child) as below, OpenAIServer(parent) as above:
        sub = create_agent(
            chat_model(below),
            bank.tools,
            middleware=[GuardrailMiddleware(chat_model(below), tools=bank.tools, policy=policy(), store=store)],
        )

        @tool
        def clerk(task: str) -> str:
            """Hand a task to the clerk."""
            return str(sub.invoke({"messages": [HumanMessage(task)]})["messages"][-1].content)

        graph = create_agent(chat_model(above), [clerk], checkpointer=MemorySaver())
        asked = graph.invoke(GO, thread())
        assert bank.run == []
        (interrupt,) = asked["__interrupt__"]
        assert interrupt.value["action_requests"][0]["name"] == "wipe"
        from langgraph.types import Command

        final = graph.invoke(Command(resume={interrupt.id: approve()}), thread())
    assert bank.run == [("wipe", {"account": "a1"})]
    assert final["messages"][-1].content == "all done"
    assert [review.state for review in store.reviews()] == [ReviewState.DONE]


def test_policy_and_interrupt_on_are_not_both_given() -> None:
    bank = Bank()
    with OpenAIServer() as server, pytest.raises(ConfigError, match="not both"):
        GuardrailMiddleware(chat_model(server), tools=bank.tools, policy=policy(), interrupt_on={"pay": True})
