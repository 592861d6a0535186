"""Formulas in one form, so that those which differ in notation only are equal."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from fractions import Fraction
from functools import lru_cache
from typing import Any

from guardrail.clustering.comparators.arithmetic import LARGEST_POWER, NotAFormulaError, literal, parsed

_HEAD = re.compile(
    r"\s*(?:lambda\s+(?P<lambda>[A-Za-z]\w*)\s*:|\(?(?P<arrow>[A-Za-z]\w*)\)?\s*(?:->|=>)"
    r"|(?:[A-Za-z]\w*\s*\(\s*(?P<of>[A-Za-z]\w*)\s*\)|[yf])\s*=(?!=))"
)
_LIBRARIES = frozenset(("math", "np", "numpy"))

Term = tuple[Any, ...]

_MINUS: Term = ("number", "-1")


@lru_cache(maxsize=1024)
def normal_form(text: str) -> Term | None:
    """Equal for formulas that differ in notation: ``2x^2``, ``2*x**2``, ``lambda x: x*x*2``; None for no formula."""
    head = _HEAD.match(text)
    tree = parsed(text[head.end() :] if head else text)
    if tree is None:
        return None
    try:
        return _term(tree)
    except (NotAFormulaError, ArithmeticError, RecursionError):
        return None


def _term(node: ast.expr) -> Term:
    """Sums and products as sorted operands; constants folded where they meet."""
    if (number := literal(node)) is not None:
        return ("number", str(number))
    if isinstance(node, ast.BinOp):
        return _combined(node.op, _term(node.left), _term(node.right))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        inner = _term(node.operand)
        return _product([_MINUS, inner]) if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.Call) and not node.keywords:
        return ("call", _term(node.func), tuple(_term(one) for one in node.args))
    return ("name", _name(node))


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in _LIBRARIES:
        return node.attr
    raise NotAFormulaError


def _combined(operator: ast.operator, left: Term, right: Term) -> Term:
    if isinstance(operator, ast.Add):
        return _sum([left, right])
    if isinstance(operator, ast.Sub):
        return _sum([left, _product([_MINUS, right])])
    if isinstance(operator, ast.Mult):
        return _product([left, right])
    if isinstance(operator, ast.Div):
        return _product([left, _raised(right, Fraction(-1))])
    if isinstance(operator, ast.Pow):
        return _raised(left, Fraction(str(right[1]))) if right[0] == "number" else ("power", left, right)
    return (type(operator).__name__, left, right)


def _raised(base: Term, power: Fraction) -> Term:
    if base[0] == "number":
        exact = Fraction(str(base[1]))
        if (
            power.denominator == 1
            and abs(power) <= LARGEST_POWER
            and max(abs(exact.numerator), exact.denominator) < 10**6
        ):
            return ("number", str(exact ** int(power)))
    return _product([("raised", base, str(power))])


def _product(factors: list[Term]) -> Term:
    constant = Fraction(1)
    powers: dict[Term, Fraction] = defaultdict(Fraction)
    for factor in factors:
        for one in factor[1] if factor[0] == "product" else (factor,):
            if one[0] == "number":
                constant *= Fraction(one[1])
            elif one[0] == "raised":
                powers[one[1]] += Fraction(one[2])
            else:
                powers[one] += 1
    if constant == 0:
        return ("number", "0")
    kept = sorted(((base, power) for base, power in powers.items() if power), key=repr)
    parts: list[Term] = [base if power == 1 else ("raised", base, str(Fraction(power))) for base, power in kept]
    if constant != 1 or not parts:
        parts = [("number", str(constant)), *parts]
    return parts[0] if len(parts) == 1 else ("product", tuple(parts))


def _sum(terms: list[Term]) -> Term:
    constant = Fraction(0)
    counts: dict[Term, Fraction] = defaultdict(Fraction)
    for term in terms:
        for one in term[1] if term[0] == "sum" else (term,):
            if one[0] == "number":
                constant += Fraction(one[1])
            else:
                factor, rest = _apart(one)
                counts[rest] += factor
    parts = [_product([("number", str(Fraction(count))), rest]) for rest, count in counts.items() if count]
    parts.sort(key=repr)
    if constant or not parts:
        parts.append(("number", str(constant)))
    return parts[0] if len(parts) == 1 else ("sum", tuple(parts))


def _apart(term: Term) -> tuple[Fraction, Term]:
    if term[0] == "product":
        first, *rest = term[1]
        if first[0] == "number":
            return Fraction(first[1]), rest[0] if len(rest) == 1 else ("product", tuple(rest))
    return Fraction(1), term
