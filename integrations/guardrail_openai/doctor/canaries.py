"""Planning steps whose answers tell something about the endpoint that gives them."""

from __future__ import annotations

from typing import Any

from guardrail_openai.requests import API

PLAIN = "What is the weather in Paris? Use the tool."
"""One right answer: that the model gives it every time is no fault."""
FREE = (
    "Pick any city of the world at random, a different one each time you are asked, and look up its weather "
    "with the tool."
)
"""Many right answers."""
RANDOM = (
    "Make up a random sequence of 12 digits and a sentence of about eight random words that have nothing to do "
    "with each other, and save both with the tool."
)
"""No two independent drawings at temperature 1 can be the same, however sure of itself the model is."""

_TOOLS: dict[str, tuple[str, dict[str, str]]] = {
    "get_weather": ("Current weather of a city.", {"city": "Name of the city."}),
    "save_note": ("Save a note.", {"digits": "12 digits.", "sentence": "A sentence."}),
}


def request(api: API, model: str, task: str, tool: str = "get_weather", **settings: Any) -> dict[str, Any]:
    """The keyword arguments of a request that asks for a call of one of the canaries' tools."""
    description, fields = _TOOLS[tool]
    function = {
        "name": tool,
        "description": description,
        "parameters": {
            "type": "object",
            "properties": {name: {"type": "string", "description": text} for name, text in fields.items()},
            "required": list(fields),
            "additionalProperties": False,
        },
    }
    return with_tools(api, model, task, [function], **settings)


def with_tools(api: API, model: str, task: str, functions: list[dict[str, Any]], **settings: Any) -> dict[str, Any]:
    """The keyword arguments of a request that offers these functions."""
    if api == "responses":
        flat = [{"type": "function", "strict": False, **function} for function in functions]
        return {"model": model, "input": task, "tools": flat, **settings}
    wrapped = [{"type": "function", "function": function} for function in functions]
    return {"model": model, "messages": [{"role": "user", "content": task}], "tools": wrapped, **settings}
