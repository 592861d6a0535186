"""A model on this machine, by transformers, plans a call and it is run, without the guard. With it: ``after.py``.

    pip install 'guardrail-middleware[transformers]'
    python local_model/before.py "What is the weather in Paris?"

``LOCAL_MODEL`` is an identifier on the Hugging Face hub or a folder; the default is loaded once (3.1 GB).
"""

import os
import sys

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
step = chat.plan([{"role": "user", "content": sys.argv[1]}], [TOOL])
for call in step.planned.calls:
    answer = weather(call.arguments)
    print(call.name, call.arguments, "->", answer)
print(step.planned.text)
