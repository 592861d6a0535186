"""An agent of the OpenAI Agents SDK, without the guard. With it: ``after.py``.

    pip install openai-agents
    python agents_sdk/before.py "Refund order 1042, the glass came broken"

``OPENAI_API_KEY``, and for another server ``OPENAI_BASE_URL`` and ``OPENAI_MODEL``.
"""

import asyncio
import os
import sys

from agents import Agent, Runner, function_tool, set_default_openai_api, set_tracing_disabled

ORDERS = {1042: "a glass, paid 35", 1043: "a sofa, paid 350"}


@function_tool
def order(number: int) -> str:
    """What was ordered, and what was paid for it."""
    return ORDERS.get(number, "there is no such order")


@function_tool
def refund(number: int, amount: int) -> str:
    """Pay money back for an order, at most what was paid for it."""
    print(f"* refund of {amount} for order {number}")
    return f"refunded {amount}"


async def main() -> None:
    set_default_openai_api("chat_completions")  # which every compatible server has
    set_tracing_disabled(True)
    model = os.environ.get("OPENAI_MODEL", "gpt-4.1-mini")
    agent = Agent(name="clerk", model=model, tools=[order, refund])
    result = await Runner.run(agent, sys.argv[1])
    print(result.final_output)


if __name__ == "__main__":
    asyncio.run(main())
