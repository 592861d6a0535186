"""Defaults that a tool's author states in an argument's description."""

from __future__ import annotations

import ast
import re
from typing import Any

_STATEMENT = re.compile(
    r"\bdefaults?(?:(?:\s+\w+)?(?:\s+is|\s+are|\s*[:=])|(?:\s+(?:value|\w+ed))?\s+to)\s*"
    r"(?:set\s+to\s+|to\s+|be\s+|use\s+|an?\s+|the\s+|string\s+|value\s+)*"
    r"(?P<value>'[^']*'|\"[^\"]*\"|`[^`]*`|\[[^\[\]]*\]|\{[^{}]*\}|[-+]?\d{1,3}(?:,\d{3})+\b|[^\s,;()]+(?:\s+[^\s,;().]+){0,5})"
    r"(?P<rest>[^.;\n]*)"
    r"|\bdefault\s+(?P<plain>(?:\w+\s+)??(?:'[^']*'|\"[^\"]*\"|`[^`]*`)|\[[^\[\]]*\]|[-+]?\d[\d.,eE+-]*|empty\s+(?:array|list|string|object)|true\b|false\b)"
    r"|\bdefaults?(?:\s+value)?\s+(?:will\s+)?returns?\s+(?P<returns>[^\W\d][\w-]*)\s+\w+"
    r"|\bwith\s+(?P<as>'[^']*'|\"[^\"]*\"|`[^`]*`|[^\s,;().]+)\s+as\s+(?:the\s+)?default\b"
    r"|\b(?P<all>all)\b[^.;\n]{0,40}\bby\s+default\b"
    r"|(?P<by>'[^']*'|\"[^\"]*\"|`[^`]*`|(?<!\S)[-+]?\d[\d.,eE+-]*|\btrue|\bfalse)\s+by\s+default\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"\b(?:unless|otherwise|depending|depends|except|when|whenever|for|if)\b(?!\s+(?:\w+\s+){0,3}"
    r"(?:not|no\s+value|omitted|unspecified|missing|empty|none|absent|left)\b)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][-+]?\d+)?", re.ASCII)
_PLACES = ("value", "plain", "as", "returns", "all", "by")
_SENTENCE = re.compile(r"\.(?=\s|$)")
_BEFORE_NUMBER = re.compile(r"^(?:(?:year|version|number|about|approximately|usd)\s+|[$\u20ac\u00a3])")
_NONE = re.compile(r"\bdefaults?(?:\s+value)?(?:\s+is|\s+to|\s*[:=])?\s+['\"]?(?:none|null)\b", re.IGNORECASE)
_REMARK = re.compile(r"\s+(?:if|when|where|which|meaning|and)\b", re.IGNORECASE)
_NOTHING = frozenset(("none", "null", "nil", "unset"))
_LONGEST = 2_000
_WORDS = 4
_EMPTY: dict[str, Any] = {"array": [], "list": [], "object": {}, "dictionary": {}, "dict": {}, "string": ""}


class NotStated:
    """There is no plain statement."""


NOT_STATED = NotStated()


def stated_default(description: str, kind: str) -> Any:
    """The one value that a description plainly calls the default of an argument of this JSON type.

    ``NOT_STATED`` where there is none, where two statements disagree, and where a condition hangs on it.
    """
    if "efault" not in description[:_LONGEST] and "EFAULT" not in description[:_LONGEST]:
        return NOT_STATED
    quoted: list[Any] = []
    plain: list[Any] = []
    for match in _STATEMENT.finditer(description[:_LONGEST]):
        text, rest, in_quotes = _statement(match)
        if _CONDITION.search(rest if in_quotes else f"{text}{rest}"):
            return NOT_STATED
        value = _value(text if in_quotes else _REMARK.split(text)[0].rstrip("."), kind, in_quotes=in_quotes)
        if value is not NOT_STATED and (in_quotes or str(value).casefold() not in _NOTHING):
            (quoted if in_quotes else plain).append(value)
    for found in (quoted, plain):
        if found:
            return found[0] if all(value == found[0] for value in found) else NOT_STATED
    return NOT_STATED


def states_none(description: str) -> bool:
    """Whether a description says that an omitted argument is none, so that "None" says no more."""
    return _NONE.search(description[:_LONGEST]) is not None


def _statement(match: re.Match[str]) -> tuple[str, str, bool]:
    """The words of a default, what the sentence goes on to say, and whether the words stand in quotes."""
    text = next(match[name] for name in _PLACES if match[name]).strip()
    rest = match["rest"] or ""
    if text[-1] in "'\"`" and text[0] not in "['\"`":
        text = text[text.index(text[-1]) :]
    if text[0] in "'\"`":
        return text[1:-1], rest, True
    first, *more = _SENTENCE.split(text, maxsplit=1)
    return first, "" if more else rest, False


def _value(text: str, kind: str, *, in_quotes: bool) -> Any:
    word = text.strip().casefold()
    if word.startswith("empty"):
        return _EMPTY.get(word.removeprefix("empty").strip(), _EMPTY.get(kind, NOT_STATED))
    if kind in ("integer", "number"):
        match = _NUMBER.match(_BEFORE_NUMBER.sub("", {"zero": "0", "one": "1"}.get(word, word)))
        return match[0].rstrip(",") if match and match[0] else NOT_STATED
    if kind == "boolean":
        first = word.partition(" ")[0]
        return first == "true" if first in ("true", "false") else NOT_STATED
    if kind in ("array", "object"):
        return _literal(text, word, kind, in_quotes=in_quotes)
    return text if len(text.split()) <= _WORDS and not word.startswith("not ") else NOT_STATED


def _literal(text: str, word: str, kind: str, *, in_quotes: bool) -> Any:
    if text[:1] in ("[", "{", "("):
        try:
            return ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return NOT_STATED
    return [text] if kind == "array" and (in_quotes or word in ("all", "any")) else NOT_STATED
