"""The support agent as a LangGraph graph: plan, guard, tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, SystemMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import START, MessagesState, StateGraph

from guardrail.policy import Policy
from guardrail.store import Store
from guardrail_langgraph.demo.shop import Shop, shop_tools
from guardrail_langgraph.node import GuardrailNode
from guardrail_langgraph.sampler import ChatModelSampler

SYSTEM = (
    "You are the support agent of a small shop. Do what the clerk asks with the tools. Look up ids and prices with "
    "the tools, never guess them. When everything is done, answer in one short sentence."
)
POLICY = Path(__file__).with_name("policy.yaml")
MAX_STEPS = 5
"""Planning steps after which the agent stops."""


def build_agent(
    model: BaseChatModel,
    shop_of: Callable[[str], Shop],
    *,
    store: Store | str,
    checkpointer: BaseCheckpointSaver[Any] | None,
    policy: Policy | None = None,
    timeout: float = 120.0,
) -> Any:
    """The compiled graph. Each of its tool calls is checked; reviews wait in ``store``.

    ``shop_of`` gives the shop of a thread id; ``timeout`` is seconds for one request of samples.

    Raises:
        ConfigError: the policy does not fit the shop's tools.
    """
    tools = shop_tools(shop_of)
    sampler = ChatModelSampler(model, timeout=timeout)
    # all samples are drawn so that all the evidence can be seen; an application stops when the rest cannot matter
    guard = GuardrailNode(
        model, tools=tools, policy=policy or Policy.load(POLICY), store=store, sampler=sampler, curtail=False
    )
    planner = guard.watch(model.bind_tools(tools))

    def agent(state: MessagesState) -> dict[str, Any]:
        messages = state["messages"]
        if sum(isinstance(message, AIMessage) for message in messages) >= MAX_STEPS:
            return {"messages": [AIMessage(f"(The agent was stopped after {MAX_STEPS} planning steps.)")]}
        return {"messages": [planner.invoke([SystemMessage(SYSTEM), *messages])]}

    builder = StateGraph(MessagesState)
    builder.add_node("agent", agent)
    builder.add_node("guard", guard)
    builder.add_node("tools", guard.tool_node())
    builder.add_edge(START, "agent")
    builder.add_edge("agent", "guard")
    builder.add_edge("tools", "agent")
    return builder.compile(checkpointer=checkpointer)
