"""Numbers: exactly, or within a tolerance ("number:0.01"); arithmetic counts as the number it comes to."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from guardrail.clustering.comparators.about import About
from guardrail.clustering.comparators.arithmetic import evaluate
from guardrail.clustering.dates import read_moment
from guardrail.clustering.numbers import read_number

_DIGITS = 5  # a literal with fewer says too little to be the rounded result of a sum
_LARGEST_EXPONENT = 400


def settle(a: str, b: str, about: About) -> bool | None:
    """Whether two numbers are at most the tolerance apart; None where one is no number.

    A literal with at least five digits equals the arithmetic whose result rounds to it.
    """
    one, other = _value(a), _value(b)
    if one is None or other is None:
        return None
    if about.option:
        return abs(Fraction(one) - Fraction(other)) <= Fraction(about.option)
    if one == other:
        return True
    left, right = read_number(a), read_number(b)
    if (left is None) == (right is None):
        return False
    literal, result = (left, other) if left is not None else (right, one)
    assert literal is not None
    return _rounds_to(result, literal)


def _value(text: str) -> Fraction | float | None:
    number = read_number(text)
    if number is None:
        return None if read_moment(text) else evaluate(text)  # a date is no subtraction
    return Fraction(number) if abs(number.adjusted()) <= _LARGEST_EXPONENT else None


def _rounds_to(result: Fraction | float, literal: Decimal) -> bool:
    exponent = literal.as_tuple().exponent
    if not isinstance(exponent, int) or exponent >= 0 or len(literal.as_tuple().digits) < _DIGITS:
        return False
    return abs(Fraction(result) - Fraction(literal)) <= Fraction(10) ** exponent / 2
