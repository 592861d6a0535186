"""An agent of pydantic-ai, without the guard. With it: ``after.py``.

    pip install 'pydantic-ai-slim[openai]'
    python pydantic_ai_agent/before.py "Refund order 1042, the glass came broken"

``OPENAI_API_KEY``, and for another server ``OPENAI_BASE_URL`` and ``OPENAI_MODEL``.
"""

import asyncio
import os
import sys

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel

ORDERS = {1042: "a glass, paid 35", 1043: "a sofa, paid 350"}

model = OpenAIChatModel(os.environ.get("OPENAI_MODEL", "gpt-4.1-mini"), settings={"temperature": 0})
agent = Agent(model)


@agent.tool_plain
def order(number: int) -> str:
    """What was ordered, and what was paid for it."""
    return ORDERS.get(number, "there is no such order")


@agent.tool_plain
def refund(number: int, amount: int) -> str:
    """Pay money back for an order, at most what was paid for it."""
    print(f"* refund of {amount} for order {number}")
    return f"refunded {amount}"


async def main(agent: Agent) -> None:
    result = await agent.run(sys.argv[1])
    print(result.output)


if __name__ == "__main__":
    asyncio.run(main(agent))
