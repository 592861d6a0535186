from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.cli.safe_text import hides, is_cut, plain, shown, shown_value, warnings

HIDDEN = [
    "\x00", "\x07", "\x1b", "\x7f", "\x9b", "\r", "\n", "\t", "\u00a0", "\u00ad", "\u034f", "\u061c", "\u115f",
    "\u180e", "\u200b", "\u200d", "\u200e", "\u2028", "\u202e", "\u2060", "\u2066", "\u2800", "\u3164", "\ufe0f",
    "\ufeff", "\uffa0", "\ufff9", "\ud83d", "\ue000", "\U000e0041", "\U000e0101",
]  # fmt: skip


@pytest.mark.parametrize("character", HIDDEN, ids=lambda c: f"U+{ord(c):04X}")
def test_what_a_reader_would_not_see_is_written_out(character: str) -> None:
    written = plain(f"a{character}b")
    assert character not in written
    assert written.startswith("a\\")
    assert shown(f"a{character}b").plain == written


@pytest.mark.parametrize(
    "text",
    ["plain", "Grüße", "日本語", "Привет", "مرحبا", "e\u0301", "😀", "naïve café “ok”", "[red]x[/red]", ":smile:"],
)
def test_what_a_reader_sees_stays(text: str) -> None:
    assert plain(text) == text
    assert shown(text).plain == text


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_nothing_hidden_is_left_and_nothing_is_interpreted(text: str) -> None:
    written = shown(text, limit=None).plain
    assert not any(hides(character) for character in written)
    assert not any(unicodedata.category(character) in ("Cc", "Cf", "Cs") for character in written)


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_a_value_shown_whole_can_be_read_back_from_its_escapes(value: object) -> None:
    written = shown_value(value, limit=None).plain
    if "\\U" not in written and "\\x" not in written:  # JSON's own escapes are \\uXXXX
        assert json.loads(written) == value


def test_an_escape_tells_a_hidden_character_from_text_that_looks_like_one() -> None:
    assert shown_value("\u202e").plain != shown_value("\\u202e").plain
    assert [span.style for span in shown("a\u202eb").spans] == ["reverse"]
    assert shown("a\\u202eb").spans == []


def test_long_text_is_cut_and_its_length_said() -> None:
    assert shown("x" * 2500).plain == "x" * 2000 + "… (2,500 characters)"
    assert shown("x" * 2500, limit=None).plain == "x" * 2500
    assert shown("x" * 10, limit=10).plain == "x" * 10
    assert is_cut("x" * 2000)
    assert not is_cut("x" * 1998)


def test_warnings_name_what_is_hidden_wherever_it_is() -> None:
    found = warnings({"a": ["x", {"k\u200b": "y\u202e"}]})
    assert found == ["holds characters that cannot be seen: U+200B ZERO WIDTH SPACE, U+202E RIGHT-TO-LEFT OVERRIDE"]
    assert warnings({"a": "two\nlines\tand a tab", "b": 5, "c": None}) == []
    assert warnings(["".join(chr(n) for n in range(1, 9))])[0].endswith(", …")
    assert warnings("\x1b") == ["holds characters that cannot be seen: U+001B without a name"]


def test_warnings_name_words_that_imitate_others() -> None:
    assert "p\u0430ypal (Latin and Cyrillic)" in warnings("send to p\u0430ypal now")[0]
    for innocent in ("send to paypal", "Привет world", "β-carotene", "日本語 text", "naïve"):
        assert warnings(innocent) == []
