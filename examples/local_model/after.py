"""The local model of ``before.py`` with the guard: the lines that end in ``# guard``.

    pip install 'guardrail-middleware[transformers]'
    python local_model/after.py "What is the weather in Paris?"

``LOCAL_MODEL`` is an identifier on the Hugging Face hub or a folder; the default is loaded once (3.1 GB). The samples
are drawn from the same weights in one batch behind the prompt that was read already. Every tool is high here, since no
policy says otherwise: a call runs if all eight samples mean it.
"""

import os
import sys

from guardrail import Guard, Policy, open_store  # guard
from guardrail_transformers import LocalChatModel

WEATHER = {"Paris": "18 degrees, rain", "Zürich": "21 degrees"}
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def weather(arguments: dict) -> str:
    return WEATHER.get(arguments.get("city"), "not known")


chat = LocalChatModel(os.environ.get("LOCAL_MODEL", "Qwen/Qwen2.5-1.5B-Instruct"))
guard = Guard(Policy(), chat, open_store("sqlite:///guardrail.db"))  # guard
step = chat.plan([{"role": "user", "content": sys.argv[1]}], [TOOL])
for call, verdict in zip(step.planned.calls, guard.assess(step).verdicts, strict=True):  # guard
    answer = weather(call.arguments) if verdict.route == "execute" else verdict.why  # guard
    print(call.name, call.arguments, "->", answer)
print(step.planned.text)
