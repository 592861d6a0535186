"""The agent of ``before.py`` with the guard: the lines that end in ``# guard``.

    pip install 'guardrail-middleware[llama-index]' llama-index-llms-openai
    python llama_index_agent/after.py "Refund order 1042, the glass came broken"

``OPENAI_API_KEY``, and ``OPENAI_MODEL``; for another server the LLM of its package, such as ``OpenAILike``. What is at
stake says ``policy.yaml``. A large refund waits, for ten minutes at most, for a person:

    guardrail reviews list
    guardrail reviews approve ID
"""

import asyncio
import os
import sys

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai import OpenAI

from guardrail_llama_index import guarded  # guard

ORDERS = {1042: "a glass, paid 35", 1043: "a sofa, paid 350"}


def order(number: int) -> str:
    """What was ordered, and what was paid for it."""
    return ORDERS.get(number, "there is no such order")


def refund(number: int, amount: int) -> str:
    """Pay money back for an order, at most what was paid for it."""
    print(f"* refund of {amount} for order {number}")
    return f"refunded {amount}"


async def main() -> None:
    llm = OpenAI(model=os.environ.get("OPENAI_MODEL", "gpt-4.1-mini"), temperature=0)
    agent = FunctionAgent(llm=llm, tools=[order, refund])
    settings = {"policy": "policy.yaml", "store": "sqlite:///guardrail.db", "wait": 600}  # guard
    agent = guarded(agent, thread_id=os.urandom(8).hex(), **settings)  # guard
    print(await agent.run(sys.argv[1]))


if __name__ == "__main__":
    asyncio.run(main())
