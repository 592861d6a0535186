"""Places are compared by what the tables of countries, subdivisions and cities say."""

from __future__ import annotations

import pytest

from tests.clustering.calls import asked, compared, same

STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("NYC", "New York"),
        ("New York", "New York, NY"),
        ("NYC", "New York City, USA"),
        ("NY", "New York"),
        ("Paris", "Paris, France"),
        ("San Francisco", "San Francisco, CA"),
        ("SF", "San Francisco"),
        ("Saint Petersburg", "St. Petersburg, Russia"),
        ("Phoenix, AZ", "Phoenix"),
        ("Phoenix, AZ", "Phoenix, Arizona, USA"),
        ("Mumbai", "Bombay"),
        ("Munich, Germany", "München"),
        ("Zurich", "Zürich"),
        ("Cologne", "Köln"),
        ("São Paulo", "Sao Paulo, Brazil"),
        ("Toronto, ON", "Toronto, Ontario"),
        ("Toronto, ON", "Toronto, Canada"),
        ("Vancouver", "Vancouver, BC"),
        ("London, UK", "London, England"),
        ("Sydney, NSW", "Sydney, Australia"),
        ("Austin, TX", "Austin, Texas"),
        ("Dallas", "Dallas, TX"),
        ("Las Vegas, NV", "Las Vegas"),
        ("Georgia", "Georgia, USA"),
        ("Washington, DC", "Washington"),
        ("USA", "United States of America"),
        ("UK", "United Kingdom"),
        ("Czech Republic", "Czechia"),
        ("Russia", "Russian Federation"),
        ("Vietnam", "Viet Nam"),
        ("Brooklyn", "Brooklyn, NY"),
        ("Brooklyn", "Brooklyn, New York"),
        ("123 Main St, Boston, MA", "123 Main St, Boston, Massachusetts"),
        ("Central Park, NYC", "Central Park, New York"),
        ("Orlando, Florida", "Orlando"),
        ("Portland", "Portland, OR"),
        ("Bristol", "Bristol, UK"),
        ("Tokyo", "Tokyo, Japan"),
        ("Santiago", "Santiago, Chile"),
        ("San Jose, CA", "San Jose"),
        ("Long Beach", "Long Beach, CA"),
        ("Bangalore", "Bengaluru"),
        ("Bangalore, Karnataka", "Bangalore, India"),
        ("Frankfurt", "Frankfurt am Main"),
        ("Columbus", "Columbus, OH"),
    ],
)
def test_location_the_same(a, b):
    assert same(STRING, a, b, name="location")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Springfield, IL", "Springfield, MA"),
        ("Paris", "Paris, TX"),
        ("Springfield", "Springfield, IL"),
        ("St. Petersburg, FL", "St. Petersburg, Russia"),
        ("Vancouver, BC", "Vancouver, WA"),
        ("London, UK", "London, Ontario"),
        ("Perth", "Perth, Scotland"),
        ("Cambridge, MA", "Cambridge, UK"),
        ("Las Vegas, NM", "Las Vegas"),
        ("Washington, DC", "Washington State"),
        ("Kansas City", "Kansas"),
        ("Kansas City, KS", "Kansas City, MO"),
        ("Oklahoma", "Oklahoma City"),
        ("Mexico", "Mexico City"),
        ("Mexico", "New Mexico"),
        ("Korea", "South Korea"),
        ("North Korea", "South Korea"),
        ("Guinea", "Equatorial Guinea"),
        ("Niger", "Nigeria"),
        ("Congo", "DR Congo"),
        ("Burma", "Myanmar"),
        ("123 Main St, Boston, MA", "124 Main St, Boston, MA"),
        ("123 Main St, Salem, OR", "123 Main St, Salem, MA"),
        ("North Carolina", "South Carolina"),
        ("Portland", "Portland, ME"),
        ("Birmingham", "Birmingham, AL"),
        ("Tokyo", "Kyoto"),
        ("San Jose", "San José, Costa Rica"),
        ("Newport", "Newport Beach"),
        ("Miami", "Miami Beach"),
        ("West Hollywood", "Hollywood"),
        ("Frankfurt", "Frankfurt (Oder)"),
        ("Monterey", "Monterrey"),
        ("Rochester", "Rochester, MN"),
        ("Columbus", "Columbus, GA"),
        ("Springfield", "Springfield, MO"),
        ("Odessa, TX", "Odessa"),
        ("Arlington, VA", "Arlington, TX"),
    ],
)
def test_location_different(a, b):
    assert not same(STRING, a, b, name="location")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("CA", "California"),
        ("WA", "Washington"),
    ],
)
def test_state_the_same(a, b):
    assert same(STRING, a, b, name="state")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("CA", "Canada"),
    ],
)
def test_state_different(a, b):
    assert not same(STRING, a, b, name="state")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("CA", "Canada"),
        ("DE", "Germany"),
        ("GB", "UK"),
        ("US", "USA"),
        ("IN", "India"),
    ],
)
def test_country_the_same(a, b):
    assert same(STRING, a, b, name="country")


@pytest.mark.parametrize(("a", "b"), [("Paris", "Paris, TX"), ("Portland, OR", "Portland, ME"), ("Niger", "Nigeria")])
def test_no_judge_is_asked_about_two_known_places(a, b):
    assert asked(STRING, a, b, name="location") == []
    assert [one.comparator for one in compared(STRING, a, b, name="location").differences] == ["place"]


def test_what_no_table_knows_is_left_to_a_judge():
    assert asked(STRING, "the old harbour", "the harbour", name="location")


def test_a_place_is_held_equal_by_name():
    (held,) = compared(STRING, "NYC", "New York", name="city").held
    assert (held.argument, held.comparator, held.a, held.b) == ("city", "place", "NYC", "New York")
    assert "city" in held.because


def test_texts_that_hold_no_place_are_not_compared_as_places():
    assert not same(STRING, "NYC", "New York", name="memo")
    assert same(STRING, "NYC", "New York", name="memo", comparators={"memo": "place"})
