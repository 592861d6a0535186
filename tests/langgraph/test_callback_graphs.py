"""The callback handler in graphs that somebody else built: tool nodes of several calls, sub-graphs, sub-agents, loops."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.checkpoint.memory import MemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, create_react_agent, tools_condition
from langgraph.types import Command, interrupt
from openai import BadRequestError

from guardrail import open_store
from guardrail.types import ReviewState
from guardrail_langgraph import GuardrailCallbackHandler
from guardrail_langgraph.blocked import ToolCallBlocked
from tests.support.agents import GO, Bank, approve, chat_model, n_asked, policy, reject, thread, tool_messages
from tests.support.openai_server import OpenAIServer, agent, call, calls, say

BOTH = calls(("pay", {"amount": 10}), ("wipe", {"account": "a1"}), ("wipe", {"account": "a2"}))


def with_node(server: OpenAIServer, node: Any, bank: Bank, saver: Any = None) -> Any:
    """agent -> tools -> agent along edges: one task starts all the calls of a step."""
    planner = chat_model(server).bind_tools(bank.tools)
    builder = StateGraph(MessagesState)
    builder.add_node("agent", lambda state: {"messages": [planner.invoke(state["messages"])]})
    builder.add_node("tools", node)
    builder.add_edge(START, "agent")
    builder.add_conditional_edges("agent", tools_condition)
    builder.add_edge("tools", "agent")
    return builder.compile(checkpointer=saver)


def by_hand(tools: list[Any], *, ids: bool) -> Any:
    """A tool node as tutorials write it, with the ids of the calls or without."""
    named = {one.name: one for one in tools}

    def node(state: MessagesState) -> dict[str, Any]:
        answers = []
        for planned in state["messages"][-1].tool_calls:
            try:
                said = named[planned["name"]].invoke({**planned, "type": "tool_call"} if ids else planned["args"])
            except ToolCallBlocked as error:
                said = str(error)
            text = said.content if isinstance(said, ToolMessage) else str(said)
            answers.append(ToolMessage(text, tool_call_id=planned["id"]))
        return {"messages": answers}

    return node


def handler_for(server: OpenAIServer, bank: Bank, **options: Any) -> GuardrailCallbackHandler:
    settings = {"policy": policy(), "store": "memory://", **options}
    return GuardrailCallbackHandler(chat_model(server), tools=bank.tools, **settings)


def config(handler: GuardrailCallbackHandler, **more: Any) -> dict[str, Any]:
    return {**thread(), "callbacks": [handler], **more}


def answer_all(graph: Any, result: Any, settings: dict[str, Any]) -> Any:
    """Approve what is about account a1, reject the rest, one interrupt after the other."""
    for _ in range(10):
        if "__interrupt__" not in result:
            return result
        (one,) = result["__interrupt__"]
        account = one.value["action_requests"][0]["args"].get("account")
        result = graph.invoke(Command(resume={one.id: approve() if account == "a1" else reject()}), settings)
    raise AssertionError("it never ends")


@pytest.mark.parametrize("node", ["tool node", "with ids", "without ids"])
def test_calls_that_share_a_task_are_asked_about_in_order_and_run_once(node: str) -> None:
    """Answers of one task are told apart by their order alone, and every answer starts the task anew."""
    bank = Bank()
    with OpenAIServer(agent(lambda _body, _index: {**BOTH})) as server:
        handler = handler_for(server, bank)
        tools = ToolNode(bank.tools) if node == "tool node" else by_hand(bank.tools, ids=node == "with ids")
        graph = with_node(server, tools, bank, MemorySaver())
        result = graph.invoke(GO, config(handler))
        assert bank.run == []
        final = answer_all(graph, result, config(handler))
        assert n_asked(server) == 8
    assert sorted(bank.run) == [("pay", {"amount": 10, "to": "bob"}), ("wipe", {"account": "a1"})]
    assert [message.content[:12] for message in tool_messages(final)] == ["paid 10", "gone", "Not executed"]


@pytest.mark.parametrize("ids", [True, False])
def test_a_restart_between_the_answers_changes_nothing(tmp_path: Any, ids: bool) -> None:
    bank = Bank()
    url = f"sqlite:///{tmp_path}/g.db"
    with OpenAIServer(agent(lambda _body, _index: {**BOTH})) as server:

        def go(given: Any) -> Any:
            with SqliteSaver.from_conn_string(f"{tmp_path}/c.db") as saver:
                graph = with_node(server, by_hand(bank.tools, ids=ids), bank, saver)
                return graph.invoke(given, config(handler_for(server, bank, store=open_store(url))))

        result = go(GO)
        for reply in (approve(), reject()):
            (one,) = result["__interrupt__"]
            result = go(Command(resume={one.id: reply}))
        assert n_asked(server) == 8
    assert sorted(bank.run) == [("pay", {"amount": 10, "to": "bob"}), ("wipe", {"account": "a1"})]


def test_a_saved_state_resumed_twice_runs_nothing_twice() -> None:
    bank = Bank()
    with OpenAIServer(agent(lambda _body, _index: {**BOTH})) as server:
        handler = handler_for(server, bank)
        graph = with_node(server, ToolNode(bank.tools), bank, MemorySaver())
        result = graph.invoke(GO, config(handler))
        for _ in range(2):
            answer_all(graph, result, {**graph.get_state(thread()).config, "callbacks": [handler]} | thread())
            result = graph.invoke(None, {**next(iter(_waiting(graph))).config, "callbacks": [handler]})
    assert sorted(bank.run) == [("pay", {"amount": 10, "to": "bob"}), ("wipe", {"account": "a1"})]


def _waiting(graph: Any) -> Any:
    return (state for state in graph.get_state_history(thread()) if state.next == ("tools",))


@pytest.mark.parametrize("how", ["ainvoke", "invoke"])
async def test_more_calls_at_once_than_there_are_threads_are_decided(how: str) -> None:
    """A handler that waits for a task of the graph in the thread of a tool waits forever where all threads do so."""
    bank = Bank()
    plan = calls(*(("pay", {"amount": 1 + number}) for number in range(40)))
    with OpenAIServer(agent(lambda _body, _index: {**plan})) as server:
        graph = create_agent(chat_model(server), bank.tools, checkpointer=MemorySaver())
        settings = config(handler_for(server, bank))
        if how == "ainvoke":
            await graph.ainvoke(GO, settings)
        else:
            graph.invoke(GO, {**settings, "max_concurrency": 1})
        assert n_asked(server) == 8
    assert sorted(bank.paid) == list(range(1, 41))


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_prebuilt_agent_that_is_not_changed(version: Any) -> None:
    bank = Bank()
    with OpenAIServer(agent(lambda _body, _index: {**BOTH})) as server:
        handler = handler_for(server, bank)
        graph = create_react_agent(chat_model(server), bank.tools, checkpointer=MemorySaver(), version=version)
        result = graph.invoke(GO, config(handler))
        for _ in range(4):
            if "__interrupt__" not in result:
                break
            replies = {
                one.id: approve() if one.value["action_requests"][0]["args"] == {"account": "a1"} else reject()
                for one in result["__interrupt__"]
            }
            result = graph.invoke(Command(resume=replies), config(handler))
        assert n_asked(server) == 8
    assert sorted(bank.run) == [("pay", {"amount": 10, "to": "bob"}), ("wipe", {"account": "a1"})]


# Sub-graphs and sub-agents


@pytest.mark.parametrize("as_tool", [False, True])
@pytest.mark.parametrize("reply", ["approve", "reject"])
def test_a_guard_of_the_outer_run_hears_the_inner_one(as_tool: bool, reply: str) -> None:
    bank = Bank()

    def replies(body: dict[str, Any], index: int) -> dict[str, Any]:
        if as_tool and "inner" not in str(body["messages"]):
            return say("done") if body["messages"][-1]["role"] == "tool" else call("delegate", task="inner")
        return say("done") if body["messages"][-1]["role"] == "tool" else call("wipe", account="a1")

    with OpenAIServer(replies) as server:
        inner = create_agent(chat_model(server), bank.tools)

        @tool
        def delegate(task: str) -> str:
            """Let another agent do it."""
            done = inner.invoke({"messages": [HumanMessage(task)]})
            return str(done["messages"][-1].content)

        rules = policy(tools=[{"match": "delegate", "tier": "low"}, {"match": "wipe", "tier": "critical"}])
        handler = GuardrailCallbackHandler(chat_model(server), tools=[*bank.tools, delegate], policy=rules)
        if as_tool:
            graph = create_agent(chat_model(server), [delegate], checkpointer=MemorySaver())
        else:
            builder = StateGraph(MessagesState)
            builder.add_node("inner", inner)
            builder.add_edge(START, "inner")
            graph = builder.compile(checkpointer=MemorySaver())
        result = graph.invoke(GO, config(handler))
        assert bank.run == []
        (one,) = result["__interrupt__"]
        record = handler.store.record(one.value["guard"]["record_id"])
        graph.invoke(Command(resume={one.id: approve() if reply == "approve" else reject()}), config(handler))
        asked = n_asked(server)
    assert bank.run == ([("wipe", {"account": "a1"})] if reply == "approve" else [])
    assert asked == (10 if as_tool else 8)  # low stakes cost two samples
    assert record.namespace.startswith("tools:" if as_tool else "inner:")
    assert record.thread_id == "t1"
    (review,) = handler.store.reviews()
    assert review.namespace == record.namespace
    assert review.state is ReviewState.DONE


def test_agents_side_by_side_have_steps_and_records_of_their_own() -> None:
    """Both plan the same call, in messages of the same id: a record is of one place in the graph."""
    bank = Bank()

    def replies(body: dict[str, Any], index: int) -> dict[str, Any]:
        return say("done") if body["messages"][-1]["role"] == "tool" else call("wipe", account="a1")

    with OpenAIServer(replies) as server:
        handler = handler_for(server, bank)
        builder = StateGraph(MessagesState)
        for name in ("left", "right"):
            builder.add_node(name, create_agent(chat_model(server), bank.tools))
            builder.add_edge(START, name)
        graph = builder.compile(checkpointer=MemorySaver())
        result = graph.invoke(GO, config(handler))
        found = {one.value["guard"]["record_id"]: one for one in result["__interrupt__"]}
        assert len(found) == 2
        places = {handler.store.record(record_id).namespace.partition(":")[0] for record_id in found}
        assert places == {"left", "right"}
        left, right = found.values()
        graph.invoke(Command(resume={left.id: approve(), right.id: reject()}), config(handler))
        assert n_asked(server) == 16
    assert bank.run == [("wipe", {"account": "a1"})]


def test_a_tool_that_asks_somebody_itself_goes_on_and_its_approval_counts_once() -> None:
    bank, ran = Bank(), []

    @tool
    def wipe(account: str) -> str:
        """Delete an account."""
        ran.append(interrupt({"which": account}))
        return "gone"

    bank.tools = [bank.tools[0], wipe]
    plan = calls(("pay", {"amount": 10}), ("wipe", {"account": "a1"}))
    with OpenAIServer(agent(lambda _body, _index: {**plan})) as server:
        rules = policy(tools=[{"match": "wipe", "tier": "critical"}])
        handler = handler_for(server, bank, policy=rules)
        graph = with_node(server, ToolNode(bank.tools), bank, MemorySaver())
        result = graph.invoke(GO, config(handler))
        for reply in (approve(), "sure"):
            (one,) = result["__interrupt__"]
            result = graph.invoke(Command(resume={one.id: reply}), config(handler))
    assert ran == ["sure"]
    assert bank.paid == [10]
    assert [message.content[:12] for message in tool_messages(result)] == ["Not executed", "gone"]


def test_a_loop_within_one_task_plans_anew_and_so_is_not_interrupted() -> None:
    """Resumed, it would plan another call, and the answer to the first would let that one run."""
    bank = Bank()
    with OpenAIServer(lambda _body, index: call("wipe", account=f"a{index}")) as server:
        handler = handler_for(server, bank)
        planner, named = chat_model(server).bind_tools(bank.tools), {one.name: one for one in bank.tools}

        def loop(state: MessagesState) -> dict[str, Any]:
            plan: AIMessage = planner.invoke(state["messages"])
            try:
                named[plan.tool_calls[0]["name"]].invoke({**plan.tool_calls[0], "type": "tool_call"})
            except ToolCallBlocked as error:
                return {"messages": [AIMessage(str(error))]}
            return {"messages": [AIMessage("it ran")]}

        builder = StateGraph(MessagesState)
        builder.add_node("loop", loop)
        builder.add_edge(START, "loop")
        result = builder.compile(checkpointer=MemorySaver()).invoke(GO, config(handler))
    assert "__interrupt__" not in result
    assert "would plan anew" in result["messages"][-1].content
    assert bank.run == []


@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_no_sample_is_in_a_stream(way: str) -> None:
    bank = Bank()

    def replies(body: dict[str, Any], index: int) -> dict[str, Any]:
        if body.get("temperature") == 1.0:
            return calls(("pay", {"amount": 10}), content="a sample")
        return say("done") if body["messages"][-1]["role"] == "tool" else call("pay", amount=10)

    with OpenAIServer(replies) as server:
        graph = create_agent(chat_model(server, streaming=True), bank.tools, checkpointer=MemorySaver())
        settings = config(handler_for(server, bank), configurable={"thread_id": "t1"})
        if way == "stream":
            parts = list(graph.stream(GO, settings, stream_mode=["messages", "updates", "values"]))
        else:
            parts = [one async for one in graph.astream(GO, settings, stream_mode=["messages", "updates", "values"])]
        assert n_asked(server) == 8
    assert "a sample" not in str(parts)
    assert bank.paid == [10]


def test_choices_that_a_client_has_merged_into_one_message_do_not_all_run() -> None:
    """A model that streams with n=2 gives one message with the calls of both choices."""
    bank = Bank()

    def replies(body: dict[str, Any], index: int) -> dict[str, Any]:
        return say("done") if body["messages"][-1]["role"] == "tool" else call("pay", amount=10)

    with OpenAIServer(replies) as server:
        planner = chat_model(server).bind_tools(bank.tools, n=2)
        handler = handler_for(server, bank)
        named = {one.name: one for one in bank.tools}
        said: list[str] = []

        def step(question: str) -> None:
            plan: Any = None
            for chunk in planner.stream(question):
                plan = chunk if plan is None else plan + chunk
            for planned in plan.tool_calls:
                try:
                    named[planned["name"]].invoke({**planned, "type": "tool_call"})
                except ToolCallBlocked as error:
                    said.append(str(error))

        RunnableLambda(step).invoke("go", {"callbacks": [handler]})
    assert bank.paid == [10]
    assert ["must wait" in one for one in said] == [True]


def test_an_injected_argument_is_none_of_the_plans() -> None:
    ran: list[str] = []

    @tool
    def note(text: str, call_id: Annotated[str, InjectedToolCallId]) -> str:
        """Note something."""
        ran.append(call_id)
        return text

    bank = Bank()
    bank.tools = [note]
    with OpenAIServer(agent(call("note", text="x"))) as server:
        handler = handler_for(server, bank, policy=None)
        create_agent(chat_model(server), bank.tools).invoke(GO, {"callbacks": [handler]})
    assert len(ran) == 1


def test_what_waits_is_logged_without_its_arguments(caplog: pytest.LogCaptureFixture) -> None:
    """LangChain logs what a handler raises, and an interrupt holds the whole question."""
    bank = Bank()
    with OpenAIServer(agent(call("wipe", account="hunter2"))) as server:
        graph = create_agent(chat_model(server), bank.tools, checkpointer=MemorySaver())
        result = graph.invoke(GO, config(handler_for(server, bank)))
    assert "hunter2" in str(result["__interrupt__"])
    assert "Waits()" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_new_message_while_a_call_waits_runs_nothing_and_the_call_still_waits() -> None:
    """A handler cannot put an answer into the messages, and providers refuse a call without one."""
    bank = Bank()
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        handler = handler_for(server, bank)
        graph = create_agent(chat_model(server), bank.tools, checkpointer=MemorySaver())
        result = graph.invoke(GO, config(handler))
        waiting = graph.get_state(thread()).config
        with pytest.raises(BadRequestError):
            graph.invoke({"messages": [HumanMessage("something else")]}, config(handler))
        assert bank.run == []
        (review,) = handler.store.reviews()
        assert review.state is ReviewState.PENDING
        (one,) = result["__interrupt__"]
        graph.invoke(Command(resume={one.id: approve()}), {**waiting, "callbacks": [handler]})
    assert bank.run == [("wipe", {"account": "a1"})]
