"""When two values of one argument are the same, by its schema, its name and its description."""

from __future__ import annotations

import pytest

from guardrail.clustering import compare_calls
from guardrail.errors import ConfigError
from guardrail.types import ToolSpec
from tests.clustering.calls import asked, call, compared, same, tool

STRING = {"type": "string"}
NUMBER = {"type": "number"}
INTEGER = {"type": "integer"}
STRINGS = {"type": "array", "items": STRING}


@pytest.mark.parametrize(
    ("schema", "a", "b"),
    [
        (NUMBER, 5, 5.0),
        (NUMBER, "5", 5),
        (NUMBER, "1,000.50", 1000.5),
        (NUMBER, 1e3, 1000),
        (NUMBER, 0.0, -0.0),
        (INTEGER, "007", 7),
        (INTEGER, 10**30, str(10**30)),
        ({"type": "boolean"}, True, "True"),
        ({"type": "boolean"}, False, "false"),
        ({"type": "boolean"}, 1, True),
        ({"type": "string", "enum": ["Celsius", "Fahrenheit"]}, "celsius", "Celsius"),
        ({"type": "string", "enum": ["not_started", "done"]}, "Not started", "not_started"),
        ({"type": "string", "enum": ["True", "False"]}, True, "true"),
        ({"anyOf": [{"const": "low"}, {"const": "high"}]}, "LOW", "low"),
        ({"type": ["integer", "null"]}, 3, "3"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 3, "3"),
        (STRING, "Hello  World", " hello world."),
        (STRING, "caf\u00e9", "cafe\u0301"),
        (STRING, "\uff28\uff45\uff4c\uff4c\uff4f", "hello"),
        (STRING, "it\u2019s late", "it's late"),
        (STRING, "'radium'", "radium"),
        (STRING, "rental_agreement", "rental agreement"),
        (STRING, "Washington, D.C.", "Washington DC"),
        (STRING, "the Battle of Hastings", "Battle of Hastings"),
        (STRING, 12, "12"),
        (STRING, '{"a": 1, "b": [2]}', '{"b":[2],"a":1}'),
        (STRINGS, '["a", "b"]', ["a", "b"]),
        (STRINGS, "['a', 'b']", ["a", "b"]),
        (STRINGS, "solo", ["solo"]),
        ({"type": "array", "items": {"enum": ["red", "blue"]}}, "blue, red", ["red", "blue"]),
        ({"type": "array", "items": NUMBER}, [1, 2.0], ["1", 2]),
        ({"type": "object"}, '{"a": 1}', {"a": 1.0}),
        ({"type": "object", "properties": {"at": NUMBER}}, {"at": "1"}, {"at": 1}),
        ({"type": "float"}, 5, "5.0"),
    ],
)
def test_the_same_in_another_form(schema, a, b):
    assert same(schema, a, b)


@pytest.mark.parametrize(
    ("schema", "a", "b"),
    [
        (NUMBER, 5, 6),
        (INTEGER, 2**53, 2**53 + 1),
        (INTEGER, str(2**53), 2**53 + 1),
        (NUMBER, 0.1, 0.10000000000000002),
        (NUMBER, "5%", 5),
        (NUMBER, float("inf"), float("-inf")),
        (NUMBER, True, 1),
        ({"type": "boolean"}, True, False),
        ({"type": "boolean"}, "yes", "no"),
        ({"type": "string", "enum": ["a", "A"]}, "a", "A"),
        ({"type": "string", "enum": ["New", "new"]}, "New", "new"),
        ({"type": "string", "enum": ["red", "blue"]}, "red", "crimson"),
        ({"type": "array", "items": NUMBER}, [1, 2], [2, 1]),
        (STRINGS, ["a", "b"], ["b", "a"]),
        (STRINGS, ["a"], ["a", "a"]),
        (STRINGS, ["ab"], ["a", "b"]),
        ({"type": "object"}, {"a": 1}, {"a": 2}),
        ({"type": "object"}, {"a": 1}, {"a": 1, "b": None}),
        (STRING, "c", "C"),
        ({}, "x", ["x"]),
        (STRING, "", "text"),
    ],
)
def test_different_and_never_asked(schema, a, b):
    assert not same(schema, a, b)
    assert asked(schema, a, b) == []


class TestIdentity:
    @pytest.mark.parametrize(
        "name", ["order_id", "orderId", "email", "recipient", "file_path", "account", "account_number", "url", "sku"]
    )
    def test_case_and_punctuation_are_part_of_an_identity(self, name):
        assert same(STRING, "Abc-Def", " Abc-Def", name=name)
        for other in ("abc-def", "Abc Def", "Abc-Def."):
            assert not same(STRING, "Abc-Def", other, name=name)
            assert asked(STRING, "Abc-Def", other, name=name) == []

    @pytest.mark.parametrize(
        "value",
        [
            "ann@site.org",
            "https://site.org/A",
            "/etc/Hosts",
            "C:\\Data",
            "INV-0042",
            "3f2b8c1e9d7a4b60",
            "docs/Plan",
            "Plan.pdf",
            "User:42",
        ],
    )
    def test_a_value_that_is_an_identity_is_one_wherever_it_stands(self, value):
        other = value.swapcase()
        assert not same(STRING, value, other, name="note")
        assert asked(STRING, value, other, name="note") == []

    def test_identities_inside_a_text_keep_every_character(self):
        assert same(STRING, "Please delete /tmp/a", "please delete /tmp/a.", name="note")
        for other in ("please delete /tmp/A", "please delete /tmp/a_", "please delete /tmp/-a"):
            assert not same(STRING, "please delete /tmp/a", other, name="note")
            assert asked(STRING, "please delete /tmp/a", other, name="note") == []

    @pytest.mark.parametrize("name", ["to", "from"])
    def test_the_ends_of_a_payment_are_identities_those_of_a_journey_are_not(self, name):
        assert not same({**STRING, "description": "Account to use."}, "Savings", "savings", name=name)
        assert same({**STRING, "description": "City."}, "Rome", "rome", name=name)

    def test_a_site_is_the_same_in_any_case(self):
        assert same(STRING, "Example.com", "example.com", name="website")

    def test_compatibility_forms_do_not_merge_identities(self):
        assert same(STRING, "caf\u00e9", "cafe\u0301", name="file_name")
        assert not same(STRING, "file", "\ufb01le", name="file_name")

    @pytest.mark.parametrize("name", ["command", "sql", "regex", "code"])
    def test_what_a_machine_reads_is_compared_by_character(self, name):
        assert asked(STRING, "rm -r a", "rm -R a", name=name) == []
        assert not same(STRING, "rm -r a", "rm -R a", name=name)

    def test_letter_case_of_units(self):
        assert not same(STRING, "mW", "MW", name="unit")
        assert same(STRING, "Meters", "meters", name="unit")


class TestMoments:
    @pytest.mark.parametrize(
        ("a", "b"),
        [
            ("2021-01-01", "January 1, 2021"),
            ("2021-01-01", "1 Jan 2021"),
            ("2022-12-10", "10th of December 2022"),
            ("2021-03-25", "25/03/2021"),
            ("2021-01-01", "01/01/2021"),
            ("April 2022", "04-2022"),
            ("12pm", "12:00"),
            ("23:00", "11:00 PM"),
            ("2024-05-01T10:00:00Z", "2024-05-01T12:00:00+02:00"),
        ],
    )
    def test_one_moment_in_two_forms(self, a, b):
        assert same(STRING, a, b, name="start_date")

    @pytest.mark.parametrize(
        ("a", "b"),
        [
            ("2021-01-01", "2021-01-02"),
            ("03/04/2021", "04/03/2021"),
            ("12am", "12pm"),
            ("2021-02-30", "March 2, 2021"),
            ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00"),
            ("2024-05-01", "tomorrow"),
        ],
    )
    def test_another_or_an_unclear_moment_is_another(self, a, b):
        assert not same(STRING, a, b, name="start_date")
        assert asked(STRING, a, b, name="start_date") == []

    def test_the_declared_order_settles_the_month(self):
        us = {"type": "string", "description": "In the format MM-DD-YYYY."}
        eu = {"type": "string", "description": "In the format DD/MM/YYYY."}
        assert same(us, "03-04-2021", "2021-03-04", name="date")
        assert same(eu, "03/04/2021", "2021-04-03", name="date")

    def test_a_duration_is_no_time_of_day(self):
        assert not same(STRING, "12:00", "12:00:00", name="duration")


class TestSets:
    @pytest.mark.parametrize("name", ["tags", "ingredients", "attendees"])
    def test_order_cannot_matter_where_the_name_lists_things(self, name):
        assert same(STRINGS, ["x y", "zed"], ["Zed", "x y"], name=name)

    def test_nor_where_items_are_chosen_or_unique(self):
        assert same({"type": "array", "items": {"enum": ["a1", "b2"]}}, ["a1", "b2"], ["b2", "a1"])
        assert same({**STRINGS, "uniqueItems": True}, ["a", "b", "a"], ["b", "a"])

    @pytest.mark.parametrize("name", ["sort_by", "steps", "route_stops"])
    def test_it_matters_where_the_name_speaks_of_order(self, name):
        assert not same({"type": "array", "items": {"enum": ["a1", "b2"]}}, ["a1", "b2"], ["b2", "a1"], name=name)

    def test_repetition_counts(self):
        assert not same(STRINGS, ["egg", "egg"], ["egg"], name="items")

    def test_it_matters_beside_an_array_that_lines_up(self):
        counts = {"type": "array", "items": INTEGER}
        spec = tool(items=STRINGS, quantities=counts)
        a, b = (call("act", items=items, quantities=[1, 2]) for items in (["tea", "milk"], ["milk", "tea"]))
        assert not compare_calls(a, b, spec).equal()

    def test_the_one_item_that_differs_is_asked_about(self):
        assert asked(STRINGS, ["tea", "whole milk"], ["full-fat milk", "tea"], name="items") == [
            ("full-fat milk", "whole milk")
        ]
        assert asked(STRINGS, ["tea", "milk"], ["coffee", "cream"], name="items") == []


class TestEchoes:
    @pytest.mark.parametrize(
        ("name", "a", "b"),
        [
            ("room_type", "single", "single room"),
            ("museum", "Louvre", "the Louvre Museum"),
            ("product", "product A", "A"),
            ("company_name", "Apple Inc.", "Apple"),
        ],
    )
    def test_the_arguments_own_name_adds_nothing(self, name, a, b):
        assert same(STRING, a, b, name=name)

    @pytest.mark.parametrize(
        ("name", "a", "b"),
        [("book_title", "The Jungle Book", "The Jungle"), ("city", "Kansas City", "Kansas"), ("note", "note", "")],
    )
    def test_but_in_titles_and_places_it_does(self, name, a, b):
        assert not same(STRING, a, b, name=name)


class TestPolicy:
    def test_a_named_comparator_replaces_the_suggested_one(self):
        assert asked(STRING, "Ann Lee", "A. Lee", name="recipient", comparators={"recipient": "text"})
        assert not same(STRING, "Hi", "hi", name="memo", comparators={"memo": "exact"})
        assert same(STRINGS, ["b", "a"], ["a", "b"], comparators={"value": "set"})
        assert not same(STRINGS, ["b", "a"], ["a", "b"], name="tags", comparators={"tags": "exact"})
        assert same(STRING, "5", "5.0", comparators={"value": "number"})
        assert same(STRING, "x", "y", name="request_id", comparators={"request_id": "ignore"})
        assert same(STRING, ..., "y", name="request_id", comparators={"request_id": "ignore"})

    def test_it_holds_for_what_is_inside_and_yields_to_a_closer_one(self):
        nested = {"type": "object", "properties": {"who": STRING, "what": STRING}}
        rows = {"type": "array", "items": nested}
        a, b = {"who": "Ann", "what": "Hi"}, {"who": "ann", "what": "hi"}
        assert same(nested, a, b)
        assert not same(nested, a, b, comparators={"value": "exact"})
        assert not same(rows, [a], [b], comparators={"value": "exact"})
        assert same(rows, [a], [b], comparators={"value": "exact", "value.who": "ignore", "value.what": "text"})
        assert same({}, {"z": 1}, {"z": 2}, comparators={"value.z": "ignore"})

    def test_a_set_of_identities_stays_one_of_identities(self):
        emails = {"type": "array", "items": {"type": "string", "format": "email"}}
        assert same(emails, ["a@b.c", "d@e.f"], ["d@e.f", "a@b.c"], comparators={"value": "set"})
        assert asked(emails, ["ann"], ["anne"], comparators={"value": "set"}) == []

    def test_an_unknown_name_is_refused(self):
        with pytest.raises(ConfigError, match=r"'fuzzy'.*exact, number, set, sequence, text, words, ignore"):
            compared(STRING, "a", "b", comparators={"value": "fuzzy"})


class TestSchemas:
    @pytest.mark.parametrize(
        "parameters",
        [
            {},
            {"type": "object"},
            {"properties": None},
            {"properties": {"value": None}},
            {"properties": {"value": {"$ref": "#/$defs/Gone"}}},
            {"properties": {"value": {"$ref": "https://example.org/schema"}}},
            {"properties": ["value"]},
            {"properties": {"value": {"type": ["string", 7], "enum": "x", "description": 3, "items": 1}}},
            {"properties": {"value": {"type": "string", "enum": [{}, None]}}, "required": "value"},
        ],
    )
    def test_a_missing_or_broken_schema_is_compared_exactly_and_never_raises(self, parameters):
        spec = ToolSpec(name="act", parameters=parameters)
        for spec in (ToolSpec(name="act", parameters=parameters), None):
            assert compare_calls(call("act", value="b"), call("act", value="b"), spec).equal()
            assert not compare_calls(call("act", value="b"), call("act", value="c"), spec).equal()
        assert not compare_calls(call("act", value="Bee"), call("act", value="bee"), None).equal()

    def test_references_and_recursion(self):
        node = {
            "type": "object",
            "properties": {"size": NUMBER, "next": {"$ref": "#/$defs/node"}, "loop": {"$ref": "#/$defs/loop"}},
        }
        spec = ToolSpec(
            name="act",
            parameters={
                "$defs": {"node": node, "loop": {"$ref": "#/$defs/loop"}},
                "type": "object",
                "properties": {"value": {"$ref": "#/$defs/node"}},
            },
        )
        a = call("act", value={"next": {"next": {"size": 1}}})
        b = call("act", value={"next": {"next": {"size": "1.0"}}})
        assert compare_calls(a, b, spec).equal()

    def test_unknown_arguments_are_compared_exactly(self):
        assert not compare_calls(call("act", extra="Hi"), call("act", extra="hi"), tool(value=STRING)).equal()
        assert not compare_calls(call("act", extra=None), call("act"), tool(value=STRING)).equal()


def test_a_difference_names_its_place_and_what_compared_it():
    spec = tool(
        address={"type": "object", "properties": {"street": STRING, "zip_code": STRING}},
        amount=NUMBER,
        memo=STRING,
        when={"type": "string", "format": "date"},
    )
    a = call("act", address={"street": "High Street", "zip_code": "A"}, amount=1, memo="for lunch", when="2024-01-01")
    b = call("act", address={"street": "Mill Bridge", "zip_code": "B"}, amount=2, when="2024-01-02")
    found = {one.argument: (one.comparator, one.pair is not None) for one in compare_calls(a, b, spec).differences}
    assert found == {
        "address.street": ("text", True),
        "address.zip_code": ("exact", False),
        "amount": ("number", False),
        "memo": ("given", False),
        "when": ("date", False),
    }
    assert [one.comparator for one in compare_calls(call("a"), call("b"), None).differences] == ["tool"]
