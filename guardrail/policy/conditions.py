"""``when: {amount: {gt: 500}}``: tests of a call's arguments, all of which have to hold."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from guardrail.policy.arguments import Declared, Gap, declared, lookup
from guardrail.policy.patterns import pattern_problem
from guardrail.policy.predicates import OPERATORS, Truth
from guardrail.policy.problems import PolicyProblem, unknown
from guardrail.types import ToolCall, ToolSpec

NAMES: Final = (*OPERATORS, "exists")
_SYMBOLS: Final = {"eq": "==", "ne": "!=", "gt": ">", "ge": ">=", "lt": "<", "le": "<=", "not_in": "not in"}


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One test of one argument."""

    path: str
    operator: str
    operand: Any

    def __str__(self) -> str:
        if self.operator == "exists":
            return f"{self.path} is {'given' if self.operand else 'not given'}"
        return f"{self.path} {_SYMBOLS.get(self.operator, self.operator)} {self.operand}"

    def holds(self, call: ToolCall, tool: ToolSpec | None) -> Truth:
        """Whether the call meets it; None where that cannot be told.

        An argument that is left out has the default its schema declares. One that the tool cannot
        have does not meet any condition. Otherwise what is left out is unclear.
        """
        value = lookup(call.arguments, self.path)
        if value is Gap.UNCLEAR:
            return None
        if self.operator == "exists":
            given = value is not Gap.ABSENT and value is not None
            return given is self.operand
        if value is Gap.ABSENT:
            if tool is None:
                return None
            known, value = declared(tool.parameters, self.path)
            if value is Gap.ABSENT:
                return False if known is Declared.NO else None
        return OPERATORS[self.operator](value, self.operand)


def parse_when(data: Mapping[str, Any], path: str) -> tuple[Condition, ...]:
    """The conditions that a mapping of arguments to operators means.

    Raises:
        PolicyProblem: an operator is unknown, or its operand is not of its type.
    """
    if not data:
        raise PolicyProblem(path, "is empty; write a condition, such as {amount: {gt: 500}}, or remove it")
    found = []
    for argument, tests in data.items():
        place = f"{path}.{argument}"
        if not isinstance(argument, str) or not all(argument.split(".")):
            raise PolicyProblem(place, "must be an argument's name or dotted path")
        if not isinstance(tests, Mapping) or not tests:
            raise PolicyProblem(place, f"must say how to compare, such as {{eq: {tests!r}}}")
        for operator, operand in tests.items():
            if operator not in NAMES:
                raise PolicyProblem(f"{place}.{operator}", unknown("operator", operator, NAMES))
            _check_operand(operator, operand, f"{place}.{operator}")
            found.append(
                Condition(
                    path=argument, operator=operator, operand=tuple(operand) if isinstance(operand, list) else operand
                )
            )
    return tuple(found)


def _check_operand(operator: str, operand: object, path: str) -> None:
    if operator == "matches" and isinstance(operand, str):
        problem = pattern_problem(operand)
        if problem:
            raise PolicyProblem(path, problem)
    wanted, fits = _OPERANDS.get(operator, ("a text, a number or a boolean", _scalar))
    if not fits(operand):
        raise PolicyProblem(path, f"must be {wanted}, not {reprlib.repr(operand)}")


def _scalar(value: object) -> bool:
    return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def _size(value: object) -> bool:
    return _scalar(value) and not isinstance(value, str | bool)


def _choices(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(_scalar(item) for item in value)


_OPERANDS: Final[Mapping[str, tuple[str, Callable[[object], bool]]]] = {
    **dict.fromkeys(("gt", "ge", "lt", "le"), ("a number", _size)),
    **dict.fromkeys(("in", "not_in"), ("a list of texts, numbers or booleans", _choices)),
    "exists": ("true or false", lambda value: isinstance(value, bool)),
    "matches": ("a regular expression", lambda value: isinstance(value, str)),
}
"""What an operator compares with; those not named here take any scalar."""
