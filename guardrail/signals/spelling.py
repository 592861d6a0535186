"""Where a generated text spells the planned calls.

Models write calls in the form of their chat template. Known are: JSON objects with a name and arguments, bare, in code
fences, lists, other objects or tags (Hermes, Qwen, Llama 3, Granite, Phi, Mistral before tokenizer 11), and JSON
arguments behind a name outside of them (Mistral, DeepSeek, Functionary, Kimi, gpt-oss). A call in any other form, such
as ``f(x=1)`` or XML, is not found: then there is no span, and never a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from guardrail.signals.exact import exact
from guardrail.signals.json_spans import Node, Span, objects, values, written_as_text
from guardrail.types import ToolCall

UNREADABLE: Final = "\N{REPLACEMENT CHARACTER}"
"""What servers write in place of a part of a character."""

_NAME_KEYS: Final = ("name", "tool_name", "tool", "function", "action")
_ARGUMENT_KEYS: Final = ("arguments", "parameters", "args", "input", "action_input")

_NAME: Final = r"(?P<name>[^\s<>\[\]{}\"|]+?)"
_HEADS: Final = tuple(
    re.compile(form.replace("NAME", _NAME) + r"\Z", re.ASCII)
    for form in (
        r"\[TOOL_CALLS\]\s*NAME\s*(?:\[CALL_ID\]\s*[\w-]+\s*)?(?:\[ARGS\]\s*)?",
        r"<\uff5ctool▁call▁begin\uff5c>(?:\w+<\uff5ctool▁sep\uff5c>)?NAME(?:<\uff5ctool▁sep\uff5c>)?\s*(?:```json\s*)?",
        r"<function=NAME>\s*",
        r"<\|recipient\|>\s*NAME\s*<\|content\|>\s*",
        r">>>\s*NAME\s*",
        r"to=functions\.NAME(?:[\s<][^{}]{0,60}?)?<\|message\|>\s*",
        r"<\|tool_call_begin\|>\s*(?:functions\.)?NAME(?::\d+)?\s*<\|tool_call_argument_begin\|>\s*",
    )
)
"""What stands in front of arguments whose tool is named outside of the JSON."""
_LONGEST_HEAD: Final = 300

_MARK: Final = re.compile(
    r"<tool_calls?>|<\|tool_calls?\|>|\[TOOL_CALLS\]|<\|python_tag\|>|<\uff5ctool▁calls▁begin\uff5c>"
    r"|<\|tool_calls_section_begin\|>|<function_?calls?>|<TOOLCALL>|<\|action_start\|>|<\|START_ACTION\|>"
    r"|<function=|to=functions\."
)
"""What calls begin with. What stands before the first is words, even where it reads as a call."""
_THOUGHT: Final = re.compile(r"<think(?:ing)?>|\[THINK\]|<\|START_THINKING\|>|<seed:think>|<reasoning>|◁think▷")
_THOUGHT_ENDS: Final = re.compile(r"</think(?:ing)?>|\[/THINK\]|<\|END_THINKING\|>|</seed:think>|</reasoning>|◁/think▷")
_BETWEEN: Final = " \t\r\n[],"


@dataclass(frozen=True)
class _Written:
    """Something that reads as a call: its name, its arguments, where name and values stand, and its object."""

    name: str
    arguments: Any
    spans: tuple[Span, ...]
    node: Node


def spelled(text: str, calls: Sequence[ToolCall]) -> list[tuple[Span, ...]] | None:
    """Where the name and the values of each call stand; None where the text does not spell exactly these calls.

    Neither thoughts nor words in front of marked calls are searched. A mark inside a call is no mark: a reading that
    passes over one counts only if it finds it there.

    Raises:
        TooDeep: a call is nested too deeply to be compared.
    """
    wanted = [(call.name, call.arguments, exact(call.arguments)) for call in calls]
    for start, inside in _readings(text):
        found = _calls(text, start, wanted)
        if found is not None and all(_inside(place, found) for place in inside):
            return [one.spans for one in found]
    return None


def _readings(text: str) -> Iterator[tuple[int, list[int]]]:
    """Where the calls may begin, and which places then have to be inside of them."""
    opening, closing = _THOUGHT.search(text), _THOUGHT_ENDS.search(text)
    endless = [opening.start()] if opening and not closing else []
    after = closing.end() if closing else 0
    mark = _MARK.search(text, after)
    if mark:
        yield mark.start(), endless
    yield after, [*endless, mark.start()] if mark else endless
    if closing:
        yield 0, [found.start() for found in (opening, closing) if found and found.start() <= closing.start()]


def _inside(place: int, found: Sequence[_Written]) -> bool:
    return any(one.node.start <= place < one.node.end for one in found)


def _calls(text: str, start: int, wanted: Sequence[tuple[str, Any, str]]) -> list[_Written] | None:
    nodes = list(objects(text, start))
    lenient = UNREADABLE in text
    written: list[tuple[_Written, list[int]]] = []
    before = start
    for node in nodes:
        reading = _headed(text, before, node)
        which = [] if reading is None else _which(reading, wanted, lenient=lenient)
        if reading is not None and which:
            written.append((reading, which))
        else:
            candidates = [(one, _which(one, wanted, lenient=lenient)) for one in _candidates(text, node)]
            written += [(one, which) for one, which in candidates if which]
        before = node.end
    if len(written) == len(wanted) and all(index in which for index, (_, which) in enumerate(written)):
        return [one for one, _ in written]
    if len(nodes) == len(wanted) and _nothing_but(text, start, nodes):
        pairs = zip(nodes, wanted, strict=True)
        if all(
            exact(node.value) == known or (lenient and _may_be(node.value, arguments))
            for node, (_, arguments, known) in pairs
        ):
            return [_Written("", node.value, tuple(values(node)), node) for node in nodes]
    return None


def _which(one: _Written, wanted: Sequence[tuple[str, Any, str]], *, lenient: bool) -> list[int]:
    """Which of the planned calls this is; several where they are equal."""
    form = exact(one.arguments)
    return [
        index
        for index, (name, arguments, known) in enumerate(wanted)
        if (one.name == name and form == known)
        or (lenient and _text_may_be(one.name, name) and _may_be(one.arguments, arguments))
    ]


def _nothing_but(text: str, start: int, nodes: Sequence[Node]) -> bool:
    """Whether the text is these objects alone: beside anything else they could be parts of something broken."""
    ends = [start, *(node.end for node in nodes)]
    starts = [*(node.start for node in nodes), len(text)]
    return not "".join(text[end:start] for end, start in zip(ends, starts, strict=True)).strip(_BETWEEN)


def _headed(text: str, before: int, node: Node) -> _Written | None:
    """The object as the arguments of the tool that is named right in front of it."""
    gap = text[before : node.start]
    name = gap.strip()
    if re.fullmatch(_NAME, name):
        start = before + gap.index(name)
        return _Written(name, node.value, ((start, start + len(name)), *values(node)), node)
    first = max(before, node.start - _LONGEST_HEAD)
    found = next((match for head in _HEADS if (match := head.search(text[first : node.start]))), None)
    if found is None:
        return None
    span = (first + found.start("name"), first + found.end("name"))
    return _Written(found["name"], node.value, (span, *values(node)), node)


def _candidates(text: str, node: Node) -> Iterator[_Written]:
    """Every object that reads as a call; what is inside arguments is data."""
    names = (found for key in _NAME_KEYS if (found := node.member(key)) is not None)
    name = next((found for found in names if isinstance(found.value, str) and found.value), None)
    given = next((found for key in _ARGUMENT_KEYS if (found := node.member(key)) is not None), None)
    if name and given:
        inner = (given.value, values(given)) if isinstance(given.value, dict) else written_as_text(text, given)
        if inner is not None:
            spans = sorted([(name.start + 1, name.end - 1), *inner[1]])
            yield _Written(name.value, inner[0], tuple(spans), node)
            return
    for _, member in node.members:
        yield from _candidates(text, member)


def _may_be(written: Any, planned: Any) -> bool:
    """Whether the two are equal but for characters that a server could not write token by token."""
    if isinstance(written, str) and isinstance(planned, str):
        return _text_may_be(written, planned)
    if isinstance(written, dict) and isinstance(planned, dict) and len(written) == len(planned):
        pairs = zip(written.items(), planned.items(), strict=True)
        return all(_text_may_be(one, other) and _may_be(this, that) for (one, this), (other, that) in pairs)
    if isinstance(written, list) and isinstance(planned, list) and len(written) == len(planned):
        return all(map(_may_be, written, planned))
    return exact(written) == exact(planned)


def _text_may_be(written: str, planned: str) -> bool:
    """The same text, where between ASCII each run of other characters with unreadable ones in it may be another that
    is no longer and has the same readable beginning and end.
    """
    one, other = (re.split(r"([^\x00-\x7f]+)", text) for text in (written, planned))
    return len(one) == len(other) and all(map(_run_may_be, one, other))


def _run_may_be(written: str, planned: str) -> bool:
    if UNREADABLE not in written:
        return written == planned
    head, tail = written[: written.index(UNREADABLE)], written[written.rindex(UNREADABLE) + 1 :]
    shortest = len(head) + len(tail) + 1
    return shortest <= len(planned) <= len(written) and planned.startswith(head) and planned.endswith(tail)
