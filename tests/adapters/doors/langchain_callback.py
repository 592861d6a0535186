"""The callback handler given to a run, and given to tools alone."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent

from guardrail_langgraph import GuardrailCallbackHandler, guard_tools
from tests.adapters.doors.langgraph import GraphDoor
from tests.support.agents import callback_agent, chat_model


def guarded_tools_agent(server: Any, bank: Any, *, saver: Any, store: Any, rules: Any, **options: Any) -> Any:
    """An agent of somebody else, who takes a model and tools."""
    model = chat_model(server)
    handler = GuardrailCallbackHandler(model, tools=bank.tools, policy=rules, store=store, **options)
    return create_agent(handler.watch(model), guard_tools(bank.tools, handler), checkpointer=saver)


DOORS = [GraphDoor("callback", callback_agent), GraphDoor("guard_tools", guarded_tools_agent)]
