"""Calls and their answers in the shapes of the Messages API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from guardrail import desk
from guardrail.desk import Kinds, Planned
from guardrail.errors import ConfigError
from guardrail.sampling.plain import items, mapping, snapshot
from guardrail.types import ToolCall
from guardrail_anthropic.steps import sample


@dataclass(frozen=True, kw_only=True)
class Block(Planned):
    """A tool_use block."""

    @classmethod
    def of(cls, given: BaseModel | Mapping[str, Any] | ToolCall) -> Block:
        """The block of a message's content.

        Raises:
            ConfigError: it is no tool_use block.
        """
        if isinstance(given, ToolCall):
            return cls(call=given)
        found = sample({"content": [mapping(snapshot(given))]}, planned=True)
        if len(found.calls) != 1:
            raise ConfigError("that is no call: give a block of message.content of the type tool_use")
        return cls(call=found.calls[0], readable=not found.detail)

    def result(self, value: Any, *, error: bool = False) -> dict[str, Any]:
        """The tool_result block that answers it: words or content blocks as they are, anything else as JSON."""
        content = snapshot(value)
        if not isinstance(content, str) and not (content and items(content) == content):
            content = json.dumps(content, ensure_ascii=False, default=str)
        found = {"type": "tool_result", "tool_use_id": self.call.id, "content": content}
        return {**found, "is_error": True} if error else found


class Held(desk.Held):
    """A call that may not run now. ``text`` is for the model, ``verdict`` what was decided, where anything was."""

    @property
    def tool_result(self) -> dict[str, Any]:
        """The tool_result block, with the words for the model; an error, unless a person answered in its place."""
        answered = getattr(self, "answered", None) is not None
        return Block(call=self.call).result(self.text, error=not answered)


class PlanAgain(Held, desk.PlanAgain):
    """The model was not sure: none of the step's calls may run, and the model plans it again."""


class Refused(Held, desk.Refused):
    """The call does not run: a person rejected or answered it, or it cannot be told what was approved."""


class WaitsForReview(Held, desk.WaitsForReview):
    """A person has to decide. ``review_id`` names the review; once it is decided, ``permit`` says what it came to."""


KINDS = Kinds(plan_again=PlanAgain, refused=Refused, waits=WaitsForReview)
