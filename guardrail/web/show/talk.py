"""The conversation that led to a call, as untrusted text: who said it, and where it came from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from guardrail.types import Turn
from guardrail.web.show.folds import CLOSED, Fold, Opening
from guardrail.web.show.values import Value, show_value

MANY: Final = 100
"""Turns that are shown, the last ones; earlier ones are counted."""
_ROLES: Final = {
    "system": "Instructions of the application",
    "developer": "Instructions of the application",
    "user": "User",
    "human": "User",
    "assistant": "Model",
    "ai": "Model",
    "tool": "Result of a tool",
    "function": "Result of a tool",
}
_OUTSIDE: Final = frozenset({"tool", "function"})
_POSES: Final = re.compile(
    r"^\W*(?:system|developer|assistant|user|tool|administrator|reviewer|security)\W*:"
    r"|^\W*(?:already |pre-?)?(?:approved|authori[sz]ed)\b(?: by\b|\W*$)"
    r"|<\|?(?:im_start|im_end|system|assistant)\b"
    r"|<\s*(?:button|form|input|dialog|script|iframe)\b",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, kw_only=True)
class Said:
    """One turn. ``role`` in words; ``outside``: it came from a tool, so anybody may have written it. ``poses``: it
    holds what looks like another speaker, an approval, or a control of a page.
    """

    number: int
    role: str
    outside: bool
    text: Value
    warnings: tuple[str, ...] = ()
    poses: bool = False


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """The last turns, and how many came before. Nothing in it says what to do."""

    turns: tuple[Said, ...]
    earlier: int = 0

    @property
    def folds(self) -> tuple[Fold, ...]:
        """The turns that are folded. They need not be opened before a decision."""
        return tuple(fold for turn in self.turns for fold in turn.text.folds())


def show_conversation(turns: Sequence[Turn], opening: Opening = CLOSED) -> Conversation:
    """The conversation fit for a page."""
    first = max(0, len(turns) - MANY)
    where = replace(opening, where="t-", secret="")
    shown = tuple(_said(number, turn, where) for number, turn in enumerate(turns[first:], start=first + 1))
    return Conversation(turns=shown, earlier=first)


def _said(number: int, turn: Turn, opening: Opening) -> Said:
    role = turn.role.lower()
    shown = show_value(turn.text, opening, at=("conversation", number))
    return Said(
        number=number,
        role=_ROLES.get(role, turn.role or "Somebody"),
        outside=role in _OUTSIDE,
        text=shown.root,
        warnings=shown.warnings,
        poses=role not in ("system", "developer") and _POSES.search(turn.text) is not None,
    )
