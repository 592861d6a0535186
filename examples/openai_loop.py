"""A plain loop on the OpenAI SDK, and the guard in it: the four lines that end in ``# guard``.

    python examples/openai_loop.py "Refund order 1042, the glass came broken"

A call that the model means runs; one that it wavers on is planned again, with the alternatives told; a refund waits for
a person, who decides with ``guardrail reviews`` or on the page of ``guardrail serve``, for ten minutes at most.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from openai import OpenAI

from guardrail import Policy, open_store  # guard
from guardrail_openai import GuardedClient  # guard

POLICY = Policy.parse({"tools": [{"match": "refund", "tier": "critical"}, {"match": "order", "tier": "low"}]})
ORDERS = {1042: {"item": "glass", "paid": 35}}


def order(number: int) -> dict[str, Any]:
    """What was ordered, and what was paid."""
    return ORDERS.get(number, {})


def refund(number: int, amount: int) -> str:
    """Pay money back."""
    return f"refunded {amount} for order {number}"


TOOLS = {"order": order, "refund": refund}
NUMBER, AMOUNT = {"number": {"type": "integer"}}, {"amount": {"type": "integer"}}
SCHEMAS = {"order": NUMBER, "refund": {**NUMBER, **AMOUNT}}


def main(question: str, model: str = "gpt-4.1-mini") -> str:
    """Answer a question."""
    client: Any = OpenAI()
    client = GuardedClient(client, policy=POLICY, store=open_store("sqlite:///guardrail.db"))  # guard
    messages: list[Any] = [{"role": "user", "content": question}]
    tools = [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": TOOLS[name].__doc__,
                "parameters": {"type": "object", "properties": properties, "required": list(properties)},
            },
        }
        for name, properties in SCHEMAS.items()
    ]
    while True:
        response = client.chat.completions.create(model=model, messages=messages, tools=tools)
        message = response.choices[0].message
        if not message.tool_calls:
            return message.content or ""
        messages.append(message)
        for call in message.tool_calls:
            messages.append(client.run(call, TOOLS, wait=600))  # guard
            print(call.function.name, json.loads(call.function.arguments), "->", messages[-1]["content"])


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
