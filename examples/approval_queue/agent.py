"""An agent whose process ends where a call needs a person; the page, the decision and the tool are other processes.

    pip install 'guardrail-middleware[langgraph,web]' langchain langchain-openai
    guardrail serve --policy policy.yaml                    # first terminal: page and API; open its link
    guardrail worker --graph approval_queue/agent.py:agent  # second terminal: runs what people decided
    python approval_queue/agent.py "Refund order 1043 in full, the sofa never came"

``OPENAI_API_KEY``, and for another server ``OPENAI_BASE_URL`` and ``OPENAI_MODEL``. Approve, edit or reject on the
page; ``guardrail reviews approve ID`` does the same without a browser. However often it is approved or resumed, the
refund is made once, by the worker.
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
from guardrail_langgraph.idempotency import idempotency_key

ORDERS = {1042: "a glass, paid 35", 1043: "a sofa, paid 350"}


@tool
def order(number: int) -> str:
    """What was ordered, and what was paid for it."""
    return ORDERS.get(number, "there is no such order")


@tool
def refund(number: int, amount: int) -> str:
    """Pay money back for an order, at most what was paid for it."""
    print(f"* refund of {amount} for order {number}, key {idempotency_key()[:12]}, process {os.getpid()}", flush=True)
    return f"refunded {amount}"


model = ChatOpenAI(model=os.environ.get("OPENAI_MODEL", "gpt-4.1-mini"), temperature=0)
guard = GuardrailMiddleware(model, tools=[order, refund], policy="policy.yaml", store="sqlite:///guardrail.db")  # guard
threads = SqliteSaver(sqlite3.connect("threads.db", check_same_thread=False))
agent = create_agent(model, [order, refund], middleware=[guard], checkpointer=threads)  # guard

if __name__ == "__main__":
    config = {"configurable": {"thread_id": uuid.uuid4().hex}, "recursion_limit": 25}
    result = agent.invoke({"messages": [("user", sys.argv[1])]}, config)
    for waiting in result.get("__interrupt__", ()):
        print("waits for a person:", waiting.value["action_requests"][0])
    print(result["messages"][-1].text or "This process ends here.")
