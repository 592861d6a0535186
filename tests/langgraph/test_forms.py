"""What a form makes of arguments is put right where nothing is guessed, and left alone everywhere else."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from guardrail.errors import InvalidDecision
from guardrail.review import check_arguments
from guardrail.types import DecisionType, Reason, Route, Tier, ToolCall, ToolSpec, Verdict
from guardrail.visible import plain
from guardrail_langgraph.answers import question, read_answer
from guardrail_langgraph.forms import read_back, rounded, same, shows
from tests.support.hostile import TEXTS
from tests.support.ui_contracts import AgentChatUI, AgentInbox, Card, DeepAgentsUI, browser, js_text

KINDS: dict[str, Any] = {
    "n": {"type": "integer"},
    "x": {"type": "number"},
    "b": {"type": "boolean"},
    "s": {"type": "string"},
    "either": {"type": ["string", "integer"]},
    "perhaps": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    "said": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    "many": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
    "one": {"$ref": "#/$defs/Part"},
    "three": {"enum": [1, 2, 3]},
    "any": {},
}
TOOL = ToolSpec(
    name="t",
    parameters={
        "type": "object",
        "$defs": {"Part": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}},
        "properties": KINDS,
    },
)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("n", "7", 7),
        ("n", " -7\n", -7),
        ("n", "123456789012345678901234567890", 123456789012345678901234567890),
        ("x", "0.1", 0.1),
        ("x", "1e3", 1000.0),
        ("x", "7", 7),
        ("b", "true", True),
        ("perhaps", "null", None),
        ("perhaps", "7", 7),
        ("many", '[{"n": 1}]', [{"n": 1}]),
        ("one", '{"n": 1}', {"n": 1}),
        ("three", "2", 2),
    ],
)
def test_text_that_can_only_be_a_value_is_that_value(name: str, text: str, value: Any) -> None:
    (found,) = read_back(TOOL, {}, {name: text}).values()
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s", "7"),
        ("s", "null"),
        ("s", '{"n": 1}'),
        ("either", "7"),
        ("said", "null"),
        ("any", "7"),
        ("unknown", "7"),
        ("n", "seven"),
        ("n", ""),
        ("n", "7.5"),
        ("n", "true"),
        ("n", "07"),
        ("n", "7_000"),
        ("n", "1,000"),
        ("n", "\u0667"),
        ("n", "9" * 5_000),
        ("b", "True"),
        ("b", "1"),
        ("b", "yes"),
        ("x", "NaN"),
        ("x", "Infinity"),
        ("x", "1e400"),
        ("x", "0.10000000000000000000000001"),
        ("one", '{"n": 1, "n": 2}'),
        ("one", '{"n": "1"}'),
        ("one", "{"),
        ("many", "[" * 100_000),
        ("three", "4"),
    ],
    ids=lambda text: ascii(text[:24]),
)
def test_text_that_may_be_text_or_something_else_or_loses_something_stays(name: str, text: str) -> None:
    assert read_back(TOOL, {}, {name: text}) == {name: text}


def test_a_text_that_only_shows_the_planned_value_is_that_value() -> None:
    planned = {"either": 7, "said": None, "any": [1, {"a": None}], "s": "8"}
    texts = {name: js_text(browser(value)) for name, value in planned.items()}
    assert read_back(TOOL, planned, texts) == planned
    assert read_back(TOOL, planned, {"either": "8", "s": "7"}) == {"either": "8", "s": "7"}


def test_a_tool_that_is_not_known_has_no_schema_to_read_by() -> None:
    assert read_back(None, {"n": 7}, {"n": "7"}) == {"n": "7"}


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(st.sampled_from(list(KINDS)), VALUES, max_size=4)


@given(VALUES)
@example(2**53 + 1)
@example({"a": [10**400]})
def test_what_a_browser_gives_back_unchanged_is_the_same(value: Any) -> None:
    try:
        back = browser(value)
    except OverflowError:
        return  # no browser has that number
    assert same(value, back)
    assert shows({"a": value}, {"a": js_text(back)}) or isinstance(value, str)
    assert bool(list(rounded({"a": value}, {"a": back}))) == _loses(value, back)


def _loses(value: Any, back: Any) -> bool:
    if isinstance(value, dict):
        return any(_loses(one, back[name]) for name, one in value.items())
    if isinstance(value, list):
        return any(map(_loses, value, back))
    return isinstance(value, int) and not isinstance(value, bool) and value != back


@given(VALUES, VALUES)
@example(1, True)
@example(0, False)
@example(None, False)
@example(1, "1")
@example(2**53, 2**53 + 1)
def test_no_other_value_is_the_same(one: Any, other: Any) -> None:
    if same(one, other) and json.dumps(one) != json.dumps(other):
        assert json.dumps(browser(one)) == json.dumps(browser(other))


@given(ARGUMENTS, ARGUMENTS)
def test_reading_back_changes_no_more_than_texts_and_does_it_once(planned: Any, edited: Any) -> None:
    found = read_back(TOOL, planned, edited)
    assert found.keys() == edited.keys()
    assert all(found[name] is edited[name] for name in edited if not isinstance(edited[name], str))
    assert read_back(TOOL, planned, found) == found


def verdict(arguments: dict[str, Any], *, decisions: tuple[DecisionType, ...] = tuple(DecisionType)) -> Verdict:
    call = ToolCall(name="t", arguments=arguments, id="c1")
    return Verdict(
        call=call, tier=Tier.CRITICAL, route=Route.REVIEW, reason=Reason.CRITICAL, why="why", decisions=decisions
    )


@given(
    st.recursive(
        VALUES,
        lambda inner: (
            st.fixed_dictionaries(
                {
                    "type": st.text()
                    | st.sampled_from(["approve", "edit", "reject", "respond", "accept", "ignore", "response"]),
                    "args": inner,
                    "message": inner,
                }
            )
            | st.fixed_dictionaries({"decisions": st.lists(inner, max_size=2)})
        ),
        max_leaves=5,
    )
)
def test_every_answer_is_a_decision_or_is_refused(answer: Any) -> None:
    try:
        found = read_answer(answer, verdict({"n": 1}), TOOL, by="ada")
    except InvalidDecision:
        return
    assert (found.arguments is not None) == (found.type is DecisionType.EDIT)


@pytest.mark.parametrize("text", list(TEXTS))
def test_a_description_is_one_line_without_markup_whatever_is_in_it(text: str) -> None:
    asked = replace(verdict({}), why=TEXTS[text])
    for value in (question(asked, record_id="r"), question(asked, record_id="r", problem=TEXTS[text])):
        (request,) = value["action_requests"]
        shown = request["description"]
        assert ascii(shown) == ascii(plain(shown))
        assert not re.search(r"[<>`\[\]|]|://", shown)
        assert len(shown) < 2_100


@given(ARGUMENTS)
def test_a_question_that_is_accepted_as_it_is_shown_is_approved(arguments: dict[str, Any]) -> None:
    asked = verdict(arguments)
    try:
        value = browser(question(asked, record_id="r"))
    except OverflowError:
        return
    thread: Any = {"interrupts": {"task": [{"value": value, "id": "i"}]}}
    (card,) = AgentInbox.cards(thread)
    for act in (AgentInbox.accept(card), AgentInbox.accept_after_reset(card), AgentChatUI.approve(card)):
        assert act.command is not None
        found = read_answer(browser(act.command["resume"]), asked, TOOL, by="ada")
        assert found.type is DecisionType.APPROVE


@given(ARGUMENTS)
def test_an_edit_that_changes_nothing_runs_the_planned_call_or_is_refused(arguments: dict[str, Any]) -> None:
    asked = verdict(arguments)
    try:
        shown = browser(arguments)
    except OverflowError:
        return
    card = Card(name="t", args=shown)
    texts = {name: js_text(value) for name, value in shown.items()}
    for act in (AgentInbox.edit(card), AgentChatUI.edit(card, **texts), DeepAgentsUI.edit(card, **texts)):
        assert act.command is not None
        try:
            found = read_answer(browser(act.command["resume"]), asked, TOOL, by="ada")
        except InvalidDecision:
            continue
        assert found.arguments is not None
        for name, value in found.arguments.items():
            assert value == arguments[name] or check_arguments(TOOL, {name: arguments[name]})
