"""A signal in one file: how many of a call's argument values literally stand in the conversation.

A value that nobody mentioned was made up, or worked out. It says where a value comes from, not that it is right: what
a hostile tool result mentions is in the conversation too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from guardrail.signals import Evidence
from guardrail.types import Safer, Signal, SignalInfo

_FIXED = ("enum", "const", "default")


class ValuesInConversation:
    """The share of the call's texts and numbers that occur in a message, letter case and white space aside.

    Booleans, nulls, empty texts and what the tool's schema itself offers (enum, const, default) are not looked for.
    """

    info = SignalInfo(
        name="values_in_conversation",
        title="values found in the conversation",
        unit="share",
        safer=Safer.HIGH,  # more of it speaks for the call
        needs=frozenset(),  # nothing has to be paid for it
        low=0.0,
        high=1.0,
        version="1",  # change it whenever the same call could get another number
    )

    def measure(self, evidence: Evidence) -> Signal:
        """The share; missing where the conversation is not known, or there is nothing to look for."""
        if not evidence.conversation:
            return self._missing("the conversation is not known")
        arguments = evidence.planned.calls[evidence.index].arguments
        offered = set(_offered(evidence.tool.parameters)) if evidence.tool else set()
        wanted = [value for value in map(_plain, _leaves(arguments)) if value and value not in offered]
        if not wanted:
            return self._missing("the call has no value that could stand in the conversation")
        said = " \n ".join(_plain(turn.text) for turn in evidence.conversation)
        found = sum(_occurs(value, said) for value in wanted)
        return Signal(name=self.info.name, unit=self.info.unit, value=found / len(wanted))

    def _missing(self, why: str) -> Signal:
        return Signal(name=self.info.name, unit=self.info.unit, missing=why)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, float):
        yield f"{value:g}"
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield str(value)


def _offered(schema: Any) -> Iterator[str]:
    """Every value that a schema spells out."""
    if not isinstance(schema, Mapping):
        return
    for key in _FIXED:
        yield from map(_plain, _leaves(schema.get(key)))
    inner = schema.get("properties")
    for each in (*(inner.values() if isinstance(inner, Mapping) else ()), schema.get("items")):
        yield from _offered(each)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _occurs(value: str, said: str) -> bool:
    """As words of their own: 5 is not in 1500, and Ann is not in Annual."""
    return re.search(rf"(?<!\w)(?<!\d\.){re.escape(value)}(?!\w)(?!\.\d)", said) is not None
