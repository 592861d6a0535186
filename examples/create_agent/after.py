"""The agent of ``before.py`` with the guard: the three lines that end in ``# guard``.

    pip install 'guardrail-middleware[langgraph]' langchain langchain-openai
    python create_agent/after.py "Refund order 1042, the glass came broken"

``OPENAI_API_KEY``, and for another server ``OPENAI_BASE_URL`` and ``OPENAI_MODEL``. What is at stake says
``policy.yaml``. A refund that waits for you is printed last, and has not run:

    guardrail reviews list
    guardrail reviews approve ID
    guardrail worker --graph create_agent/after.py:agent --once
"""

import os
import sqlite3
import sys
import uuid

from langchain.agents import create_agent
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.sqlite import SqliteSaver

from guardrail_langgraph import GuardrailMiddleware  # guard

ORDERS = {1042: "a glass, paid 35", 1043: "a sofa, paid 350"}


@tool
def order(number: int) -> str:
    """What was ordered, and what was paid for it."""
    return ORDERS.get(number, "there is no such order")


@tool
def refund(number: int, amount: int) -> str:
    """Pay money back for an order, at most what was paid for it."""
    print(f"* refund of {amount} for order {number}")
    return f"refunded {amount}"


model = ChatOpenAI(model=os.environ.get("OPENAI_MODEL", "gpt-4.1-mini"), temperature=0)
threads = SqliteSaver(sqlite3.connect("threads.db", check_same_thread=False))
guard = GuardrailMiddleware(model, tools=[order, refund], policy="policy.yaml", store="sqlite:///guardrail.db")  # guard
agent = create_agent(model, [order, refund], middleware=[guard], checkpointer=threads)  # guard

if __name__ == "__main__":
    config = {"configurable": {"thread_id": uuid.uuid4().hex}, "recursion_limit": 25}
    result = agent.invoke({"messages": [("user", sys.argv[1])]}, config)
    print(result["messages"][-1].pretty_repr())
