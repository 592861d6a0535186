"""The request of a recorded step, put together again from its conversation."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.bulk import replayable
from guardrail.bulk.rebuilding import offered
from guardrail.engine.fingerprint import tools_digest
from guardrail.errors import ConfigError
from guardrail.types import Case, ToolSpec, Turn
from guardrail_openai import chat
from tests.support.bulk import PAY, case

OTHER = ToolSpec(name="look", description="Look somewhere.")

words = st.text(st.characters(codec="utf-8", exclude_characters="[]{}"), max_size=30)
arguments = st.dictionaries(
    st.text(max_size=8), st.one_of(st.integers(), st.text(max_size=10), st.booleans()), max_size=3
)


@st.composite
def messages(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A conversation as chat completions have it: every call is answered, in the order of the calls."""
    said: list[dict[str, Any]] = [{"role": "system", "content": draw(words)}] if draw(st.booleans()) else []
    for turn in range(draw(st.integers(0, 3))):
        said.append({"role": "user", "content": draw(words)})
        planned = draw(st.lists(st.tuples(st.text(min_size=1, max_size=8), arguments), max_size=3))
        said.append({"role": "assistant", "content": draw(words)})
        if planned:
            said[-1]["tool_calls"] = [
                {"id": f"{turn}.{k}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
                for k, (name, given) in enumerate(planned)
            ]
            said += [
                {"role": "tool", "tool_call_id": f"{turn}.{k}", "content": draw(words)} for k in range(len(planned))
            ]
    return [*said, {"role": "user", "content": draw(words)}]


def comparable(said: list[dict[str, Any]]) -> list[Any]:
    """Messages without the names that ids happen to have: which call a result answers is a position."""
    places: dict[str, int] = {}
    found = []
    for message in said:
        calls = message.get("tool_calls", ())
        places.update({call["id"]: len(places) + k for k, call in enumerate(calls)})
        found.append(
            (
                message["role"],
                message.get("content") or "",
                [(one["function"]["name"], json.loads(one["function"]["arguments"])) for one in calls],
                places.get(message.get("tool_call_id", "")),
            )
        )
    return found


@given(messages())
def test_a_conversation_becomes_the_messages_that_it_was_made_of(said: list[dict[str, Any]]) -> None:
    recorded = case(1, conversation=chat.conversation({"messages": said}))
    request = replayable(recorded).request
    assert request is not None
    assert comparable(request["messages"]) == comparable(said)
    assert chat.conversation(request) == recorded.conversation
    assert chat.tools(request) == recorded.tools


@pytest.mark.parametrize("key", ["tool", "call", "name"])
def test_calls_are_read_as_each_adapter_writes_them(key: str) -> None:
    call = json.dumps({key: "pay", "arguments": {"amount": 1}})
    turns = (
        Turn(role="user", text="pay"),
        Turn(role="assistant", text=f"so be it\n{call}"),
        Turn(role="tool", text="ok"),
    )
    request = replayable(case(1, conversation=turns)).request
    assert request is not None
    planned, result = request["messages"][1:]
    assert planned["content"] == "so be it"
    assert planned["tool_calls"][0]["function"] == {"name": "pay", "arguments": '{"amount":1}'}
    assert result["tool_call_id"] == planned["tool_calls"][0]["id"]


CALL = '{"arguments":{},"tool":"pay"}'


@pytest.mark.parametrize(
    ("turns", "said"),
    [
        ((), "neither request nor conversation"),
        ((("user", "what is this?\n[image_url]"),), r"turn 1 .* \[image_url\], which is no text"),
        ((("system", "[earlier turns are kept by the provider]"), ("user", "and now?")), "turn 1"),
        ((("user", "hi"), ("tool", "done")), "turn 2 .* answers no call"),
        ((("user", "hi"), ("assistant", CALL)), "ends before every call was answered"),
        ((("user", "hi"), ("assistant", f"{CALL}\n{CALL}"), ("tool", "ok"), ("user", "?")), "turn 4 .* before every"),
        ((("user", "hi"), ("wizard", "hm")), "turn 2 .* of the role 'wizard'"),
    ],
)
def test_what_text_does_not_hold_is_refused(turns: tuple[tuple[str, str], ...], said: str) -> None:
    conversation = tuple(Turn(role=role, text=text) for role, text in turns)
    with pytest.raises(ConfigError, match=said):
        replayable(case(1, conversation=conversation))


def test_a_request_that_was_kept_is_taken_as_it_is() -> None:
    request = {"messages": [{"role": "user", "content": [{"type": "image_url"}]}], "tool_choice": "required"}
    recorded = case(1, request=request, conversation=(Turn(role="user", text="[image_url]"),))
    assert replayable(recorded) is recorded
    with pytest.raises(ConfigError, match="neither messages nor input"):
        replayable(case(1, request={"model": "m"}))


def of_a_record() -> Case:
    """A record keeps the tools that were called, and a digest of all that were offered."""
    return case(1, tools=(PAY,), fingerprint={"tools": tools_digest((PAY, OTHER))})


def test_a_record_needs_the_tools_that_it_does_not_keep() -> None:
    with pytest.raises(ConfigError, match="give all that the model was offered with --tools"):
        replayable(of_a_record())
    request = replayable(offered(of_a_record(), (PAY, OTHER))).request
    assert request is not None
    assert [tool["function"]["name"] for tool in request["tools"]] == ["pay", "look"]
    with pytest.raises(ConfigError, match="not those that the model was offered then"):
        offered(of_a_record(), (PAY, replace(OTHER, description="Look elsewhere.")))


def test_tools_are_not_put_into_a_request_that_was_kept() -> None:
    recorded = case(1, request={"messages": [{"role": "user", "content": "hi"}]})
    assert offered(recorded, (OTHER,)) is recorded
    with pytest.raises(ConfigError, match="it has no tools"):
        replayable(case(1, tools=()))
