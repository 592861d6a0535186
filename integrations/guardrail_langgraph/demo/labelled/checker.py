"""The shop's checker, for ``guardrail label --checker guardrail_langgraph.demo.labelled.checker:right``.

It looks at what was asked and at the call that was planned. No signal, no risk and no verdict goes into its judgement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Final

from guardrail.types import LabelSource, Record, ToolCall, Turn
from guardrail_langgraph.demo.labelled.traffic import Request, requests

_STREAM: Final = 400
"""So many requests are known, from the beginning of the stream."""


def right(call: ToolCall, conversation: Sequence[Turn], record: Record) -> bool | None:
    """Whether a call is right; None where the conversation begins with no request of the demo's."""
    del record  # the verdict stands there
    request = _asked(conversation)
    return None if request is None else request.judge(call).correct


def rest(call: ToolCall, conversation: Sequence[Turn], record: Record) -> bool | None:
    """The same, but None for calls that a person has judged."""
    people = any(one.call_id == call.id and one.source is not LabelSource.CHECKER for one in record.labels)
    return None if people else right(call, conversation, record)


def _asked(conversation: Sequence[Turn]) -> Request | None:
    said = next((turn.text for turn in reversed(conversation) if turn.role == "user"), None)
    return None if said is None else _requests().get(said)


@cache
def _requests() -> Mapping[str, Request]:
    return MappingProxyType({request.text: request for request in requests(_STREAM)})
