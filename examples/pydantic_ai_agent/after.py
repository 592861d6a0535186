"""The agent of ``before.py`` with the guard: the lines that end in ``# guard``.

    pip install 'guardrail-middleware[pydantic-ai]' 'pydantic-ai-slim[openai]'
    python pydantic_ai_agent/after.py "Refund order 1042, the glass came broken"

``OPENAI_API_KEY``, and for another server ``OPENAI_BASE_URL`` and ``OPENAI_MODEL``. What is at stake says
``policy.yaml``. A large refund waits, for ten minutes at most, for a person:

    guardrail reviews list
    guardrail reviews approve ID

Without ``wait`` the run ends with ``DeferredToolRequests``, and ``resume`` takes it up, in another process too.
"""

import asyncio
import os
import sys

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel

from guardrail_pydantic_ai import guarded  # guard

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
    agent = guarded(agent, policy="policy.yaml", store="sqlite:///guardrail.db", wait=600)  # guard
    result = await agent.run(sys.argv[1])
    print(result.output)


if __name__ == "__main__":
    asyncio.run(main(agent))
