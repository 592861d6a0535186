"""A rule of the policy: which calls it is about, and what it says of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from guardrail import codec
from guardrail.policy.conditions import Condition, parse_when
from guardrail.policy.predicates import Truth, all_of
from guardrail.policy.reviewing import Reviewers, Timeout
from guardrail.types import DecisionType, Tier, ToolCall, ToolSpec

When = Mapping[str, Mapping[str, Any]] | Callable[[ToolCall], bool]

ANNOTATIONS: Final = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
"""The hints of the Model Context Protocol that a rule may ask for."""


class PredicateFailed(Exception):
    """A rule's own function raised, or answered neither True nor False."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Calls of the tools in ``match`` belong to ``tier``, if ``when`` holds and the tool is so annotated.

    ``match`` is one name or several; only ``*`` is a wildcard, everything else is literal. ``when`` is a
    mapping as in the file, or a function of the call that answers True or False.
    """

    match: str | Sequence[str]
    tier: Tier
    when: When | None = None
    annotations: Mapping[str, bool] = field(default_factory=dict)
    decisions: tuple[DecisionType, ...] | None = None
    timeout: Timeout | None = None
    reviewers: Reviewers | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def patterns(self) -> tuple[str, ...]:
        """Every name or pattern the rule is about."""
        return (self.match,) if isinstance(self.match, str) else tuple(self.match)

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """``when`` as conditions; none if it is a function."""
        return parse_when(self.when, "when") if isinstance(self.when, Mapping) else ()

    @property
    def conditional(self) -> bool:
        """Whether it can pass over a call of a tool that it names."""
        return self.when is not None or bool(self.annotations)

    def names(self, tool: str) -> bool:
        """Whether it is about the tool of that name."""
        return any(name_matches(pattern, tool) for pattern in self.patterns)

    def hinted(self, tool: ToolSpec | None) -> Truth:
        """Whether the tool has the annotations asked for; None where the tool's server does not say.

        A tool that says it only reads, and not whether it destroys, does not destroy (MCP, ToolAnnotations).
        """
        return all_of(
            _hint(tool, name) is wanted if _hint(tool, name) is not None else None
            for name, wanted in self.annotations.items()
        )

    def holds(self, call: ToolCall, tool: ToolSpec | None) -> Truth:
        """Whether ``when`` holds for the call.

        Raises:
            PredicateFailed: the rule's function raised or did not answer with a boolean.
        """
        if not callable(self.when):
            return all_of(condition.holds(call, tool) for condition in self.conditions)
        try:
            answer = self.when(copy.deepcopy(call))
        except Exception as error:
            raise PredicateFailed(f"{qualified_name(self.when)} raised {type(error).__name__}: {error}") from error
        if not isinstance(answer, bool):
            raise PredicateFailed(f"{qualified_name(self.when)} answered {answer!r}, not True or False")
        return answer

    def describe(self) -> str:
        """The rule in a line: ``pay when amount > 500``."""
        text = ", ".join(self.patterns)
        if self.annotations:
            text += " with " + ", ".join(f"{name} {str(value).lower()}" for name, value in self.annotations.items())
        if callable(self.when):
            text += f" when {qualified_name(self.when)}"
        elif self.conditions:
            text += " when " + " and ".join(map(str, self.conditions))
        return text

    def content(self) -> dict[str, Any]:
        """The rule as JSON data, for the policy's version; functions enter by their qualified name."""
        when = (
            qualified_name(self.when)
            if callable(self.when)
            else self.when and {k: dict(v) for k, v in self.when.items()}
        )
        return {
            "match": list(self.patterns),
            "tier": self.tier.value,
            "when": when,
            "annotations": dict(self.annotations),
            "decisions": None if self.decisions is None else [decision.value for decision in self.decisions],
            "timeout": _of_timeout(self.timeout),
            "arguments": dict(self.arguments),
            # a policy that says nothing of them keeps the version that it had before they could be said
            **({} if self.reviewers is None else {"reviewers": codec.to_json(self.reviewers)}),
        }


def _of_timeout(timeout: Timeout | None) -> list[object] | None:
    if timeout is None:
        return None
    said: list[object] = [timeout.after, timeout.then.value]
    said += [] if timeout.escalate is None else [timeout.escalate]
    return said if timeout.use is None else [*said, {"use": timeout.use}]


def name_matches(pattern: str, name: str) -> bool:
    """Whether a tool's name fits a pattern in which ``*`` stands for any run of characters; linear time."""
    first, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    *middle, last = rest
    if not name.startswith(first) or len(name) < len(first) + len(last) or not name.endswith(last):
        return False
    position, end = len(first), len(name) - len(last)
    for part in middle:
        found = name.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


def qualified_name(function: Any) -> str:
    """Module and name of a function; of its class where it has none of its own."""
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}.{named.__qualname__}"


def _hint(tool: ToolSpec | None, name: str) -> bool | None:
    annotations = {} if tool is None else tool.annotations
    value = annotations.get(name)
    if name == "destructiveHint" and name not in annotations and annotations.get("readOnlyHint") is True:
        return False
    return value if isinstance(value, bool) else None
