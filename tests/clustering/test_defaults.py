"""What an argument counts as where it is left out: its declared or its stated default."""

from __future__ import annotations

import pytest

from tests.clustering.calls import same

STRING = {"type": "string"}


class TestOmitted:
    @pytest.mark.parametrize("empty", [None, "", [], {}])
    def test_an_optional_argument_left_empty_is_left_out(self, empty):
        assert same(STRING, ..., empty)

    def test_a_required_argument_is_never_filled_in(self):
        assert not same({"type": "string", "default": "x"}, ..., "x", required=True)
        assert not same(STRING, None, "", required=True)
        assert not same(STRING, ..., "", required=True)

    def test_the_declared_default_counts_as_given(self):
        assert same({"type": "integer", "default": 10}, ..., "10")
        assert same({"type": "integer", "default": 10}, None, 10)
        assert not same({"type": "integer", "default": 10}, ..., 11)

    def test_an_empty_value_is_not_a_default_that_says_something(self):
        assert not same({"type": "string", "default": "img_"}, ..., "")

    def test_a_null_that_the_schema_allows_is_a_value(self):
        assert not same({"type": ["string", "null"]}, ..., None)
        assert same({"type": ["string", "null"], "default": None}, ..., None)

    @pytest.mark.parametrize("empty", [None, ""])
    def test_in_a_tool_that_changes_things_an_empty_value_clears(self, empty):
        assert not same(STRING, ..., empty, tool_name="update_profile")

    def test_defaults_inside_an_object(self):
        inner = {"type": "object", "properties": {"page": {"type": "integer", "default": 1}}}
        assert same(inner, {"page": 1, "q": "x"}, {"q": "x"})


class TestStatedDefaults:
    @pytest.mark.parametrize(
        ("kind", "description", "value"),
        [
            ("string", "Units. Default is metric.", "metric"),
            ("string", "Units (default: metric)", "metric"),
            ("string", "Units, defaults to 'metric' if not specified.", "metric"),
            ("string", "Kind of gas, with air as default.", "air"),
            ("string", "Which ones; default 'all'.", "all"),
            ("integer", "How many rows. Defaults to 10.", 10),
            ("integer", "How many rows. Default value is 1,000.", 1000),
            ("integer", "Rows, 20 by default", 20),
            ("number", "Gravity. Default is 9.81 m/s^2, as on earth.", 9.81),
            ("number", "The factor. Default factor is 1e9", 1e9),
            ("number", "Start. Default is zero.", 0),
            ("boolean", "Whether to wait (default: true).", True),
            ("boolean", "Whether to wait. False by default", False),
            ("array", "Tags. Default is empty list.", []),
            ("array", "Tags. Default is 'news'.", ["news"]),
            ("array", "Tags. Defaults to all if not given.", ["all"]),
            ("string", "Region. If not given, all regions are searched by default.", "all"),
            ("string", "Which ones. Default value will return upcoming trips.", "upcoming"),
            ("string", "Time format. The default format 'HH:MM' is used.", "HH:MM"),
            ("string", "Where. Default is United States of America.", "United States of America"),
            ("integer", "The modulus. Default is 7. It divides the base.", 7),
            ("integer", "Since when. Default is year 2001.", 2001),
            ("number", "The price, default is $1000.", 1000),
            ("number", "Its value is default approximated to be 0.5 m.", 0.5),
            ("integer", "Cards. The default is 1 if no value is provided.", 1),
            ("array", "Tags. Default is ['a'].", ["a"]),
        ],
    )
    def test_a_plain_statement_counts_as_given(self, kind, description, value):
        schema = {"type": kind, "description": description}
        assert same(schema, ..., value)
        assert same(schema, ..., value, stated_defaults=False) == (value == [])

    @pytest.mark.parametrize(
        ("kind", "description", "value"),
        [
            ("integer", "Defaults to 10 for guests, otherwise 20.", 10),
            ("integer", "Default is 10 unless a filter is set.", 10),
            ("string", "Default is 'a'. In batch mode the default is 'b'.", "a"),
            ("string", "There is no default.", "no"),
            ("string", "The default database to connect to.", "connect to"),
            ("array", "Tags. Default is popular ones.", ["popular ones"]),
            ("integer", "A number such as 10.", 10),
            ("string", "The default is not metric.", "metric"),
        ],
    )
    def test_a_statement_with_a_condition_or_a_rival_does_not(self, kind, description, value):
        assert not same({"type": kind, "description": description}, ..., value)

    def test_none_says_no_more_than_its_omission_where_that_is_the_default(self):
        schema = {"type": "string", "description": "Department. Defaults to none if not provided."}
        assert same(schema, ..., "None")
        assert not same(STRING, ..., "None")
        assert not same(schema, ..., "None", tool_name="update_staff")

    def test_the_declared_default_wins(self):
        schema = {"type": "integer", "default": 5, "description": "Default is 10."}
        assert same(schema, ..., 5)
        assert not same(schema, ..., 10)

    def test_a_declared_null_leaves_room_for_the_stated_one(self):
        assert same({"type": "integer", "default": None, "description": "Defaults to 10."}, ..., 10)
