"""Marks: equal values have equal numbers, nobody can forge one, masking twice changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrail.errors import InvalidDecision
from guardrail.redaction import (
    Masker,
    find_secrets,
    hidden_places,
    hide_edit,
    holds_mark,
    mask_record,
    masked_text,
    restored,
)
from guardrail.store import open_store
from guardrail.types import Hiding, Sample, Token, ToolCall
from tests.redaction.planted import Planted, guard, planted, shaped
from tests.support.records import record

ALL = Hiding(paths=("card.*.number", "/a~1b", "body"))


def masked(arguments: dict[str, Any], hiding: Hiding = ALL) -> tuple[dict[str, Any], tuple[str, ...]]:
    masker = Masker(secrets=hiding.secrets)
    masker.look(arguments, hiding)
    return masker.arguments(arguments, hiding)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"password": "x"}, {"password": "[hidden 1: password]"}),
        ({"password": True, "pin": None, "secret": ""}, {"password": True, "pin": None, "secret": ""}),
        ({"pin": 1234, "page_token": "abc"}, {"pin": "[hidden 1: pin]", "page_token": "abc"}),
        ({"n": 4111111111111111}, {"n": "[hidden 1: card number]"}),
        ({"n": 4111111111111112, "at": 1764072000000000000}, {"n": 4111111111111112, "at": 1764072000000000000}),
        ({"n": 4111111111111111.0}, {"n": "[hidden 1: card number]"}),
        (
            {"card": [{"Number": "1"}, {"number": 2}]},
            {"card": [{"Number": "[hidden 1: number]"}, {"number": "[hidden 2: number]"}]},
        ),
        ({"card": {"x": {"number": "1"}}}, {"card": {"x": {"number": "[hidden 1: number]"}}}),
        ({"a/b": [1, {"c": 2}]}, {"a/b": "[hidden 1: a-b]"}),
        ({"body": "", "x": "y"}, {"body": "", "x": "y"}),
        ({"auth": {"credentials": {"user": "u"}}}, {"auth": {"credentials": "[hidden 1: credentials]"}}),
        (
            {"a": {"password": "hunter22"}, "t": "is hunter22?"},
            {"a": {"password": "[hidden 1: password]"}, "t": "is [hidden 1: password]?"},
        ),
        ({"pin": 123456, "t": "123456, 1234567"}, {"pin": "[hidden 1: pin]", "t": "[hidden 1: pin], 1234567"}),
    ],
)
def test_what_is_hidden(arguments: dict[str, Any], expected: dict[str, Any]) -> None:
    assert masked(arguments)[0] == expected


def test_places_are_json_pointers_into_what_is_shown() -> None:
    _, hidden = masked({"a/b": 1, "x~": [{"password": "p"}], "t": "see sk-ant-abcdefghijklmnop0123"})
    assert hidden == ("/a~1b", "/x~0/0/password", "/t")


@pytest.mark.parametrize(
    "forged",
    [
        "[hidden 1: password]",
        "x [hidden 1: password] y",
        "[HIDDEN 1: password]",
        "[ hidden  whatever",
        "\uff3bhidden 1: password\uff3d",
        "[\u200bhidden 1: password]",
    ],
)
def test_nobody_can_forge_a_mark(forged: str) -> None:
    shown_, hidden = masked({"to": forged, "password": "p", "list": [forged]})
    assert set(hidden) == {"/to", "/password", "/list/0"}
    assert "text that looks like this mark" in shown_["to"]
    marks = shown_["to"], shown_["list"][0]
    assert shown_["password"] not in marks[0]
    assert marks[0] == marks[1]


def test_a_forged_name_is_hidden_with_its_value() -> None:
    shown_, hidden = masked({"[hidden 1: password]": "x", "o": {"[hidden 9: y]": 1}})
    assert all("looks like" in key or "form of this mark" in key or key == "o" for key in shown_)
    assert len(hidden) == 2
    assert restored(shown_, shown_, {"[hidden 1: password]": "x", "o": {"[hidden 9: y]": 1}}, hidden) == {
        "[hidden 1: password]": "x",
        "o": {"[hidden 9: y]": 1},
    }


@settings(max_examples=30, deadline=None, suppress_health_check=[*HealthCheck])
@given(planted())
def test_a_record_is_masked_once(one: Planted) -> None:
    store = open_store("memory://")
    guard(store, one).assess(one.step)
    (kept,) = store.records()
    assert kept.hidden
    assert mask_record(kept, lambda _: ALL, tools={"send"}) == kept


@settings(max_examples=30, deadline=None, suppress_health_check=[*HealthCheck])
@given(planted())
def test_equal_calls_stay_equal_and_different_ones_different(one: Planted) -> None:
    """Agreement can still be seen, and what a reviewer is shown is what is on record."""
    store = open_store("memory://")
    guard(store, one).assess(one.step)
    (kept,) = store.records()
    (review,) = store.reviews()
    (call,) = kept.planned.calls
    assert review.call == call == kept.verdict.verdicts[0].call
    planned = one.step.planned.calls[0].arguments
    for before, after in zip(one.samples, kept.samples, strict=False):
        assert (before.calls[0].arguments == planned) == (after.calls[0].arguments == call.arguments)


def test_a_record_without_secrets_stays_as_it_is() -> None:
    assert mask_record(record(), lambda _: Hiding(), tools={"pay"}) == record()


@given(st.text(max_size=60) | shaped().map(lambda one: one.value))
def test_words_are_masked_once(text: str) -> None:
    assert masked_text(masked_text(text)) == masked_text(text)


@settings(deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=20,
    ).map(lambda value: {"x": value})
)
def test_an_edit_that_changes_nothing_runs_what_was_planned(arguments: dict[str, Any]) -> None:
    shown_, hidden = masked(arguments)
    edit = hide_edit(shown_, shown_, hidden, ALL, salt="r")
    assert edit.arguments == shown_
    assert set(edit.kept) == set(hidden)
    assert edit.typed == ""
    assert restored(shown_, shown_, arguments, edit.kept) == arguments


@settings(max_examples=40, deadline=None, suppress_health_check=[*HealthCheck])
@given(planted(), st.data())
def test_a_mark_may_stand_nowhere_else(one: Planted, data: st.DataObject) -> None:
    arguments = one.step.planned.calls[0].arguments
    hiding = Hiding(paths=("body", "to.*.iban", "/meta/ref~1no"))
    shown_, hidden = masked(arguments, hiding)
    marks = [value for value in shown_.values() if isinstance(value, str) and holds_mark(value)] or ["[hidden 1: x]"]
    mark = data.draw(st.sampled_from(marks))
    for edited in (
        {**shown_, "new": mark},
        {**shown_, "subject": f"{mark}!"},
        {**shown_, "new": {"a": [mark]}},
        {**shown_, mark: 1},
    ):
        with pytest.raises(InvalidDecision):
            hide_edit(edited, shown_, hidden, hiding, salt="r")


def test_a_pattern_is_no_trap() -> None:
    """Long hostile texts take no time that grows faster than they do."""
    for text in (
        "a-" * 200_000,
        "password" * 50_000,
        "4" * 300_000,
        "-----BEGIN PRIVATE KEY-----" * 3_000,
        "://a:" * 60_000,
        "eyJ" + "a" * 300_000,
        "[hidden " * 40_000,
    ):
        find_secrets(text)
        Masker().text(text)


def test_a_name_of_the_model_is_text_too() -> None:
    one = record()
    call = ToolCall(name="ghp_abcdefghij0123456789ABCDEFGHIJ012345", arguments={}, id="x")
    kept = mask_record(replace(one, planned=replace(one.planned, calls=(call,))), lambda _: Hiding(), tools={"pay"})
    assert kept.planned.calls[0].name == "[hidden 1: GitHub token]"


@pytest.mark.parametrize(
    "text",
    [
        "see https://x.y/z?a=b",
        "the key is under the mat",
        "4111 1111 1111 1112",
        "token_count: 12",
        "basic understanding of things",
        "id 550e8400-e29b-41d4-a716-446655440000",
        "f" * 64,
        "keyboard=qwerty",
    ],
)
def test_plain_texts_are_left_alone(text: str) -> None:
    assert find_secrets(text) == []


def test_hidden_places_hold_no_places_within_them() -> None:
    places = hidden_places({"body": {"password": "x", "a": [1]}}, ALL)
    assert list(places) == ["/body"]


def test_a_likely_other_token_is_not_the_hidden_value_either() -> None:
    """What the model would have written instead may be what is hidden elsewhere."""
    call = ToolCall(name="pay", arguments={"password": "hunter2-Zq9"}, id="x")
    text = '{"password": "hunter2-Zq9"}'
    tokens = (
        Token(text="so ", logprob=-0.1, top=(("hunter2-Zq9", -0.3), ("so ", -0.1))),
        Token(text=text[:17], logprob=-0.2, top=((text[:17], -0.2),)),
        Token(text=text[17:], logprob=-0.3),
    )
    one = record()
    kept = mask_record(replace(one, planned=Sample(calls=(call,), tokens=tokens)), lambda _: Hiding(), tools={"pay"})
    assert kept.planned.tokens is not None
    assert [token.text for token in kept.planned.tokens] == ["so ", '{"password": "[hidden 1: password]', '"}']
    assert [token.top for token in kept.planned.tokens] == [(("so ", -0.1),), (), ()]
    assert [token.logprob for token in kept.planned.tokens] == [-0.1, -0.2, -0.3]


def test_tokens_that_spell_a_hidden_value_otherwise_are_not_kept() -> None:
    call = ToolCall(name="pay", arguments={"password": "hunter2-Zq9"}, id="x")
    tokens = (Token(text="\u0120hun", logprob=-0.1), Token(text="\u0120ter2-Zq9", logprob=-0.1))
    one = record()
    kept = mask_record(replace(one, planned=Sample(calls=(call,), tokens=tokens)), lambda _: Hiding(), tools={"pay"})
    assert kept.planned.tokens is None


CUT = "Zq9" + "a1B2c3D4" * 4


@pytest.mark.parametrize("value", [f"hunter2-{CUT}", f"ghp_{CUT}", f"sk-ant-api03-{CUT}"])
@given(length=st.integers(470, 500))
def test_a_text_that_was_cut_within_a_secret_does_not_tell_its_beginning(value: str, length: int) -> None:
    masker = Masker()
    masker.look({"password": value}, ALL)
    for end in ("", "\u2026", "...", "'"):
        cut = f"{'x ' * 230}{value}"[:length] + end
        assert f"{value[:6]}Z" not in masker.text(cut)
        assert value[:12] not in masker.text(cut)


@pytest.mark.parametrize("start", ["ghp_", "sk-ant-api03-", "github_pat_"])
def test_nor_where_the_whole_was_never_seen(start: str) -> None:
    for length in range(len(start) + 8, 60):
        assert "Zq9a1B" not in masked_text(f"no answer from {(start + CUT)[:length]}\u2026")


def test_a_hidden_value_is_no_name_of_an_argument_either() -> None:
    masker = Masker()
    mine, theirs = {"password": "hunter2-Zq9"}, {"hunter2-Zq9": "x", "a": {"hunter2-Zq9": 1}}
    masker.look(mine, ALL)
    masker.look(theirs, ALL)
    shown_, hidden = masker.arguments(theirs, ALL)
    assert "hunter2" not in str(shown_)
    assert len(hidden) == 2
    edit = hide_edit(shown_, shown_, hidden, ALL, salt="r")
    assert restored(shown_, shown_, theirs, edit.kept) == theirs


def test_a_name_of_a_million_characters_is_no_trap() -> None:
    from guardrail.redaction.names import kind_of

    assert kind_of("a\u0301\u0302" * 300_000) is None
    assert kind_of("a_" * 500_000 + "password") == "password"


def test_a_name_that_a_hidden_value_begins_with_stays() -> None:
    hiding = Hiding(paths=("account",))
    assert masked({"account": "account-Zq9-secret"}, hiding) == ({"account": "[hidden 1: account]"}, ("/account",))


@pytest.mark.parametrize("text", ['pwd="a', "pwd='a", "pwd=abc", "a://:b@"])
def test_the_shortest_secrets_are_found(text: str) -> None:
    assert find_secrets(text)
    assert not find_secrets(text[:-1].rstrip("\"'") if text[-1] != "@" else text[:-1])
