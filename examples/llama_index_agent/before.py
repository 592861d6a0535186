"""An agent of LlamaIndex, without the guard. With it: ``after.py``.

    pip install llama-index-core llama-index-llms-openai
    python llama_index_agent/before.py "Refund order 1042, the glass came broken"

``OPENAI_API_KEY``, and ``OPENAI_MODEL``; for another server the LLM of its package, such as ``OpenAILike``.
"""

import asyncio
import os
import sys

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai import OpenAI

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
    print(await agent.run(sys.argv[1]))


if __name__ == "__main__":
    asyncio.run(main())
