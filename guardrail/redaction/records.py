"""A record without what is hidden: the same value, marks in place of it, whatever the field is called."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar

from guardrail.redaction.masking import Masker
from guardrail.redaction.nothing import IDENTITIES, nothing_hidden
from guardrail.redaction.places import pointer
from guardrail.types import Hiding, Record, Sample, Token, ToolCall, ToolSpec, Verdict

T = TypeVar("T")
HidingOf = Callable[[str], Hiding]
"""What is hidden of the calls of a tool, by its name."""


def mask_record(record: Record, hiding_of: HidingOf, *, tools: Collection[str], masker: Masker | None = None) -> Record:
    """The record masked. ``hidden`` has the JSON pointers of what was; a record that has some stays as it is.

    ``tools`` are the names that the model was offered: another name of a tool is text of the model's. A verdict in it
    tells which places of its own call are hidden.
    """
    if record.hidden:
        return record
    masker = masker or Masker()
    if nothing_hidden(record, hiding_of, tools=tools, masker=masker):
        return record
    walk = _Walk(hiding_of, tools, masker)
    for call in _calls(record):
        walk.masker.look(call.arguments, hiding_of(call.name))
    walk.look(record)
    masked: Record = walk.masked(record, "")
    return replace(masked, hidden=tuple(walk.hidden))


def _calls(value: Any) -> list[ToolCall]:
    if isinstance(value, ToolCall):
        return [value]
    if isinstance(value, tuple):
        return [call for each in value for call in _calls(each)]
    if is_dataclass(value) and not isinstance(value, Token):
        return [call for field in fields(value) for call in _calls(getattr(value, field.name))]
    return []


class _Walk:
    def __init__(self, hiding_of: HidingOf, tools: Collection[str], masker: Masker) -> None:
        self._hiding_of = hiding_of
        self._tools = tools
        self.masker = masker
        self.hidden: list[str] = []

    def look(self, value: Any, name: str = "") -> None:
        """Note what is hidden in texts."""
        if name in IDENTITIES or isinstance(value, Enum | ToolCall | ToolSpec):
            return
        if isinstance(value, str):
            self.masker.look_text(value)
        elif isinstance(value, Sample):
            self.masker.look_text(_written(value))
            self._look_fields(value, without="tokens")
        elif is_dataclass(value):
            self._look_fields(value)
        elif isinstance(value, tuple | list):
            for each in value:
                self.look(each)
        elif isinstance(value, dict):
            for each in value.values():
                self.look(each)

    def masked(self, value: Any, place: str, name: str = "") -> Any:
        """The value, masked; the places go into ``hidden``."""
        if name in IDENTITIES or isinstance(value, Enum) or value is None:
            return value
        match value:
            case str():
                return self._text(value, place)
            case tuple() | list():
                return type(value)(self.masked(each, pointer(place, index)) for index, each in enumerate(value))
            case dict():
                return {self._key(str(key)): self.masked(each, pointer(place, key)) for key, each in value.items()}
            case _ if is_dataclass(value):
                return self._value(value, place)
        return value

    def _value(self, value: Any, place: str) -> Any:
        match value:
            case ToolCall():
                return self._call(value, place)[0]
            case ToolSpec():
                return self._tool(value)
            case Sample():
                return replace(self._fields(value, place, without="tokens"), tokens=self._tokens(value, place))
            case Verdict():
                call, hidden = self._call(value.call, pointer(place, "call"))
                return replace(self._fields(replace(value, call=call), place, without="call"), hidden=hidden)
        return self._fields(value, place)

    def _key(self, key: str) -> str:
        return key if key in self._tools else self.masker.text(key)

    def _look_fields(self, value: Any, without: str = "") -> None:
        for field in fields(value):
            if field.name != without:
                self.look(getattr(value, field.name), field.name)

    def _fields(self, value: T, place: str, without: str = "") -> T:
        changed = {}
        for field in fields(value):  # type: ignore[arg-type]  # only dataclasses come here
            before = getattr(value, field.name)
            if field.name != without:
                after = self.masked(before, pointer(place, field.name), field.name)
                if after is not before:
                    changed[field.name] = after
        return replace(value, **changed) if changed else value  # type: ignore[type-var]

    def _text(self, text: str, place: str) -> str:
        masked = self.masker.text(text)
        if masked != text:
            self.hidden.append(place)
        return masked

    def _call(self, call: ToolCall, place: str) -> tuple[ToolCall, tuple[str, ...]]:
        name = call.name if call.name in self._tools else self._text(call.name, pointer(place, "name"))
        arguments, hidden = self.masker.arguments(call.arguments, self._hiding_of(call.name))
        self.hidden += [f"{pointer(place, 'arguments')}{each}" for each in hidden]
        return replace(call, name=name, arguments=arguments), hidden

    def _tool(self, tool: ToolSpec) -> ToolSpec:
        """A tool's description and schema are its author's: only what looks like a secret is hidden in them."""
        shapes = Masker()
        return replace(
            tool,
            description=shapes.text(tool.description),
            parameters=_texts(tool.parameters, shapes),
            annotations=_texts(tool.annotations, shapes),
        )

    def _tokens(self, sample: Sample, place: str) -> tuple[Token, ...] | None:
        """The tokens with a mark at the first of those that made up something hidden, and nothing at the others.

        None where the calls have something hidden that the tokens do not show as it is written there: it would stand
        in them in another spelling.
        """
        if sample.tokens is None:
            return None
        text = _written(sample)
        spans = self.masker.spans(text)
        hidden = sum(len(self.masker.arguments(call.arguments, self._hiding_of(call.name))[1]) for call in sample.calls)
        if hidden > len(spans):
            return None
        tokens: list[Token] = []
        begin = 0
        for token in sample.tokens:
            end = begin + len(token.text)
            over = [span for span in spans if span.start < end and span.end > begin]
            top = token.top
            shown = token.text
            if over:
                top = ()
                shown = "".join(
                    [
                        text[begin : max(over[0].start, begin)],
                        *[self.masker.mark_of(text, span) for span in over if span.start >= begin],
                        text[min(over[-1].end, end) : end],
                    ]
                )
            elif any(self.masker.known(each) for each, _ in top):
                top = tuple((each, value) for each, value in top if not self.masker.known(each))
            tokens.append(token if shown == token.text and top == token.top else replace(token, text=shown, top=top))
            begin = end
        if spans:
            self.hidden.append(pointer(place, "tokens"))
        return tuple(tokens)


def _written(sample: Sample) -> str:
    return "".join(token.text for token in sample.tokens or ())


def _texts(value: Any, masker: Masker) -> Any:
    """Plain JSON with every text in it masked, keys as they are."""
    if isinstance(value, str):
        return masker.text(value)
    if isinstance(value, dict):
        return {key: _texts(each, masker) for key, each in value.items()}
    if isinstance(value, list):
        return [_texts(each, masker) for each in value]
    return value
