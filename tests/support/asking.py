"""An agent that asks as LangChain's ``interrupt_on`` says, with the guard in its middleware's place."""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import MemorySaver

from guardrail_langgraph import GuardrailMiddleware
from tests.support.agents import Bank, chat_model
from tests.support.openai_server import OpenAIServer

LISTED: dict[str, Any] = {"pay": True, "balance": False, "wipe": False}
PAID = ("pay", {"amount": 10, "to": "bob"})


def respond(message: str) -> dict[str, Any]:
    return {"decisions": [{"type": "respond", "message": message}]}


def asks(server: OpenAIServer, bank: Bank, interrupt_on: Any = None, *, before: Any = (), **more: Any) -> Any:
    model, saver = chat_model(server), more.pop("saver", None) or MemorySaver()
    guard = GuardrailMiddleware(model, tools=bank.tools, interrupt_on=interrupt_on or LISTED, **more)
    return create_agent(model, bank.tools, middleware=[*before, guard], checkpointer=saver)


def paired(messages: list[Any]) -> None:
    """Every tool message answers a call of the turn before it, and every call is answered."""
    left: set[str] = set()
    for message in messages:
        if isinstance(message, ToolMessage):
            left.remove(message.tool_call_id)
        else:
            assert not left
            left = {one["id"] for one in message.tool_calls} if isinstance(message, AIMessage) else set()
    assert not left
