"""What is wrong in a policy, where, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from guardrail.errors import PolicyError


class PolicyProblem(PolicyError):
    """A ``PolicyError`` that knows its place, so that whoever read a file can add the line."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(f"{path}: {text}" if path else text)
        self.path = path
        self.text = text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A suggestion to append to a message, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def unknown(what: str, word: object, known: Iterable[str]) -> str:
    """Says that a word is none of the known ones."""
    names = [str(name) for name in known]
    hint = did_you_mean(word, names) if isinstance(word, str) else ""
    return f"unknown {what} {word!r}{hint or '; use one of ' + ', '.join(names)}"
