"""Tool calls as local models write them into their text, read strictly.

Known forms: ``<tool_call>{...}</tool_call>`` (Hermes, Qwen), ``[TOOL_CALLS]`` before a list or before a name and
its arguments (Mistral), ``<|python_tag|>`` or nothing before ``{"name": ..., "parameters": {...}}`` (Llama 3), and
the same JSON bare, in a code fence, or with doubled braces. What looks like a call and is none of these is a
problem, never words: a sample that was misread is no evidence.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from guardrail.types import ToolCall

_START: Final = re.compile(r"<tool_call>|\[TOOL_CALLS\]|<\|python_tag\|>|\{|\[(?=\s*\{)")
_MARK: Final = re.compile(
    r"</?tool_calls?\b|\[TOOL_CALLS\]|\[ARGS\]|<\|python_tag\|>|<\|?/?tool[_▁]calls?|<function\b|<functioncall>"
    r"|<\|tool▁call"
)
_NAME_KEY: Final = re.compile(r"""["']name["']\s*:""")
_ARGUMENTS_KEY: Final = re.compile(r"""["'](?:arguments|parameters)["']\s*:""")
_MISTRAL: Final = re.compile(r"\s*([\w.-]+)\s*(?:\[CALL_ID\][\w-]*\s*)?(?:\[ARGS\]\s*)?(?=\{)")
_EMPTY_FENCE: Final = re.compile(r"```[\w-]*\s*```|^\s*```[\w-]*\s*$")
_SPACE: Final = re.compile(r"\s*")
_SEPARATOR: Final = re.compile(r"[\s;,]*")
_KEYS: Final = frozenset({"name", "arguments", "parameters", "id", "type"})
_CLOSING: Final = "</tool_call>"
_THOUGHT: Final = ("<think>", "</think>")
_LONGEST_EXCERPT: Final = 80


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a text says: calls in their order, the words beside them, and what is wrong (empty: nothing)."""

    calls: tuple[ToolCall, ...]
    text: str
    problem: str = ""


def written_calls(text: str) -> Written:
    """The calls in a generated text. A thought in front (``<think>``) is neither words nor searched for calls."""
    opening, closing = _THOUGHT
    if text.lstrip().startswith(opening):
        thought, found, text = text.partition(closing)
        if not found:
            return Written(calls=(), text="", problem=f"a thought that does not end: {_excerpt(thought)}")
    reader = _Reader(text)
    reader.read()
    words = "".join(reader.words)
    if reader.calls:
        words = _EMPTY_FENCE.sub("", words)
    if not reader.problems and (_MARK.search(words) or (_NAME_KEY.search(words) and _ARGUMENTS_KEY.search(words))):
        reader.problems.append(f"it looks like a call and is none: {_excerpt(words)}")
    return Written(calls=tuple(reader.calls), text=words.strip(), problem="; ".join(reader.problems))


class _NotACall(ValueError):
    """What stands here is no call in this form."""


@dataclass
class _Reader:
    """Goes through a text once."""

    text: str
    calls: list[ToolCall] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def read(self) -> None:
        at = 0
        while (start := _START.search(self.text, at)) is not None:
            self.words.append(self.text[at : start.start()])
            at = self._marked(start) if start[0][0] != "{" and len(start[0]) > 1 else self._bare(start.start())
        self.words.append(self.text[at:])

    def _marked(self, start: re.Match[str]) -> int:
        """Calls behind a mark of their own: here nothing but calls may stand."""
        read = {"<tool_call>": self._tagged, "[TOOL_CALLS]": self._mistral}.get(start[0], self._python)
        try:
            found, end = read(start.end())
        except (ValueError, RecursionError) as error:
            self.problems.append(f"the call after {start[0]} cannot be read ({error}): {self._near(start.end())}")
            closed = self.text.find(_CLOSING, start.end())
            return len(self.text) if closed < 0 else closed + len(_CLOSING)
        self.calls += found
        return end

    def _tagged(self, at: int) -> tuple[list[ToolCall], int]:
        found, at = self._values(at, _SPACE)
        if self.text.startswith(_CLOSING, at):
            return found, at + len(_CLOSING)
        if at < len(self.text):
            raise _NotACall(f"no {_CLOSING} after it")
        return found, at

    def _mistral(self, at: int) -> tuple[list[ToolCall], int]:
        named = _MISTRAL.match(self.text, at)
        if named is None:
            return self._values(at, _SPACE)
        arguments, end = _json(self.text, named.end())
        return [_call({"name": named[1], "arguments": arguments})], end

    def _python(self, at: int) -> tuple[list[ToolCall], int]:
        return self._values(at, _SEPARATOR)

    def _values(self, at: int, between: re.Pattern[str]) -> tuple[list[ToolCall], int]:
        """One call or list of calls after the other, at least one."""
        found: list[ToolCall] = []
        at = _after(between, self.text, at)
        while not found or self.text[at : at + 1] in ("{", "["):
            value, at = _json(self.text, at)
            found += _calls(value)
            at = _after(between, self.text, at)
        return found, at

    def _bare(self, at: int) -> int:
        """JSON among words: calls if it has their form, else words."""
        try:
            value, end = _json(self.text, at)
        except RecursionError:
            # starting again inside would take long and find nothing
            self.problems.append(f"nested too deeply: {self._near(at)}")
            return len(self.text)
        except ValueError:
            self.words.append(self.text[at])
            return at + 1
        try:
            self.calls += _calls(value)
        except ValueError as error:
            if any(_like_a_call(inner) for inner in _objects(value)):
                self.problems.append(f"{error}: {self._near(at)}")
            else:
                self.words.append(self.text[at:end])
        return end

    def _near(self, at: int) -> str:
        return _excerpt(self.text[at:])


def _calls(value: Any) -> list[ToolCall]:
    return [_call(one) for one in (value if isinstance(value, list) and value else [value])]


def _call(value: Any) -> ToolCall:
    if not isinstance(value, dict) or not value.keys() <= _KEYS or not isinstance(value.get("name"), str):
        raise _NotACall("it is no object of a name and arguments")
    given = [value[key] for key in ("arguments", "parameters") if key in value]
    if not value["name"] or len(given) != 1:
        raise _NotACall("it has no name, or not exactly one of arguments and parameters")
    arguments = given[0]
    if isinstance(arguments, str):
        arguments, end = _json(arguments, _after(_SPACE, arguments, 0))
        if given[0][end:].strip():
            raise _NotACall("its arguments are text that is no JSON")
    if not isinstance(arguments, dict):
        raise _NotACall("its arguments are no object")
    return ToolCall(name=value["name"], arguments=arguments)


def _like_a_call(value: dict[str, Any]) -> bool:
    return "name" in value and ("arguments" in value or "parameters" in value)


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _objects(inner)


def _json(text: str, at: int) -> tuple[Any, int]:
    """The JSON value at a place and where it ends, its braces doubled or not.

    Raises:
        ValueError: there is none.
    """
    try:
        value, end = _DECODER.raw_decode(text, at)
    except ValueError:
        if not text.startswith("{{", at):
            raise
        value, end = _undoubled(text, at)
    json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    return value, end


def _undoubled(text: str, at: int) -> tuple[Any, int]:
    """The same, where a model took the doubled braces of a template's source for the form asked for."""
    kept: list[str] = []
    places: list[int] = []
    quoted = False
    while at < len(text):
        char = text[at]
        kept.append(char)
        places.append(at)
        if quoted and char == "\\" and at + 1 < len(text):
            at += 1
            kept.append(text[at])
            places.append(at)
        elif char == '"':
            quoted = not quoted
        elif not quoted and char in "{}" and text.startswith(char, at + 1):
            at += 1
            places[-1] = at
        at += 1
    value, end = _DECODER.raw_decode("".join(kept))
    return value, places[end - 1] + 1


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NotACall("a key stands there twice")
    return found


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise _NotACall(f"{number} is no number")
    return value


def _refused(constant: str) -> NoReturn:
    raise _NotACall(f"{constant} is no JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refused, parse_float=_finite)


def _excerpt(text: str) -> str:
    return repr(text.strip()[:_LONGEST_EXCERPT])
