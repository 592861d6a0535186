"""Values on a page: nothing lost, nothing hidden, nothing that runs, and what is big is folded until it is opened."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.codec import digest
from guardrail.visible import hides, warnings
from guardrail.web.show import Opening, Shown, Value, show_value, unopened
from guardrail.web.show.jsontext import pretty, read_json, typeable
from guardrail.web.show.texts import Line, legend, lines
from tests.support import hostile
from tests.web.rendered import attribute, check_harmless, html, seen, words

HERE = "/reviews/r1"
TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)


def opened(*keys: str, secret: str = "s", bound: str = "d") -> Opening:
    return Opening(here=HERE, keys=frozenset(keys), secret=secret, bound=bound)


def read_back(shown: Iterable[Line]) -> str:
    """The text that a reader of the pieces knows: escapes are marked, so that they can be told from text."""
    said = ""
    for piece in (piece for line in shown for piece in line):
        if not piece.hidden:
            said += piece.text
        elif piece.text.startswith("\N{OPEN BOX}"):
            said += " " * len(piece.text)
        else:
            said += piece.text.encode("ascii").decode("unicode_escape")
    return said


def part(shown: Shown, *path: str | int) -> Value:
    found = shown.root
    for name in path:
        found = next(one for one in found.parts if one.path[-1] == name)
    return found


@given(TEXTS | st.sampled_from(list(hostile.TEXTS.values())[:-4]))
def test_a_text_is_shown_whole_and_nothing_in_it_is_hidden(text: str) -> None:
    assert read_back(lines(text)) == text
    assert not any(hides(character) for line in lines(text) for piece in line for character in piece.text)


@settings(deadline=None)
@given(JSON)
def test_json_for_people_is_the_same_json(value: object) -> None:
    assert json.dumps(read_json(pretty(value))) == json.dumps(value)
    assert json.dumps(read_json(typeable(value))) == json.dumps(value)
    assert not any(hides(character) for character in typeable(value) if character != "\n")


@pytest.mark.parametrize("name", hostile.VALUES)
@pytest.mark.parametrize("keys", [(), ("all",)], ids=["folded", "open"])
def test_hostile_values_do_nothing_and_take_little_room(name: str, keys: tuple[str, ...]) -> None:
    one = hostile.VALUES[name]
    for value in [{"a": one}] if name.startswith(("a million", "many")) else [one, {"a": one}, [one] * 3]:
        shown = show_value(value, opened(*keys))
        markup = html(shown)
        check_harmless(markup, links=(f"{HERE}?",))
        assert len(markup) < (200_000 if not keys else 25_000_000)
        assert not any(hides(character) for character in markup if character != "\n")


def test_types_can_be_told_apart() -> None:
    shown = show_value(
        {"a": 5, "b": "5", "c": 1.0, "d": 1, "e": True, "f": "true", "g": None, "h": "", "i": [], "j": {}}
    )
    said = {str(one.path[-1]): (one.kind, one.written or one.lines or one.note) for one in shown.root.parts}
    assert said["a"] == ("whole number", "5")
    assert said["b"][0] == "text"
    assert said["c"] == ("number", "1.0")
    assert said["d"] == ("whole number", "1")
    assert said["e"] == ("boolean", "true")
    assert said["f"][0] == "text"
    assert said["g"] == ("null", "null")
    assert part(shown, "h").note == part(shown, "i").note == part(shown, "j").note == "empty"
    text = words(html(shown))
    assert 'b text "5"' in text
    assert "a whole number 5" in text


def test_big_numbers_are_whole() -> None:
    shown = show_value({"n": 2**64 + 1, "f": 1e22})
    assert part(shown, "n").written == "18446744073709551617"
    assert part(shown, "n").note == "18,446,744,073,709,551,617"
    assert part(shown, "f").written == "1e+22"


def test_lines_and_the_spaces_at_their_edges() -> None:
    shown = show_value("a \n  b\r\n")
    assert [[(p.text, p.hidden) for p in line] for line in shown.root.lines] == [
        [("a", False), ("\u2423", True), ("\\n", True)],
        [("\u2423\u2423", True), ("b", False), ("\\r", True), ("\\n", True)],
        [],
    ]
    assert shown.root.note == "3 lines"
    assert show_value(" ").root.note == "only spaces"
    assert show_value("x ").root.note == "spaces at its edges"


def test_hidden_characters_are_marked_and_named() -> None:
    shown = show_value({"to": "pay\u200b\u200bpal\u202e", "k\u200b": 1})
    assert part(shown, "to").legend == ("U+200B ZERO WIDTH SPACE (2 times)", "U+202E RIGHT-TO-LEFT OVERRIDE")
    assert "<mark>\\u200b\\u200b</mark>" in html(shown)
    assert "k<mark>\\u200b</mark>" in html(shown)
    assert shown.warnings == tuple(warnings({"to": "pay\u200b\u200bpal\u202e", "k\u200b": 1}))
    assert len(legend("".join(map(chr, range(0xE0020, 0xE0060))))) == 21


def test_marks_that_pile_up_are_written_out() -> None:
    shown = show_value("x" + "\u0301" * 30)
    assert read_back(shown.root.lines) == "x" + "\u0301" * 30
    assert "".join(p.text for p in shown.root.lines[0] if not p.hidden) == "x" + "\u0301" * 4
    assert show_value("\u0338 100").root.lines[0][0].hidden


def test_letters_of_another_alphabet_are_marked_within_a_latin_word() -> None:
    markup = html(show_value("send to p\u0430yp\u0430l or \u043e\u043d\u0430"))
    assert (
        'send to p<mark class="alike">\u0430</mark>yp<mark class="alike">\u0430</mark>l or \u043e\u043d\u0430' in markup
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("\u0430\u0440\u0440\u04cf\u0435.com", "reads like apple"),
        ("https://\u03bf\u03c1\u03bf/", "reads like opo"),
        (["apple", "\u0430\u0440\u0440\u04cf\u0435"], "reads like apple"),
        ("\uff50\uff41\uff59.example", "reads like pay"),
    ],
)
def test_words_in_other_letters_that_look_latin(value: object, said: str) -> None:
    assert said in warnings(value)[0]


@pytest.mark.parametrize("value", ["\u0441\u043e\u0440 \u0432 \u0440\u043e\u0442", "\u03c4\u03bf \u03bd\u03bf\u03c5", "1\u00ba", "\u65e5\u672c\u8a9e.jp", "na\u00efve.com"])  # fmt: skip
def test_other_languages_are_left_alone(value: str) -> None:
    assert warnings(value) == []


def test_each_text_is_isolated() -> None:
    markup = html(show_value({"\u05d0": "\u05d0\u05d1 250", "b": ["x", "y\nz"]}))
    isolated = [given for tag, given in seen(markup).tags if tag == "bdi"]
    assert len(isolated) == 9 - 1
    assert all(given["dir"] == "auto" for given in isolated)
    assert "read from right to left" in markup


def test_a_long_text_is_folded_with_its_length_and_digest() -> None:
    text = "innocent " * 300 + "not so"
    shown = show_value({"a": {"b": text}}, opened())
    (fold,) = shown.folds
    assert (fold.path_text, fold.size) == ("a.b", len(text))
    assert (fold.lines, fold.token, fold.opened) == ((), "", False)
    assert fold.digest == hashlib.sha256(text.encode()).hexdigest()
    markup = html(shown)
    assert f"A text of {len(text):,} characters" in words(markup)
    assert fold.digest in markup
    assert "not so" not in markup
    assert attribute(markup, "href") == [f"{HERE}?open={fold.key}#fold-{fold.key}"]
    assert "opened" not in attribute(markup, "name")


def test_a_folded_value_is_opened_by_its_link_which_keeps_what_is_open() -> None:
    value = {"a": "x" * 3_000, "b": list(range(60)), "c": hostile.nested(20)}
    closed = show_value(value, opened())
    assert [fold.path_text for fold in closed.folds][:2] == ["a", "b"]
    a, b, c = (fold.key for fold in closed.folds)
    shown = show_value(value, Opening(here=HERE, keys=frozenset({a, b}), query=(("take", "1"),)))
    assert [fold.opened for fold in shown.folds] == [True, True, False]
    assert (
        shown.folds[2].link == f"{HERE}?take=1&" + "&".join(f"open={k}" for k in sorted([a, b])) + f"&open={c}#fold-{c}"
    )
    everything = show_value(value, opened("all"))
    assert all(fold.opened for fold in everything.folds)
    assert read_back(everything.folds[0].lines) == "x" * 3_000
    assert json.loads(read_back(everything.folds[1].lines)) == list(range(50, 60))


def test_the_digest_of_a_folded_list_is_that_of_its_canonical_json() -> None:
    value = hostile.nested(20)
    (fold,) = show_value(value).folds
    inner = value
    for name in fold.path:
        inner = inner[name]
    assert fold.digest == digest(inner)
    assert fold.digest_of == "its canonical JSON"


@pytest.mark.parametrize("name", hostile.VALUES)
def test_everything_is_shown_once_it_is_open(name: str) -> None:
    """What is shown and what the folds hold are the whole value."""
    value = hostile.VALUES[name]

    def whole(shown: Value) -> object:
        if shown.fold is not None and not shown.parts:
            text = read_back(shown.fold.lines)
            return text if shown.kind == "text" else json.loads(text)
        if shown.kind == "text":
            return read_back(shown.lines)
        rest = json.loads(read_back(shown.fold.lines)) if shown.fold else None
        if shown.kind == "object":
            return {str(one.path[-1]): whole(one) for one in shown.parts} | (rest or {})
        if shown.kind == "list":
            return [whole(one) for one in shown.parts] + (rest or [])
        return json.loads(shown.written)

    assert whole(show_value(value, opened("all")).root) == value


def test_a_value_too_big_for_a_page_cannot_be_opened_there() -> None:
    shown = show_value({"a": "x" * 2_000_001}, opened("all"))
    (fold,) = shown.folds
    assert fold.too_long
    assert not fold.opened
    assert "cannot be approved here" in words(html(shown))
    assert unopened({"a": "x" * 2_000_001}, [fold.token], secret="s", bound="d") == (
        fold.__class__(**{**vars(fold), "link": ""}),
    )


def test_no_value_is_too_deep_or_too_odd_to_be_shown() -> None:
    deep = hostile.nested(5_000)
    assert html(show_value(deep, opened("all")))
    assert unopened(deep, [], secret="s", bound="d")
    for odd in (float("nan"), float("inf"), 10**5_000, {1: 2}, (1, 2), object(), b"x"):
        assert html(show_value({"a": odd}))


def tokens(value: object, keys: Iterable[str] = ("all",), secret: str = "s", bound: str = "d") -> list[str]:
    markup = html(show_value(value, opened(*keys, secret=secret, bound=bound)))
    return [given["value"] or "" for tag, given in seen(markup).tags if tag == "input" and given["form"] == "decide"]


def test_what_was_not_opened_is_named() -> None:
    value = {"a": "x" * 3_000, "b": "y" * 3_000, "c": "short"}
    assert [fold.path_text for fold in unopened(value, [], secret="s", bound="d")] == ["a", "b"]
    first = show_value(value).folds[0].key
    assert [fold.path_text for fold in unopened(value, tokens(value, [first]), secret="s", bound="d")] == ["b"]
    assert unopened(value, tokens(value), secret="s", bound="d") == ()
    assert unopened({"c": "short"}, [], secret="s", bound="d") == ()


def test_a_token_is_for_one_value_of_one_review_in_one_session() -> None:
    value = {"a": "x" * 3_000}
    assert unopened(value, tokens(value, bound="another"), secret="s", bound="d")
    assert unopened(value, tokens(value, secret="another"), secret="s", bound="d")
    assert unopened({"a": "x" * 2_999 + "y"}, tokens(value), secret="s", bound="d")
    assert unopened(value, tokens(value, secret=""), secret="", bound="d")
    assert unopened(value, ["", "\ud800", "é", "x" * 32], secret="s", bound="d")


def test_an_edit_keeps_nothing_that_was_not_opened() -> None:
    base = {"a": "x" * 3_000, "items": [{"t": "y" * 3_000}, {"t": "z" * 3_000}], "n": 1}

    def left(edited: object, given: list[str]) -> list[str]:
        return [one.path_text for one in unopened(edited, given, secret="s", bound="d", base=base)]

    assert left({**base, "n": 2}, []) == ["a", "items.0.t", "items.1.t"]
    assert left({**base, "a": "short"}, []) == ["items.0.t", "items.1.t"]
    assert left({"a": "w" * 5_000, "items": [{"t": "z" * 3_000}]}, []) == ["items.1.t"]  # moved, and still unseen
    assert left({"z" * 3_000: 1}, []) == ["items.1.t"]
    assert left({**base, "n": 2}, tokens(base)) == []
    assert left({}, []) == []


@pytest.mark.parametrize("folded", [hostile.nested(20), list(range(60)), 10**3_000], ids=["deep", "many", "digits"])
def test_an_edit_keeps_no_folded_list_or_number_that_was_not_opened(folded: object) -> None:
    base = {"a": folded, "n": 1}
    assert unopened({"a": folded, "n": 2}, [], secret="s", bound="d", base=base)
    assert unopened({"b": folded}, [], secret="s", bound="d", base=base)
    assert unopened({"a": folded, "n": 2}, tokens(base), secret="s", bound="d", base=base) == ()
