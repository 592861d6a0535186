"""A plain loop on the OpenAI SDK, without the guard. With it: ``after.py``.

    pip install openai
    python openai_loop/before.py "Refund order 1042, the glass came broken"

``OPENAI_API_KEY``, and for another server ``OPENAI_BASE_URL`` and ``OPENAI_MODEL``.
"""

import json
import os
import sys

from openai import OpenAI

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
    {"name": name, "description": TOOLS[name].__doc__, "parameters": {"type": "object", "properties": properties}}
    for name, properties in SCHEMAS.items()
]


client = OpenAI()
messages = [{"role": "user", "content": sys.argv[1]}]
for _ in range(10):
    response = client.chat.completions.create(
        model=os.environ.get("OPENAI_MODEL", "gpt-4.1-mini"),
        messages=messages,
        tools=[{"type": "function", "function": described} for described in DESCRIBED],
        temperature=0,
    )
    message = response.choices[0].message
    messages.append(message)
    if not message.tool_calls:
        print(message.content)
        break
    for call in message.tool_calls:
        answer = TOOLS[call.function.name](**json.loads(call.function.arguments))
        messages.append({"role": "tool", "tool_call_id": call.id, "content": answer})
        print(call.function.name, call.function.arguments, "->", messages[-1]["content"])
