"""Whether nothing of a record is hidden, which is so of most: told without going through it twice and rebuilding it.

Every text that masking would look at is gathered once, equal ones together, for the samples of a step repeat each
other. Only what can be told exactly is told here: anything unusual is left to the full walk.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from guardrail.redaction.masking import Masker
from guardrail.redaction.names import kind_of
from guardrail.redaction.places import hidden_places, is_card_number
from guardrail.types import Hiding, Record, Sample, ToolCall, ToolSpec, Verdict

IDENTITIES: Final = frozenset(
    {
        *("id", "record_id", "review_id", "step_id", "thread_id", "namespace", "response_id", "call_id"),
        *("request_digest", "digest", "raw", "fingerprint", "model", "at", "entailment", "hidden"),
        *("name", "unit", "role", "finish_reason"),
    }
)
"""Fields by which something is found again: they are made by programs, and hold no argument."""
_NO_TEXT: Final = frozenset({int, float, bool, type(None)})


class _NotTold(Exception):
    """Only the full walk can tell."""


def nothing_hidden(
    record: Record, hiding_of: Callable[[str], Hiding], *, tools: Collection[str], masker: Masker
) -> bool:
    """Whether masking would leave the record as it is. False: it would not, or this cannot tell."""
    found = _Texts(tools)
    try:
        found.take(record)
    except _NotTold:
        return False
    secrets = False
    for name, calls in found.calls.items():
        hiding = hiding_of(name)
        secrets = secrets or hiding.secrets
        if hiding.paths and any(hidden_places(call, hiding) for call in calls):
            return False
    if secrets and (found.card or any(kind_of(key) for key in found.keys)):
        return False
    # keys, and what an author says of a tool, are looked at with every shape, whatever the masker looks for
    return masker.finds_nothing(found.texts | found.keys) and Masker().finds_nothing(found.shaped | found.keys)


class _Texts:
    """What masking looks at in a record."""

    def __init__(self, tools: Collection[str]) -> None:
        self._tools = tools
        self.texts: set[str] = set()
        self.keys: set[str] = set()
        """Names of arguments, at any depth."""
        self.shaped: set[str] = set()
        """What the authors of tools wrote."""
        self.calls: dict[str, list[dict[str, Any]]] = {}
        self.card = False
        """Whether a number among the arguments is one of a payment card."""

    def take(self, value: Any) -> None:
        kind = type(value)
        if kind is str:
            self.texts.add(value)
        elif kind in _NO_TEXT:
            pass
        elif kind is tuple or kind is list:
            for each in value:
                self.take(each)
        elif kind is dict:
            for key, each in value.items():
                if type(key) is not str:
                    raise _NotTold
                self.texts.add(key)
                self.take(each)
        else:
            self._take_fields(value, kind)

    def _take_fields(self, value: Any, kind: type) -> None:
        if kind is ToolCall:
            self._call(value)
            return
        if kind is ToolSpec:
            self._tool((value.description, value.parameters, value.annotations))
            return
        if kind is Verdict and value.hidden:
            raise _NotTold
        if kind is Sample and value.tokens is not None:
            self.texts.add("".join([token.text for token in value.tokens]))
        for name in _names_of(kind):
            self.take(getattr(value, name))

    def _call(self, call: ToolCall) -> None:
        if type(call.name) is not str or type(call.arguments) is not dict:
            raise _NotTold
        if call.name not in self._tools:
            self.texts.add(call.name)
        self.calls.setdefault(call.name, []).append(call.arguments)
        self._arguments(call.arguments)

    def _arguments(self, value: Any) -> None:
        kind = type(value)
        if kind is str:
            self.texts.add(value)
        elif kind is dict:
            for key, each in value.items():
                if type(key) is not str:
                    raise _NotTold
                self.keys.add(key)
                self._arguments(each)
        elif kind is list:
            for each in value:
                self._arguments(each)
        elif kind not in _NO_TEXT:
            raise _NotTold
        elif is_card_number(value):
            self.card = True

    def _tool(self, value: Any) -> None:
        kind = type(value)
        if kind is str:
            self.shaped.add(value)
        elif kind is dict:
            for each in value.values():
                self._tool(each)
        elif kind is list or kind is tuple:
            for each in value:
                self._tool(each)
        elif kind not in _NO_TEXT:
            raise _NotTold


@lru_cache(maxsize=256)
def _names_of(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass that masking looks at; none of what it leaves as it is.

    Raises:
        _NotTold: a kind that is not known here.
    """
    if issubclass(kind, Enum):
        return ()
    if not is_dataclass(kind) or (issubclass(kind, ToolCall | ToolSpec | Verdict | Sample) and kind not in _KNOWN):
        raise _NotTold
    left_out = {*IDENTITIES, *({"tokens"} if kind is Sample else ())}
    return tuple(field.name for field in fields(kind) if field.name not in left_out)


_KNOWN: Final = frozenset({ToolCall, ToolSpec, Verdict, Sample})
