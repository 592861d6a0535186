"""Whatever is written, in whatever form, cut into whatever tokens: those that count have a byte of a name or a value."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from guardrail.signals import call_logprobs
from guardrail.types import Sample, Token, ToolCall

Part = tuple[str, int | None]
"""Text, and the call of whose name or value it is."""

NAMES = st.from_regex(r"[a-zA-Z_é日][a-zA-Z0-9_.é日-]{0,8}", fullmatch=True)
TEXTS = st.text(max_size=6) | st.sampled_from(
    ["é", "😀x", "日本", "</think>", "<tool_call>", '{"name": "f"}', "\ufffd", "\\u00e9", 'a"b', "{{}}"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9999, 9999) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
CALLS = st.lists(st.tuples(NAMES, st.dictionaries(TEXTS, VALUES, max_size=3)), min_size=1, max_size=3, unique_by=repr)


class Writer:
    """Writes JSON in a style of its own: spaces, and characters as they are or escaped, as they come."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._left, self._right = self._random.choice([("{{", "}}"), ("{", "}")])

    def _space(self) -> str:
        return self._random.choice(["", "", " ", "\n  ", "\t"])

    def text(self, value: str) -> str:
        style = self._random.choice(["plain", "ascii", "mixed"])
        written = []
        for index, char in enumerate(value):
            escaped = style == "ascii" or (style == "mixed" and index % 2 == 0)
            written.append(json.dumps(char, ensure_ascii=escaped)[1:-1])
            if char == "/" and escaped:
                written[-1] = "\\/"
        return '"' + "".join(written) + '"'

    def value(self, value: Any) -> str:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return "[" + ",".join(self._space() + self.value(item) + self._space() for item in value) + "]"
        if isinstance(value, dict):
            return "".join(text for text, _ in self.object(value, None))
        return json.dumps(value)

    def object(self, value: dict[str, Any], owner: int | None) -> list[Part]:
        parts: list[Part] = [(self._left, None)]
        for index, (key, item) in enumerate(value.items()):
            parts += [("," if index else "", None), (self._space() + self.text(key) + self._space() + ":", None)]
            parts += [(self._space(), None), (self.value(item), owner), (self._space(), None)]
        return [*parts, (self._right, None)]

    def call(self, name: str, arguments: dict[str, Any], owner: int, key: str = "arguments") -> list[Part]:
        inside = [('"', None), (name, owner), ('"', None)]
        given = self.object(arguments, owner)
        fields = [[(f'"name":{self._space()}', None), *inside], [(f'"{key}":{self._space()}', None), *given]]
        self._random.shuffle(fields)
        first, second = fields
        return [(self._left, None), *first, (f",{self._space()}", None), *second, (self._right, None)]


def tagged(
    writer: Writer, calls: Sequence[tuple[str, dict[str, Any]]], left: str, right: str, key: str = "arguments"
) -> list[Part]:
    return [
        part
        for owner, (name, arguments) in enumerate(calls)
        for part in [(left, None), *writer.call(name, arguments, owner, key), (right, None)]
    ]


def headed(
    writer: Writer, calls: Sequence[tuple[str, dict[str, Any]]], left: str, middle: str, right: str
) -> list[Part]:
    return [
        part
        for owner, (name, arguments) in enumerate(calls)
        for part in [(left, None), (name, owner), (middle, None), *writer.object(arguments, owner), (right, None)]
    ]


FORMS: dict[str, Callable[[Writer, Any], list[Part]]] = {
    "bare": lambda w, c: tagged(w, c, "", "\n"),
    "fence": lambda w, c: tagged(w, c, "```json\n", "\n```\n"),
    "Hermes": lambda w, c: [("<think>{}</think>", None), *tagged(w, c, "<tool_call>\n", "\n</tool_call>\n")],
    "Llama 3": lambda w, c: [("<|python_tag|>", None), *tagged(w, c, "", "; ", "parameters")],
    "Mistral list": lambda w, c: [("I do: [TOOL_CALLS] [", None), *tagged(w, c, "", ", "), ("]", None)],
    "Mistral": lambda w, c: headed(w, c, "[TOOL_CALLS]", "[ARGS]", ""),
    "DeepSeek": lambda w, c: headed(w, c, "<\uff5ctool▁call▁begin\uff5c>function<\uff5ctool▁sep\uff5c>", "\n```json\n", "\n```<\uff5ctool▁call▁end\uff5c>"),
    "Functionary": lambda w, c: headed(w, c, "<function=", ">", "</function>"),
    "Kimi": lambda w, c: headed(w, c, "<|tool_call_begin|>functions.", ":0<|tool_call_argument_begin|>", "<|tool_call_end|>"),
    "gpt-oss": lambda w, c: headed(w, c, "<|start|>assistant<|channel|>commentary to=functions.", " <|constrain|>json<|message|>", "<|call|>"),
}  # fmt: skip


SERVERS: dict[str, Callable[[int, int], int] | None] = {
    "the first token has a shared character": min,
    "the last token has a shared character": max,
    "U+FFFD stands for parts": None,
}
"""Which of the first and the last token that share a character has it as text."""


def spelt(
    pieces: Sequence[bytes], owner: Sequence[int | None], at: Callable[[int, int], int] | None
) -> list[tuple[str, set[int | None]]]:
    """Each token's text, and the calls of whose name or value it has something.

    A character that tokens share belongs to the one that has it as text. A token without a text of its own, and one
    with U+FFFD, has what its bytes are of.
    """
    token = [index for index, piece in enumerate(pieces) for _ in piece]
    bytewise: list[set[int | None]] = [set() for _ in pieces]
    for index, of in zip(token, owner, strict=True):
        bytewise[index].add(of)
    if at is None:
        return [(piece.decode(errors="replace"), has) for piece, has in zip(pieces, bytewise, strict=True)]
    texts, charwise, start = [""] * len(pieces), [set[int | None]() for _ in pieces], 0
    for char in b"".join(pieces).decode():
        end = start + len(char.encode())
        index = at(token[start], token[end - 1])
        texts[index] += char
        charwise[index].add(owner[start])
        start = end
    return [(text, chars if text else parts) for text, chars, parts in zip(texts, charwise, bytewise, strict=True)]


@pytest.mark.parametrize("form", list(FORMS))
@settings(max_examples=50, deadline=None)
@given(
    calls=CALLS,
    seed=st.integers(0, 2**32),
    shares=st.just(None) | st.lists(st.floats(0, 1), max_size=30),
    server=st.sampled_from(list(SERVERS)),
)
def test_the_tokens_that_count_are_those_with_a_byte_of_name_or_value(
    form: str, calls: list[tuple[str, dict[str, Any]]], seed: int, shares: list[float] | None, server: str
) -> None:
    if server.startswith("U+FFFD"):
        assume(all(key.isascii() for _, arguments in calls for key in keys(arguments)))
    raw, owner = b"", []
    for text, call in FORMS[form](Writer(seed), calls):
        raw += text.encode()
        owner += [call] * len(text.encode())
    cuts = range(len(raw)) if shares is None else [round(share * len(raw)) for share in shares]
    edges = sorted({0, len(raw), *cuts})
    if server.startswith("U+FFFD"):  # the marks of a template are tokens of their own
        edges = [edge for edge in edges if edge == len(raw) or owner[edge] is not None or raw[edge] & 0xC0 != 0x80]
    pieces = [raw[left:right] for left, right in itertools.pairwise(edges)]
    written = spelt(pieces, owner, SERVERS[server])
    tokens = tuple(Token(text=text, logprob=-float(index)) for index, (text, _) in enumerate(written))
    planned = Sample(calls=tuple(ToolCall(name=name, arguments=given) for name, given in calls), tokens=tokens)
    for index in range(len(calls)):
        found = call_logprobs(planned, index)
        assert found.missing is None, "".join(text for text, _ in written)
        assert [-logprob for logprob in found.logprobs] == [
            number for number, (_, has) in enumerate(written) if index in has
        ]


def keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for item in value.values() for key in keys(item))]
    return [key for item in value for key in keys(item)] if isinstance(value, list) else []
