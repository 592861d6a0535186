"""LangChain's ``interrupt_on``, read cautiously.

- ``True``: critical; a human decides, with every decision allowed.
- ``False``: low. LangChain would run it without asking; here it still has to agree with itself.
- ``{"allowed_decisions": [...], "when": f, ...}``: critical with those decisions where ``f`` says so.
  Where it does not, LangChain runs the call unseen; here it falls to the default tier (high), because
  "need not be approved" does not say "cannot do harm".
- A tool that is not listed runs unseen in LangChain; here it gets the default tier.

``description`` is the adapter's to show, beside the evidence; ``args_schema`` is accepted and not used.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any, Final

from guardrail.policy.problems import PolicyProblem, unknown
from guardrail.policy.rule_checks import check_function
from guardrail.policy.rules import Rule
from guardrail.types import DecisionType, Tier, ToolCall

surroundings: ContextVar[Callable[[Mapping[str, Any]], Mapping[str, Any]] | None] = ContextVar(
    "guardrail_surroundings", default=None
)
"""What a predicate is shown of an agent beside the call (``state``, ``runtime``), where an adapter has it. A predicate
that asks for what is not there fails, and a human decides."""
_KEYS: Final = ("allowed_decisions", "when", "description", "args_schema")


def rules_of(interrupt_on: Mapping[str, Any]) -> tuple[Rule, ...]:
    """One rule for each tool that is listed.

    Raises:
        PolicyProblem: an entry is none of LangChain's forms.
    """
    if not isinstance(interrupt_on, Mapping):
        raise PolicyProblem("interrupt_on", f"must be a mapping of tool names, not {type(interrupt_on).__name__}")
    return tuple(_rule(name, entry, f"interrupt_on.{name}") for name, entry in interrupt_on.items())


def _rule(name: object, entry: object, path: str) -> Rule:
    if not isinstance(name, str) or not name or "*" in name:
        raise PolicyProblem(path, "must be the exact name of a tool; interrupt_on has no wildcards")
    if isinstance(entry, bool):
        return Rule(match=name, tier=Tier.CRITICAL if entry else Tier.LOW)
    if not isinstance(entry, Mapping):
        raise PolicyProblem(path, f"must be True, False or a mapping with allowed_decisions, not {entry!r}")
    for key in entry:
        if key not in _KEYS:
            raise PolicyProblem(f"{path}.{key}", unknown("key", key, _KEYS))
    when = entry.get("when")
    if when is not None:
        check_function(when, f"{path}.when")
    return Rule(
        match=name,
        tier=Tier.CRITICAL,
        when=None if when is None else _adapted(when),
        decisions=_decisions(entry.get("allowed_decisions"), f"{path}.allowed_decisions"),
    )


def _decisions(named: object, path: str) -> tuple[DecisionType, ...]:
    if not isinstance(named, list | tuple) or not named:
        raise PolicyProblem(path, f"must be a list of decisions ({', '.join(DecisionType)}), not {named!r}")
    for decision in named:
        if decision not in list(DecisionType):
            raise PolicyProblem(path, unknown("decision", decision, DecisionType))
    return tuple(DecisionType(decision) for decision in dict.fromkeys(named))


def _adapted(when: Callable[[Any], bool]) -> Callable[[ToolCall], bool]:
    """Calls a LangChain predicate with what there is of a ``ToolCallRequest``."""

    @functools.wraps(when)
    def asks(call: ToolCall) -> bool:
        tool_call = {"name": call.name, "args": call.arguments, "id": call.id, "type": "tool_call"}
        shown = surroundings.get()
        beside = {} if shown is None else shown(tool_call)
        return when(SimpleNamespace(**{**beside, "tool_call": tool_call, "tool": None}))

    return asks
