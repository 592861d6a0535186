"""An agent as a LangGraph graph of one's own, without the guard. With it: ``after.py``.

    pip install langgraph langchain-openai langgraph-checkpoint-sqlite
    python langgraph_node/before.py "Refund order 1042, the glass came broken"

``OPENAI_API_KEY``, and for another server ``OPENAI_BASE_URL`` and ``OPENAI_MODEL``.
"""

import os
import sqlite3
import sys
import uuid

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

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
planner = model.bind_tools([order, refund])

graph = StateGraph(MessagesState)
graph.add_node("agent", lambda state: {"messages": [planner.invoke(state["messages"])]})
graph.add_node("tools", ToolNode([order, refund]))
graph.add_edge(START, "agent")
graph.add_edge("tools", "agent")
graph.add_conditional_edges("agent", tools_condition)
app = graph.compile(checkpointer=SqliteSaver(sqlite3.connect("threads.db", check_same_thread=False)))

if __name__ == "__main__":
    config = {"configurable": {"thread_id": uuid.uuid4().hex}, "recursion_limit": 25}
    result = app.invoke({"messages": [("user", sys.argv[1])]}, config)
    print(result["messages"][-1].pretty_repr())
