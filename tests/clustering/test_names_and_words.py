"""Names, languages, keys, dates, and words that say the same by rule."""

from __future__ import annotations

from datetime import date

import pytest

from guardrail.clustering import compare_calls
from tests.clustering.calls import call, compared, same, tool

STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("English", "en"),
        ("Spanish", "es"),
        ("fr", "French"),
        ("pt-BR", "Brazilian Portuguese"),
        ("zh", "Chinese"),
        ("eng", "English"),
        ("en-US", "en_US"),
    ],
)
def test_language_the_same(a, b):
    assert same(STRING, a, b, name="language")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("pt-BR", "pt-PT"),
        ("zh", "Japanese"),
        ("Slovak", "Slovenian"),
        ("en-US", "English"),
    ],
)
def test_language_different(a, b):
    assert not same(STRING, a, b, name="language")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("America/New_York", "US/Eastern"),
        ("Asia/Calcutta", "Asia/Kolkata"),
    ],
)
def test_timezone_the_same(a, b):
    assert same(STRING, a, b, name="timezone")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("America/New_York", "America/Chicago"),
    ],
)
def test_timezone_different(a, b):
    assert not same(STRING, a, b, name="timezone")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Doe, John", "John Doe"),
        ("Martin Luther King, Jr.", "Martin Luther King Jr"),
    ],
)
def test_author_the_same(a, b):
    assert same(STRING, a, b, name="author")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("J. Doe", "John Doe"),
        ("John Doe", "Jon Doe"),
    ],
)
def test_author_different(a, b):
    assert not same(STRING, a, b, name="author")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Apple", "Apple Inc."),
        ("Microsoft Corporation", "Microsoft"),
        ("Tesla, Inc.", "Tesla"),
        ("WHO", "World Health Organization"),
    ],
)
def test_company_the_same(a, b):
    assert same(STRING, a, b, name="company")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Apple Inc", "Apple Corp"),
        ("Delta Air Lines", "Delta"),
        ("Toyota", "Toyota Motor Corporation"),
    ],
)
def test_company_different(a, b):
    assert not same(STRING, a, b, name="company")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Arsenal FC", "Arsenal"),
        ("Wolverhampton Wanderers", "WWFC"),
        ("Wolverhampton Wanderers", "Wolv W"),
        ("Green Bay Packers", "GBP"),
        ("Chicago Bulls", "Bulls"),
        ("Boston Celtics", "Celtics"),
    ],
)
def test_team_the_same(a, b):
    assert same({**STRING, "description": "The name of the team."}, a, b, name="team")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Manchester United", "United"),
        ("Manchester United", "Man City"),
        ("Star Club", "Start Club"),
        ("Newcastle United", "NU"),
        ("New York Yankees", "New York Mets"),
    ],
)
def test_team_different(a, b):
    assert not same({**STRING, "description": "The name of the team."}, a, b, name="team")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("C#", "C sharp"),
        ("Bb", "B flat"),
        ("A minor", "Am"),
        ("D major", "D"),
        ("E flat major", "Eb"),
    ],
)
def test_key_the_same(a, b):
    assert same({**STRING, "description": "Musical key of the melody"}, a, b, name="key")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("A", "A minor"),
    ],
)
def test_key_different(a, b):
    assert not same({**STRING, "description": "Musical key of the melody"}, a, b, name="key")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("colour", "color"),
        ("organise", "organize"),
        ("apples", "apple"),
        ("tomatoes", "tomato"),
        ("berries", "berry"),
        ("the red car", "red car"),
        ("grey", "gray"),
        ("dresses", "dress"),
        ("men", "man"),
        ("theatre", "theater"),
        ("e-mail", "email"),
        ("travelling", "traveling"),
    ],
)
def test_product_the_same(a, b):
    assert same({**STRING, "description": "What to buy."}, a, b, name="product")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("chicken", "chicken curry"),
        ("Java", "JavaScript"),
        ("C++", "C"),
        ("50% cotton", "50 cotton"),
        ("<5 rooms", "5 rooms"),
        ("glasses", "glass"),
        ("news", "new"),
        ("wi-fi", "wifi"),
        ("paid", "unpaid"),
    ],
)
def test_product_different(a, b):
    assert not same({**STRING, "description": "What to buy."}, a, b, name="product")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Louvre", "Louvre Museum"),
    ],
)
def test_museum_the_same(a, b):
    assert same({**STRING, "description": "Name of the museum"}, a, b, name="museum")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Rex", "T-Rex"),
    ],
)
def test_museum_different(a, b):
    assert not same({**STRING, "description": "Name of the museum"}, a, b, name="museum")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("2022", "2022 season"),
    ],
)
def test_season_the_same(a, b):
    assert same({**STRING, "description": "The season"}, a, b, name="season")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("2022", "2023 season"),
    ],
)
def test_season_different(a, b):
    assert not same({**STRING, "description": "The season"}, a, b, name="season")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("March 5", "5th of March"),
        ("2024-03-05", "05/03/2024"),
    ],
)
def test_date_the_same(a, b):
    assert same(STRING, a, b, name="date")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("March 5", "March 6"),
        ("03/05/2024", "05/03/2024"),
    ],
)
def test_date_different(a, b):
    assert not same(STRING, a, b, name="date")


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("savings account", "joint account"),
        ("account", "savings account"),
        ("joint account", "account"),
    ],
)
def test_kind_different(a, b):
    assert not same({**STRING, "description": "Which account it is, a savings or a joint account"}, a, b, name="kind")


def test_titles_and_instructions_keep_every_word():
    assert not same(STRING, "Alien", "Aliens", name="title")
    assert not same(STRING, "delete the file", "delete the files", name="instruction")


def test_a_word_that_the_schema_gives_as_an_example_says_more():
    schema = {**STRING, "description": "The drink, e.g. coffee or milk tea."}
    assert not same(schema, "milk", "milk tea", name="drink")
    assert same(schema, "milk", "milk drink", name="drink")


def test_words_that_leave_an_argument_open():
    color = {**STRING, "description": "The color."}
    assert same(color, "any", "all colors", name="color")
    assert not same(color, "any", "all colors", name="color", tool_name="update_shirt")
    assert not same(color, "any", "all colors", name="color", tool_name="delete_shirts")
    assert not same(color, "any", "red", name="color")


def test_one_of_two_choices_that_the_schema_offers_says_more():
    team = {**STRING, "description": "Name of the senior or junior team."}
    assert not same(team, "Lions", "Lions junior", name="squad")
    assert same(team, "Lions", "Lions squad", name="squad")


def test_an_empty_text_is_an_omission_where_the_description_says_so():
    schema = {**STRING, "description": "State of the orders. Defaults to all if left empty."}
    assert same(schema, "", ..., name="state")
    assert same(schema, "", "all", name="state")
    assert not same({**STRING, "default": "draft"}, "", ..., name="state")


def test_relative_dates_need_a_day():
    now = date(2024, 5, 31)
    assert not same(STRING, "tomorrow", "2024-06-01", name="date")
    assert same(STRING, "tomorrow", "2024-06-01", name="date", now=now)
    assert same(STRING, "in 2 weeks", "2024-06-14", name="date", now=now)
    assert not same(STRING, "tomorrow", "2024-06-02", name="date", now=now)


def test_a_list_that_is_a_set_is_compared_item_by_item():
    items = {"type": "array", "items": STRING}
    assert same(items, ["tomatoes", "Red apples"], ["red apple", "tomato"], name="ingredients")
    assert not same(items, ["tomatoes", "apples"], ["tomato", "pear"], name="ingredients")
    assert not same(items, ["a b", "c d"], ["c d", "a b"], name="steps", comparators={"steps": "sequence"})
    assert same(items, ["a b", "c d"], ["c d", "a b"], name="steps", comparators={"steps": "set"})


def test_names_of_things_with_a_legal_form_each():
    assert compared(STRING, "Acme Inc", "Acme Incorporated", name="company").equal()
    assert not same(STRING, "Acme Ltd", "Acme Inc", name="company")


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [
        ("event", "Springsteen", "Springsteen concert"),
        ("genre", "horror", "horror movies"),
        ("cuisine", "Thai", "Thai food"),
    ],
)
def test_words_for_what_the_values_of_an_argument_are_say_nothing_more(name, a, b):
    assert same(STRING, a, b, name=name)
    assert not same(STRING, a, b, name="topic")


def test_the_whole_of_a_thing_leaves_it_open():
    region = {**STRING, "description": "The region of the leaf."}
    assert same(region, "all", "entire leaf", name="region")
    assert same(region, "any", "all parts of the leaf", name="region")
    assert not same(region, "all", "entire", name="region")


def test_what_the_rest_of_a_call_says_need_not_be_said_again():
    spec = tool(product=STRING, organic={"type": "boolean"}, category=STRING)
    plain = {"product": "bananas", "organic": True}
    said = {"product": "organic bananas", "organic": True}
    assert compare_calls(call("act", **plain), call("act", **said), spec).equal()
    assert compare_calls(call("act", **said), call("act", **plain), spec).equal()
    for other in (False, None):
        a, b = ({**one, "organic": other} for one in (plain, said))
        assert not compare_calls(call("act", **a), call("act", **b), spec).equal()
    a, b = (call("act", product=one, category="reading") for one in ("digital", "digital reading"))
    assert compare_calls(a, b, spec).equal()
    a, b = (
        call("act", product=one, category=where) for one, where in (("digital", "reading"), ("digital reading", "art"))
    )
    assert not compare_calls(a, b, spec).equal()


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        ("YYYY-MM-DD", "%Y-%m-%d", True),
        ("yyyy/MM/dd", "YYYY/MM/DD", True),
        ("HH:mm", "%H:%M", True),
        ("YYYY", "%y", False),
        ("MM-DD-YYYY", "%d-%m-%Y", False),
        ("24h", "24 hours", True),
        ("24h", "12h", False),
    ],
)
def test_formats_of_dates(a, b, equal):
    assert same({**STRING, "description": "How the date is shown."}, a, b, name="format") is equal


def test_a_label_that_the_description_shows_says_nothing():
    query = {**STRING, "description": "What to play, as track:Name artist:Name or just a name."}
    assert same(query, "track:Yesterday", "yesterday", name="query")
    assert not same(query, "track:Yesterday", "artist:Yesterday", name="query")
    assert not same(query, "album:Yesterday", "Yesterday", name="query")
