"""A plain loop on the Anthropic SDK, without the guard. With it: ``after.py``.

    pip install anthropic
    python anthropic_loop/before.py "Refund order 1042, the glass came broken"

``ANTHROPIC_API_KEY``, and for another server ``ANTHROPIC_BASE_URL`` and ``ANTHROPIC_MODEL``.
"""

import os
import sys

from anthropic import Anthropic

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

client = Anthropic()
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
            answer = TOOLS[block.name](**block.input)
            results.append({"type": "tool_result", "tool_use_id": block.id, "content": answer})
    if not results:
        break
    messages.append({"role": "user", "content": results})
