"""Formulas as text: parsed, and evaluated where they are plain arithmetic, without ever running them."""

from __future__ import annotations

import ast
import math
import re
from fractions import Fraction

_LONGEST = 300
_MOST_DIGITS = 60
LARGEST_POWER = 64
_CONSTANTS = {"pi": math.pi, "e": math.e, "tau": math.tau}
_TIMES = re.compile(r"(?<![A-Za-z_.\d])(\d+(?:\.\d+)?)\s*(?=[A-Za-z(])(?![eE][-+]?\d)|(?<=\))\s*(?=[A-Za-z\d(])")
_FORMULA = re.compile(r"[\w\s.+\-*/^%(),]*")


class NotAFormulaError(ValueError):
    """The text is no formula."""


def evaluate(text: str) -> Fraction | float | None:
    """The number that an arithmetic expression of literals comes to; None where it is none."""
    tree = parsed(text)
    if tree is None:
        return None
    try:
        return _value(tree)
    except (NotAFormulaError, ArithmeticError, RecursionError, ValueError):
        return None


def parsed(text: str) -> ast.expr | None:
    """The syntax tree of a formula, ``^`` read as a power and ``2x`` as a product; None for no formula."""
    if len(text) > _LONGEST or not _FORMULA.fullmatch(text):
        return None
    plain = _TIMES.sub(lambda match: f"{match[1] or ''}*", text.strip().replace("^", "**"))
    try:
        return ast.parse(plain, mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


def literal(node: ast.expr) -> Fraction | None:
    """The number that a node is written as; None where it is no literal."""
    number = node.value if isinstance(node, ast.Constant) else None
    if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number):
        text = repr(number)
        return Fraction(text) if len(text) <= _MOST_DIGITS else None
    return None


def _value(node: ast.expr) -> Fraction | float:
    if (number := literal(node)) is not None:
        return number
    if isinstance(node, ast.Name | ast.Attribute):
        name = node.id if isinstance(node, ast.Name) else node.attr
        known = isinstance(node, ast.Name) or (isinstance(node.value, ast.Name) and node.value.id in ("math", "np"))
        if known and name in _CONSTANTS:
            return _CONSTANTS[name]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        value = _value(node.operand)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp):
        return _applied(node.op, _value(node.left), _value(node.right))
    raise NotAFormulaError


def _applied(operator: ast.operator, left: Fraction | float, right: Fraction | float) -> Fraction | float:
    if isinstance(operator, ast.Add):
        return left + right
    if isinstance(operator, ast.Sub):
        return left - right
    if isinstance(operator, ast.Mult):
        return left * right
    if isinstance(operator, ast.Div):
        return left / right
    if isinstance(operator, ast.Pow):
        return _power(left, right)
    raise NotAFormulaError


def _power(left: Fraction | float, right: Fraction | float) -> Fraction | float:
    if not isinstance(right, Fraction) or right.denominator != 1 or abs(right) > LARGEST_POWER:
        raise NotAFormulaError
    if isinstance(left, Fraction) and max(abs(left.numerator), left.denominator) > 10**9:
        raise NotAFormulaError
    power: Fraction | float = left ** int(right)
    return power
