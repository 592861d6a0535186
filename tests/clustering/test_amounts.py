"""Units, amounts, and money."""

from __future__ import annotations

import pytest

from tests.clustering.calls import asked, compared, same

STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("km", "kilometers"),
        ("km", "kilometres"),
        ("mi", "miles"),
        ("kg", "kilograms"),
        ("lbs", "pounds"),
        ("lb", "pound"),
        ("oz", "ounces"),
        ("celsius", "C"),
        ("°C", "celsius"),
        ("ft", "feet"),
        ("in", "inches"),
        ("mph", "miles per hour"),
        ("km/h", "kph"),
        ("m/s", "meters per second"),
        ("l", "liter"),
        ("ml", "mL"),
        ("hours", "hrs"),
        ("min", "minutes"),
        ("KM", "km"),
        ("cup", "cups"),
        ("tbsp", "tablespoons"),
        ("sq ft", "square feet"),
        ("gallon", "gal"),
        ("kWh", "kilowatt hours"),
        ("J", "joules"),
        ("Pa", "pascal"),
        ("K", "kelvin"),
    ],
)
def test_unit_the_same(a, b):
    assert same(STRING, a, b, name="unit")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("km", "miles"),
        ("Celsius", "Fahrenheit"),
        ("C", "F"),
        ("mW", "MW"),
        ("kcal", "calories"),
        ("m", "M"),
        ("m", "miles"),
        ("g", "kg"),
    ],
)
def test_unit_different(a, b):
    assert not same(STRING, a, b, name="unit")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1 km", "1000 m"),
        ("5 km", "5 kilometers"),
        ("2 hours", "120 minutes"),
        ("1.5 kg", "1500 g"),
        ("20 C", "20 degrees Celsius"),
        ("6 ft", "72 in"),
    ],
)
def test_distance_the_same(a, b):
    assert same(STRING, a, b, name="distance")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1 km", "1 m"),
        ("2 hours", "2 minutes"),
        ("20 C", "20 F"),
    ],
)
def test_distance_different(a, b):
    assert not same(STRING, a, b, name="distance")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("USD", "US dollars"),
        ("USD", "dollars"),
        ("$", "USD"),
        ("pounds", "GBP"),
        ("yen", "JPY"),
        ("EUR", "euros"),
        ("Swiss francs", "CHF"),
        ("rupees", "INR"),
        ("Mexican peso", "MXN"),
        ("yuan", "CNY"),
        ("krona", "SEK"),
        ("British Pound", "GBP"),
        ("pound sterling", "GBP"),
    ],
)
def test_currency_the_same(a, b):
    assert same(STRING, a, b, name="currency")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("USD", "CAD"),
        ("dollars", "Canadian dollars"),
        ("pesos", "MXN"),
    ],
)
def test_currency_different(a, b):
    assert not same(STRING, a, b, name="currency")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("$45", "45 USD"),
        ("$1,000", "1000 dollars"),
        ("€20", "20 euros"),
        ("$45", "$45.00"),
    ],
)
def test_price_the_same(a, b):
    assert same(STRING, a, b, name="price")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("$45", "£45"),
        ("45", "45 USD"),
    ],
)
def test_price_different(a, b):
    assert not same(STRING, a, b, name="price")


@pytest.mark.parametrize(("a", "b"), [("2 * 3", 6), ("2 * pi", 6.2832), ("1 / 3", 0.33333), ("10 ^ 2", "100")])
def test_arithmetic_counts_as_its_result_where_a_number_is_asked_for(a, b):
    assert same({"type": "number"}, a, b)
    assert not same(STRING, a, str(b), name="memo")


@pytest.mark.parametrize(
    ("a", "b"),
    [("2 * 3", 5), ("1 / 3", 0.333), ("9 ** 9 ** 9", 1), ("2022-12-10", "2022-10-12"), ("1 / 0", 1), ("f(2)", 2)],
)
def test_arithmetic_that_comes_to_something_else(a, b):
    assert not same({"type": "number"}, a, b)
    assert asked({"type": "number"}, a, b) == []


def test_a_policy_gives_numbers_a_tolerance():
    within = {"comparators": {"value": "number:0.01"}}
    assert same({"type": "number"}, 1, 1.01, **within)
    assert not same({"type": "number"}, 1, 1.011, **within)
    assert same(STRING, "1.00", "1.01", **within)
    assert [one.comparator for one in compared({"type": "number"}, 1, 2, **within).differences] == ["number"]


def test_amounts_are_told_by_their_value_where_the_name_says_nothing():
    assert same(STRING, "24h", "24 hours", name="setting")
    assert not same(STRING, "24h", "12 hours", name="setting")


def test_a_date_in_a_field_of_text_is_no_arithmetic():
    assert not same(STRING, "2022-12-10", "2000", name="note")
