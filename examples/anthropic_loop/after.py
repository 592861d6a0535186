"""The loop of ``before.py`` with the guard: the lines that end in ``# guard``.

    pip install 'guardrail-middleware[anthropic]'
    python anthropic_loop/after.py "Refund order 1042, the glass came broken"

``ANTHROPIC_API_KEY``, and for another server ``ANTHROPIC_BASE_URL`` and ``ANTHROPIC_MODEL``. What is at stake says
``policy.yaml``. A large refund waits, for ten minutes at most, for a person:

    guardrail reviews list
    guardrail reviews approve ID
"""

import os
import sys

from anthropic import Anthropic

from guardrail_anthropic import GuardedAnthropic  # guard

ORDERS = {1042: "a glass, paid 35", 1043: "a sofa, paid 350"}


def order(number: int) -> str:
    """What was ordered, and what was paid for it."""
    return ORDERS.get(number, "there is no such order")


def refund(number: int, amount: int) -> str:
    """Pay money back for an order, at most what was paid for it."""
    print(f"* refund of {amount} for order {number}")
    return f"refunded {amount}"


TOOLS = {"order": order, "refund": refund}
NUMBER = {"number": {"type": "integer"}}
SCHEMAS = {"order": NUMBER, "refund": {**NUMBER, "amount": {"type": "integer"}}}
DESCRIBED = [
    {"name": name, "description": TOOLS[name].__doc__, "input_schema": {"type": "object", "properties": properties}}
    for name, properties in SCHEMAS.items()
]

client = GuardedAnthropic(Anthropic(), policy="policy.yaml", store="sqlite:///guardrail.db")  # guard
messages = [{"role": "user", "content": sys.argv[1]}]
for _ in range(10):
    model = os.environ.get("ANTHROPIC_MODEL", "claude-haiku-4-5")
    message = client.messages.create(model=model, max_tokens=1024, messages=messages, tools=DESCRIBED)
    messages.append({"role": "assistant", "content": message.content})
    results = []
    for block in message.content:
        if block.type == "text":
            print(block.text)
        elif block.type == "tool_use":
            results.append(client.run(block, TOOLS, wait=600))  # guard
    if not results:
        break
    messages.append({"role": "user", "content": results})
