"""The legacy code of ``before.py`` with the guard as a callback handler: the lines that end in ``# guard``.

    pip install 'guardrail-middleware[langgraph]' langchain-classic langchain-openai
    python callback/after.py "Refund order 1042, the glass came broken"

``OPENAI_API_KEY``, and for another server ``OPENAI_BASE_URL`` and ``OPENAI_MODEL``. What is at stake says
``policy.yaml``. An ``AgentExecutor`` cannot be interrupted: a refund that a person has to decide on is not
made, and the agent is told so. With ``wait=600`` the handler waits ten minutes for ``guardrail reviews approve ID``.
"""

import os
import sys

from langchain_classic.agents import AgentExecutor, create_tool_calling_agent
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from guardrail_langgraph import GuardrailCallbackHandler, guard_tools  # guard

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


tools = [order, refund]
model = ChatOpenAI(model=os.environ.get("OPENAI_MODEL", "gpt-4.1-mini"), temperature=0)
guard = GuardrailCallbackHandler(model, tools=tools, policy="policy.yaml", store="sqlite:///guardrail.db")  # guard
tools = guard_tools(tools, guard)  # guard
prompt = ChatPromptTemplate.from_messages([("user", "{input}"), ("placeholder", "{agent_scratchpad}")])
agent = create_tool_calling_agent(model, tools, prompt)
executor = AgentExecutor(agent=agent, tools=tools, max_iterations=10)

if __name__ == "__main__":
    result = executor.invoke({"input": sys.argv[1]}, {"callbacks": [guard]})  # guard
    print(result["output"])
