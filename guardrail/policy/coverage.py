"""Rules that can never apply, and names that no registered tool has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from guardrail.policy.arguments import Declared, declared
from guardrail.policy.problems import PolicyProblem, did_you_mean
from guardrail.policy.rules import Rule, name_matches
from guardrail.types import ToolSpec


def check_reachable(rules: Sequence[Rule]) -> None:
    """Whether each rule can ever apply, as far as the names alone tell.

    Raises:
        PolicyProblem: an earlier rule takes every call that a later one is about.
    """
    for index, rule in enumerate(rules):
        covering = [
            next((earlier for earlier in range(index) if _takes(rules[earlier], pattern, rule)), None)
            for pattern in rule.patterns
        ]
        _refuse_dead(index, rule, covering)


def check_tools(rules: Sequence[Rule], tools: Sequence[ToolSpec]) -> None:
    """Whether each rule is about registered tools and their arguments, and can apply to one of them.

    Raises:
        PolicyProblem: no, or there are no tools.
    """
    if not tools:
        raise PolicyProblem("", "there are no tools to guard; pass the tools that the model is offered")
    for index, rule in enumerate(rules):
        path = f"tools[{index}]"
        for pattern in rule.patterns:
            if not any(name_matches(pattern, tool.name) for tool in tools):
                hint = did_you_mean(pattern, [tool.name for tool in tools])
                names = ", ".join(sorted(tool.name for tool in tools))
                raise PolicyProblem(
                    f"{path}.match", f"no registered tool matches {pattern!r}{hint or f' (there are: {names})'}"
                )
        named = [tool for tool in tools if rule.names(tool.name)]
        if all(rule.hinted(tool) is False for tool in named):
            wanted = ", ".join(f"{name}: {str(value).lower()}" for name, value in rule.annotations.items())
            raise PolicyProblem(f"{path}.annotations", f"every tool that it matches says it is not {wanted}")
        _refuse_dead(
            index,
            rule,
            [
                next((earlier for earlier in range(index) if _takes(rules[earlier], tool.name, rule)), None)
                for tool in named
            ],
        )
        _check_arguments(rule, named, path)


def _takes(earlier: Rule, pattern: str, rule: Rule) -> bool:
    """Whether every call of the tools in ``pattern`` that ``rule`` matches is the earlier rule's already.

    A ``*`` in the later pattern can only have been met by a ``*`` in the earlier one, so that matching
    it as plain text is exact.
    """
    same = earlier.when is not None and earlier.when == rule.when and not earlier.annotations
    return (not earlier.conditional or same) and earlier.names(pattern)


def _refuse_dead(index: int, rule: Rule, covering: Sequence[int | None]) -> None:
    earlier = [found for found in covering if found is not None]
    if covering and len(earlier) == len(covering):
        by = ", ".join(f"tools[{found}]" for found in sorted(set(earlier)))
        raise PolicyProblem(
            f"tools[{index}]",
            f"can never apply: {by} comes first and takes every call of {', '.join(rule.patterns)}; "
            "move it up or remove it",
        )


def _check_arguments(rule: Rule, tools: Sequence[ToolSpec], path: str) -> None:
    named = [(condition.path, f"{path}.when.{condition.path}") for condition in rule.conditions]
    named += [(argument, f"{path}.arguments.{argument}") for argument in rule.arguments]
    for argument, place in named:
        if all(declared(tool.parameters, argument)[0] is Declared.NO for tool in tools):
            known = sorted({name for tool in tools for name in _arguments(tool)})
            where = ", ".join(tool.name for tool in tools)
            hint = did_you_mean(argument, known)
            raise PolicyProblem(
                place,
                f"{where} has no argument {argument!r}{hint or '; it has: ' + (', '.join(known) or 'none')}",
            )


def _arguments(tool: ToolSpec) -> Iterator[str]:
    properties = tool.parameters.get("properties")
    yield from properties if isinstance(properties, dict) else ()
