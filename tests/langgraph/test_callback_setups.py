"""Set-ups in which the callback handler would hear the model and not the tools: each is refused, with what to do."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_classic.agents import AgentExecutor
from langchain_core.callbacks import AsyncCallbackManager, CallbackManager
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import MemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import BaseModel

from guardrail.errors import ConfigError
from guardrail_langgraph import GuardrailCallbackHandler, guard_tools
from guardrail_langgraph.blocked import ToolCallBlocked
from tests.support.agents import GO, Bank, chat_model, n_asked, policy, thread
from tests.support.executors import QUESTION, Legacy
from tests.support.openai_server import OpenAIServer, agent, call, calls

RULES = policy(tools=[{"match": "pay", "tier": "high"}])


@pytest.fixture(autouse=True)
def _approvals_hold() -> None:
    """Not here: some of these runs are of tools that nobody guards."""


def made(server: OpenAIServer, bank: Bank, kind: type = GuardrailCallbackHandler, **options: Any) -> Any:
    return kind(chat_model(server), tools=bank.tools, policy=RULES, **options)


class Deaf(GuardrailCallbackHandler):
    ignore_agent = True


class Blind(GuardrailCallbackHandler):
    ignore_chat_model = True


class Lone(GuardrailCallbackHandler):
    ignore_chain = True


class Late(GuardrailCallbackHandler):
    async def on_tool_start(self, *args: Any, **kwargs: Any) -> None:  # type: ignore[override]
        super().on_tool_start(*args, **kwargs)


class Lenient(GuardrailCallbackHandler):
    def on_tool_start(self, *args: Any, **kwargs: Any) -> None:
        """Lets everything run."""


class Quiet(GuardrailCallbackHandler):
    raise_error = False


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Deaf, "ignore_agent must not be true"),
        (Blind, "ignore_chat_model must not be true"),
        (Lone, "ignore_chain must not be true"),
        (Late, "is asynchronous"),
        (Lenient, "a tool ran although"),
        (Quiet, "a tool ran although"),
    ],
    ids=lambda one: one.__name__ if isinstance(one, type) else "",
)
def test_a_kind_of_handler_that_lets_tools_run_is_refused_before_it_is_used(kind: type, why: str) -> None:
    with OpenAIServer() as server, pytest.raises(ConfigError, match=why):
        made(server, Bank(), kind)


def test_a_kind_that_keeps_what_it_inherits_is_not() -> None:
    class Mine(GuardrailCallbackHandler):
        def on_tool_end(self, output: Any, **kwargs: Any) -> None:
            super().on_tool_end(output, **kwargs)

    with OpenAIServer() as server:
        assert isinstance(made(server, Bank(), Mine), Mine)


def test_the_self_test_is_not_heard_of(caplog: pytest.LogCaptureFixture) -> None:
    class Mine(GuardrailCallbackHandler):
        """A kind that was not tested yet."""

    with OpenAIServer() as server:
        handler = made(server, Bank(), Mine, store="memory://")
    assert caplog.text == ""
    assert handler.store.records() == []


@pytest.mark.parametrize("where", ["constructor", "with_config", "call"])
@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_a_handler_at_the_model_alone_ends_the_run_before_a_tool_starts(where: str, way: str) -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        handler = made(server, bank)
        if where == "constructor":
            graph: Any = create_agent(chat_model(server, callbacks=[handler]), bank.tools)
        else:
            planner: Any = chat_model(server).bind_tools(bank.tools)
            if where == "with_config":
                planner = planner.with_config(callbacks=[handler])
            extra = {"config": {"callbacks": [handler]}} if where == "call" else {}

            def loop(question: Any) -> Any:
                plan = planner.invoke("go", **extra)
                return bank.tools[0].invoke(plan.tool_calls[0]["args"])

            graph = RunnableLambda(loop)
        with pytest.raises(ConfigError, match="would not hear the tools") as refused:
            graph.invoke(GO) if way == "invoke" else await graph.ainvoke(GO)
    assert "guard_tools" in str(refused.value)
    assert bank.run == []


def test_a_model_that_is_watched_needs_tools_that_ask() -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        handler = made(server, bank)
        with pytest.raises(ConfigError, match="would not hear the tools"):
            create_agent(handler.watch(chat_model(server)), bank.tools).invoke(GO)
        assert bank.run == []
        # the same model in a run that is heard as a whole, or with tools of the guard's own
        create_agent(handler.watch(chat_model(server)), bank.tools).invoke(GO, {"callbacks": [handler]})
        create_agent(handler.watch(chat_model(server)), guard_tools(bank.tools, handler)).invoke(GO)
        assert n_asked(server) == 16
    assert bank.paid == [10, 10]


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
async def test_a_handler_in_the_constructor_of_an_executor_ends_the_run_before_a_tool_starts(way: str) -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        handler = made(server, bank)
        executor = AgentExecutor(agent=Legacy(server, bank).executor.agent, tools=bank.tools, callbacks=[handler])
        with pytest.raises(ConfigError, match="constructor") as refused:
            match way:
                case "invoke":
                    executor.invoke(QUESTION)
                case "ainvoke":
                    await executor.ainvoke(QUESTION)
                case "stream":
                    list(executor.stream(QUESTION))
                case _:
                    [part async for part in executor.astream(QUESTION)]
    assert "agent.invoke(" in str(refused.value)
    assert bank.run == []


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_a_manager_that_does_not_pass_the_handler_on_ends_in_an_error_that_says_so(way: str) -> None:
    """Nothing of the run is told before it ends."""
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        handler = made(server, bank)
        graph = create_agent(chat_model(server), bank.tools)
        kind = CallbackManager if way == "invoke" else AsyncCallbackManager
        config: Any = {"callbacks": kind(handlers=[handler])}
        with pytest.raises(ConfigError, match="inherit=True"):
            graph.invoke(GO, config) if way == "invoke" else await graph.ainvoke(GO, config)


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_a_manager_that_passes_the_handler_on_guards_the_run(way: str) -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        handler = made(server, bank)
        manager = CallbackManager([]) if way == "invoke" else AsyncCallbackManager([])
        manager.add_handler(handler, inherit=True)
        graph = create_agent(chat_model(server), bank.tools)
        config: Any = {"callbacks": manager}
        graph.invoke(GO, config) if way == "invoke" else await graph.ainvoke(GO, config)
        assert n_asked(server) == 8
    assert bank.paid == [10]


def test_a_tool_that_is_no_tool_of_langchain_is_found_out_at_the_next_request() -> None:
    """A plain function that is called tells nobody; the message that answers for it does."""
    bank, ran = Bank(), []
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        planner = chat_model(server).bind_tools(bank.tools)

        def tools(state: MessagesState) -> dict[str, Any]:
            ran.append(1)
            return {"messages": [ToolMessage("paid", tool_call_id=state["messages"][-1].tool_calls[0]["id"])]}

        builder = StateGraph(MessagesState)
        builder.add_node("agent", lambda state: {"messages": [planner.invoke(state["messages"])]})
        builder.add_node("tools", tools)
        builder.add_edge(START, "agent")
        builder.add_conditional_edges("agent", lambda state: "tools" if state["messages"][-1].tool_calls else "__end__")
        builder.add_edge("tools", "agent")
        with pytest.raises(ConfigError, match="pay ran, and the guard was not asked"):
            builder.compile().invoke(GO, {"callbacks": [made(server, bank)]})
    assert ran == [1]


def test_each_call_has_to_be_told_not_only_the_first() -> None:
    """One path starts the tool, another calls its function."""
    bank = Bank()
    with OpenAIServer(lambda _body, _index: call("pay", amount=10)) as server:
        planner = chat_model(server).bind_tools(bank.tools)
        rounds: list[int] = []

        def loop(_: Any) -> None:
            messages: list[Any] = [("human", "go")]
            for number in range(3):
                plan = planner.invoke(messages)
                rounds.append(number)
                planned = plan.tool_calls[0]
                if number == 0:
                    answer = bank.tools[0].invoke({**planned, "type": "tool_call"})
                else:
                    answer = ToolMessage("paid", tool_call_id=planned["id"])
                messages += [plan, answer]

        with pytest.raises(ConfigError, match="the guard was not asked"):
            RunnableLambda(loop).invoke("go", {"callbacks": [made(server, bank)]})
    assert rounds == [0, 1]


def test_a_call_that_other_middleware_answers_is_no_alarm() -> None:
    """What is not registered with the guard is none of its business; so is what was refused."""

    class Found(BaseModel):
        amount: int

    bank = Bank()
    with OpenAIServer(lambda _body, _index: call("Found", amount=3)) as server:
        graph = create_agent(
            chat_model(server), bank.tools, response_format=ToolStrategy(Found), checkpointer=MemorySaver()
        )
        config = {**thread(), "callbacks": [made(server, bank)]}
        for _ in range(2):
            assert graph.invoke(GO, config)["structured_response"].amount == 3


def test_a_tool_within_a_tool_uses_up_no_call_that_was_planned() -> None:
    """The outer call was looked at. What it starts by itself is blocked; a plain function in its place is part of it."""
    bank = Bank()

    @tool
    def settle(amount: int) -> str:
        """Pay what is owed."""
        return str(bank.tools[0].invoke({"amount": amount}))

    plan = calls(("settle", {"amount": 10}), ("pay", {"amount": 10}))
    with OpenAIServer(agent(lambda _body, _index: {**plan})) as server:
        rules = policy(tools=[{"match": ["pay", "settle"], "tier": "high"}])
        for saver in (None, MemorySaver()):
            bank.run.clear()
            handler = GuardrailCallbackHandler(chat_model(server), tools=[*bank.tools, settle], policy=rules)
            graph = create_agent(chat_model(server), [*bank.tools, settle], checkpointer=saver)
            result = graph.invoke(GO, {**thread(), "callbacks": [handler]})
            texts = [message.content for message in result["messages"] if message.type == "tool"]
            assert bank.paid == [10]
            assert "without a planned call" in texts[0]


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_an_observer_at_the_wrong_place_ends_nothing(way: str) -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        handler = made(server, bank, observe_only=True)
        graph = create_agent(chat_model(server, callbacks=[handler]), bank.tools)
        graph.invoke(GO) if way == "invoke" else await graph.ainvoke(GO)
    assert bank.paid == [10]
    assert handler.store.records() == []


def test_an_observer_hears_an_executor_too() -> None:
    bank = Bank()
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        observer = GuardrailCallbackHandler(
            chat_model(server), tools=bank.tools, policy=policy(), store="memory://", observe_only=True
        )
        plain = AgentExecutor(agent=Legacy(server, bank).executor.agent, tools=bank.tools)
        plain.invoke(QUESTION, {"callbacks": [observer]})
        assert n_asked(server) == 8
    assert bank.run == [("wipe", {"account": "a1"})]
    assert len(observer.store.records()) == 1
    assert observer.store.reviews() == []


def test_a_blocked_call_is_answered_in_words_by_tools_of_the_guard() -> None:
    bank = Bank()
    with OpenAIServer() as server:
        handler = made(server, bank)
        (pay, *_) = guard_tools(bank.tools, handler)
        said = pay.invoke({"name": "pay", "args": {"amount": 1}, "id": "c1", "type": "tool_call"})
        assert (said.status, said.tool_call_id) == ("error", "c1")
        assert "was not seen" in said.content
        assert "without a planned call" in pay.invoke({"amount": 1})
        with pytest.raises(ToolCallBlocked):
            bank.tools[0].invoke({"amount": 1}, {"callbacks": [handler]})
    assert type(pay).__name__ == type(bank.tools[0]).__name__
    assert bank.run == []
