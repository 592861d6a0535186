"""A conversation and its tools as the prompt of a local chat model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from guardrail.errors import ConfigError
from guardrail.types import ToolSpec, Turn

TOOLS_PROMPT: Final = """\
You can call these tools. Each line is a JSON object with the name of a tool, what it does, and the JSON Schema of
its arguments:
$tools

To call a tool, write a JSON object with its name and its arguments, for each call like this:
<tool_call>
{"name": "the tool's name", "arguments": {"an argument": "its value"}}
</tool_call>
Results of tools come back between <tool_response> and </tool_response>. If no tool is needed, answer in words."""
"""What the system message says of the tools where a model's chat template has no place for them."""

_ROLES: Final = frozenset({"system", "user", "assistant", "tool", "developer"})
_PROBE: Final = "probe_of_tool_support"
_BREAK: Final = "\N{ZERO WIDTH SPACE}"

Message = dict[str, Any]


class Prompts:
    """Renders conversations with a tokenizer's chat template.

    Where the template has no place for tools, they go into the system message (``TOOLS_PROMPT``), calls into the
    assistant's words and results into the user's. A special token that stands in a message or a tool is broken
    up by a zero-width space, so that a tool's result cannot end its turn and begin another.

    Raises:
        ConfigError: the tokenizer has no chat template.
    """

    def __init__(self, tokenizer: Any, name: str) -> None:
        template = tokenizer.chat_template
        if not template:
            raise ConfigError(
                f"the tokenizer of {name!r} has no chat template: choose a model that was tuned for chat, "
                "or set tokenizer.chat_template"
            )
        self._tokenizer = tokenizer
        self._name = name
        source = json.dumps(template, ensure_ascii=False)
        self._special = [
            token.content
            for token in tokenizer.added_tokens_decoder.values()
            if len(token.content) > 1 and (token.special or token.content in source)
        ]
        self.takes_tools = self._takes_tools()

    def render(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[ToolSpec] = ()) -> str:
        """The prompt up to where the assistant begins.

        Raises:
            ConfigError: a message cannot be read, or the template refuses the conversation.
        """
        given: list[Message] = self._defused(checked_messages(messages))
        functions = self._defused([as_function(tool) for tool in tools])
        if not self.takes_tools:
            given, functions = _in_words(given, functions), []
        try:
            return self._rendered(given, functions)
        except Exception as first:
            # some templates have no system role
            if given[0]["role"] != "system":
                raise self._refused(first) from first
            try:
                return self._rendered(_without_system(given), functions)
            except Exception as error:
                raise self._refused(error) from error

    def ids(self, prompt: str) -> list[int]:
        """The prompt's tokens; the template has written the special ones."""
        found: list[int] = self._tokenizer(prompt, add_special_tokens=False, verbose=False)["input_ids"]
        return found

    def _takes_tools(self) -> bool:
        probe = as_function(ToolSpec(name=_PROBE, parameters={"type": "object", "properties": {}}))
        try:
            return _PROBE in self._rendered([{"role": "user", "content": "x"}], [probe])
        except Exception:  # noqa: BLE001 - templates raise what they like
            return False

    def _rendered(self, messages: Sequence[Message], functions: Sequence[Message]) -> str:
        prompt: str = self._tokenizer.apply_chat_template(
            list(messages), tools=list(functions) or None, add_generation_prompt=True, tokenize=False
        )
        return prompt

    def _refused(self, error: Exception) -> ConfigError:
        return ConfigError(f"the chat template of {self._name!r} refuses the conversation: {error}")

    def _defused(self, value: Any) -> Any:
        if isinstance(value, str):
            for token in self._special:
                value = value.replace(token, token[0] + _BREAK + token[1:])
            return value
        if isinstance(value, dict):
            return {self._defused(key): self._defused(item) for key, item in value.items()}
        return [self._defused(item) for item in value] if isinstance(value, list) else value


def checked_messages(messages: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Messages of chat completions in the form that templates read: texts, and calls with arguments as objects.

    Raises:
        ConfigError: there is none, or one is of another form or shows something else than text.
    """
    if not messages:
        raise ConfigError("there are no messages to plan from")
    names: dict[str, str] = {}
    return [_message(message, place, names) for place, message in enumerate(messages)]


def _message(message: Mapping[str, Any], place: int, names: dict[str, str]) -> Message:
    role = message.get("role") if isinstance(message, Mapping) else None
    if role not in _ROLES:
        raise ConfigError(f'message {place} needs a "role" of {", ".join(sorted(_ROLES))}, but it is {role!r}')
    found: Message = {
        "role": "system" if role == "developer" else role,
        "content": _text(message.get("content"), place),
    }
    if role == "assistant" and message.get("tool_calls"):
        found["tool_calls"] = [_tool_call(call, place, names) for call in message["tool_calls"]]
    if role == "tool":
        identity = str(message.get("tool_call_id") or "")
        found["tool_call_id"] = identity
        if name := message.get("name") or names.get(identity):
            found["name"] = name
    return found


def _tool_call(call: Any, place: int, names: dict[str, str]) -> Message:
    body = call.get("function", call) if isinstance(call, Mapping) else None
    if not isinstance(body, Mapping) or not isinstance(body.get("name"), str):
        raise ConfigError(f'a call of message {place} needs {{"function": {{"name": ..., "arguments": ...}}}}')
    arguments = body.get("arguments", {})
    if isinstance(arguments, str):
        with suppress(ValueError):  # what a model once wrote is shown as it is
            arguments = json.loads(arguments or "{}")
    identity = str(call.get("id") or "")
    names[identity] = body["name"]
    function = {"name": body["name"], "arguments": json.loads(json.dumps(arguments, default=str))}
    return {"id": identity, "type": "function", "function": function}


def _text(content: Any, place: int) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    parts = content if isinstance(content, list | tuple) else [content]
    texts = [part.get("text") if isinstance(part, Mapping) else part for part in parts]
    said = [text for text in texts if isinstance(text, str)]
    if len(said) < len(texts):
        raise ConfigError(f"message {place} shows something else than text, which this model cannot be given")
    return "\n".join(said)


def as_function(tool: ToolSpec) -> Message:
    """The tool in the form of chat completions, which templates read."""
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": json.loads(json.dumps(function, default=str))}


def as_spec(tool: ToolSpec | Mapping[str, Any]) -> ToolSpec:
    """The tool, also from the form of chat completions.

    Raises:
        ConfigError: it has no name.
    """
    if isinstance(tool, ToolSpec):
        return tool
    body = tool.get("function", tool)
    if not isinstance(body, Mapping) or not isinstance(body.get("name"), str) or not body["name"]:
        raise ConfigError('a tool needs {"function": {"name": ..., "description": ..., "parameters": {...}}}')
    return ToolSpec(
        name=body["name"],
        description=str(body.get("description") or ""),
        parameters=dict(body.get("parameters") or {}),
        annotations=dict(tool.get("annotations") or body.get("annotations") or {}),
    )


def turns(messages: Sequence[Mapping[str, Any]]) -> tuple[Turn, ...]:
    """The messages as text, calls as JSON after the words."""
    return tuple(
        Turn(role=message["role"], text="\n".join(part for part in (message["content"], *_written(message)) if part))
        for message in checked_messages(messages)
    )


def _written(message: Message) -> list[str]:
    return [
        json.dumps({"name": call["function"]["name"], "arguments": call["function"]["arguments"]}, ensure_ascii=False)
        for call in message.get("tool_calls", ())
    ]


def _in_words(messages: Sequence[Message], functions: Sequence[Message]) -> list[Message]:
    """The same conversation without tool roles, the tools described in the system message."""
    told: list[Message] = []
    for message in messages:
        calls = [f"<tool_call>\n{call}\n</tool_call>" for call in _written(message)]
        content = "\n".join(part for part in (message["content"], *calls) if part)
        role = message["role"]
        if role == "tool":
            role, content = "user", f"<tool_response>\n{content}\n</tool_response>"
            if told and told[-1]["role"] == "user" and told[-1]["content"].startswith("<tool_response>"):
                told[-1]["content"] += f"\n{content}"
                continue
        told.append({"role": role, "content": content})
    if not functions:
        return told
    tools = "\n".join(json.dumps(function["function"], ensure_ascii=False) for function in functions)
    prompt = TOOLS_PROMPT.replace("$tools", tools)
    if told[0]["role"] == "system":
        told[0]["content"] = f"{told[0]['content']}\n\n{prompt}"
        return told
    return [{"role": "system", "content": prompt}, *told]


def _without_system(messages: Sequence[Message]) -> list[Message]:
    """The same conversation, its system message in front of what the user says first."""
    system, *rest = messages
    place = next((k for k, message in enumerate(rest) if message["role"] == "user"), None)
    if place is None:
        return [{"role": "user", "content": system["content"]}, *rest]
    first = {**rest[place], "content": f"{system['content']}\n\n{rest[place]['content']}"}
    return [*rest[:place], first, *rest[place + 1 :]]
