"""A payment agent over a fake model server, guarded in every way, for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, create_react_agent
from langgraph.types import Command, Interrupt

from guardrail import Policy
from guardrail_langgraph import GuardrailCallbackHandler, GuardrailMiddleware, GuardrailNode
from guardrail_langgraph.idempotency import idempotency_key
from tests.support.approval_trace import TAPE, Ran
from tests.support.openai_server import OpenAIServer, call, say

GO = {"messages": [HumanMessage("go")]}


class Bank:
    """Tools that count their runs. ``run`` is what ran, in order: (name, arguments)."""

    def __init__(self) -> None:
        self.run: list[tuple[str, dict[str, Any]]] = []

        @tool
        def pay(amount: int, to: str = "bob") -> str:
            """Pay somebody."""
            self._ran("pay", {"amount": amount, "to": to})
            return f"paid {amount}"

        @tool
        def balance() -> str:
            """Tell the balance."""
            self._ran("balance", {})
            return "100"

        @tool
        def wipe(account: str) -> str:
            """Delete an account."""
            self._ran("wipe", {"account": account})
            return "gone"

        @tool
        async def transfer(amount: int) -> str:
            """Transfer, asynchronously."""
            self._ran("transfer", {"amount": amount})
            return f"transferred {amount}"

        self.tools = [pay, balance, wipe]
        self.async_tools = [transfer]

    def _ran(self, name: str, arguments: dict[str, Any]) -> None:
        self.run.append((name, arguments))
        TAPE.add(Ran(name=name, arguments=arguments, key=idempotency_key()))

    @property
    def paid(self) -> list[int]:
        return [arguments["amount"] for name, arguments in self.run if name == "pay"]


POLICY: dict[str, Any] = {
    "default": {"tier": "high"},
    "tools": [
        {"match": "balance", "tier": "low"},
        {"match": "wipe", "tier": "critical"},
        {"match": "pay", "when": {"amount": {"gt": 500}}, "tier": "critical", "decisions": ["approve", "reject"]},
        {"match": "pay", "tier": "high"},
    ],
}


def policy(**changes: Any) -> Policy:
    return Policy.parse({**POLICY, **changes})


def chat_model(server: OpenAIServer, **settings: Any) -> ChatOpenAI:
    return ChatOpenAI(model="m", api_key="x", base_url=server.url, **{"temperature": 0.0, "max_retries": 0, **settings})


def state_graph(
    server: OpenAIServer,
    bank: Bank,
    *,
    saver: Any = None,
    store: Any = None,
    dispatch: bool = True,
    rules: Policy | None = None,
    **options: Any,
) -> Any:
    """agent -> guard -> tools -> agent, built by hand."""
    model = chat_model(server)
    guard = GuardrailNode(model, tools=bank.tools, policy=rules or policy(), store=store, **options)
    planner = guard.watch(model).bind_tools(bank.tools)

    def agent(state: MessagesState) -> dict[str, Any]:
        return {"messages": [planner.invoke(state["messages"])]}

    async def aagent(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await planner.ainvoke(state["messages"])]}

    from langchain_core.runnables import RunnableLambda

    builder = StateGraph(MessagesState)
    builder.add_node("heal", guard.heal)
    builder.add_node("agent", RunnableLambda(agent, afunc=aagent))
    builder.add_node("guard", guard)
    builder.add_node("tools", guard.tool_node() if dispatch else ToolNode(bank.tools))
    builder.add_edge(START, "heal")
    builder.add_edge("heal", "agent")
    builder.add_edge("agent", "guard")
    builder.add_edge("tools", "agent")
    return builder.compile(checkpointer=saver)


def react_agent(
    server: OpenAIServer,
    bank: Bank,
    *,
    saver: Any = None,
    store: Any = None,
    dispatch: bool = True,
    rules: Policy | None = None,
    **options: Any,
) -> Any:
    """The prebuilt agent with the guard as its post_model_hook."""
    model = chat_model(server)
    guard = GuardrailNode(model, tools=bank.tools, policy=rules or policy(), store=store, **options)
    return create_react_agent(
        guard.watch(model),
        guard.tool_node() if dispatch else bank.tools,
        prompt="Be careful.",
        pre_model_hook=guard.heal,
        post_model_hook=guard,
        checkpointer=saver,
    )


def middleware_agent(
    server: OpenAIServer,
    bank: Bank,
    *,
    saver: Any = None,
    store: Any = None,
    dispatch: bool = True,
    rules: Policy | None = None,
    **options: Any,
) -> Any:
    """``create_agent`` with the guard as its middleware, which always stands where the tools are dispatched."""
    from langchain.agents import create_agent

    del dispatch
    model = chat_model(server)
    guard = GuardrailMiddleware(model, tools=bank.tools, policy=rules or policy(), store=store, **options)
    return create_agent(model, bank.tools, system_prompt="Be careful.", middleware=[guard], checkpointer=saver)


def callback_agent(
    server: OpenAIServer,
    bank: Bank,
    *,
    saver: Any = None,
    store: Any = None,
    rules: Policy | None = None,
    tools: Any = None,
    **options: Any,
) -> Any:
    """An agent that is not changed at all; the handler comes with the run's configuration."""
    from langchain.agents import create_agent

    model = chat_model(server)
    tools = tools or bank.tools
    handler = GuardrailCallbackHandler(model, tools=tools, policy=rules or policy(), store=store, **options)
    agent = create_agent(model, tools, system_prompt="Be careful.", checkpointer=saver)
    return agent.with_config({"callbacks": [handler]})


Build = Callable[..., Any]
BUILDS: list[Build] = [state_graph, react_agent, middleware_agent]


def thread(name: str = "t1", **more: Any) -> dict[str, Any]:
    return {"configurable": {"thread_id": name, **more}}


def approve() -> dict[str, Any]:
    return {"decisions": [{"type": "approve"}]}


def reject(message: str = "no") -> dict[str, Any]:
    return {"decisions": [{"type": "reject", "message": message}]}


def edit(name: str, **arguments: Any) -> dict[str, Any]:
    return {"decisions": [{"type": "edit", "edited_action": {"name": name, "args": arguments}}]}


def resume(result: dict[str, Any], *answers: dict[str, Any]) -> Command[Any]:
    """Answer the pending interrupts of a result, in the order of the calls."""
    interrupts = zip(pending(result), answers, strict=True)
    return Command(resume={one.id: answer for one, answer in interrupts})


def pending(result: dict[str, Any]) -> list[Interrupt]:
    """The interrupts in the order of the calls: LangGraph's own order of parallel ones is not stable."""
    found: list[Interrupt] = result["__interrupt__"]
    order = [call["id"] for call in planned_calls(result)]
    return sorted(found, key=lambda one: order.index(one.value["guard"]["tool_call_id"]))


def tool_messages(result: dict[str, Any]) -> list[ToolMessage]:
    return [message for message in result["messages"] if isinstance(message, ToolMessage)]


def planned_calls(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [call for message in result["messages"] if isinstance(message, AIMessage) for call in message.tool_calls]


def evidence(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [one.value["guard"] for one in pending(result)]


def flipping(body: dict[str, Any], index: int) -> dict[str, Any]:
    """Plans 10; the first eight samples disagree, every later one is sure."""
    if body.get("temperature") != 1.0:
        return call("pay", amount=10)
    return call("pay", amount=10 if index > 8 else 20 + index)


def never_agreeing(body: dict[str, Any], index: int) -> dict[str, Any]:
    """Every sample plans another amount."""
    return call("pay", amount=10 if body.get("temperature") != 1.0 else 100 + index)


def n_asked(server: OpenAIServer) -> int:
    return sum(body.get("n") or 1 for body in server.drawn)


def reply_until_paid(reply: Any) -> Any:
    def answer(body: dict[str, Any], index: int) -> dict[str, Any]:
        last = body["messages"][-1]
        if last["role"] == "tool" and "paid" in str(last["content"]):
            return say("done")
        return reply(body, index)

    return answer
