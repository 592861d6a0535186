"""Log-probabilities in every form that servers give them in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.sampling import read_tokens
from guardrail.signals import Evidence, Registry
from guardrail.types import Token


def entry(token: str, logprob: float = -0.5, raw: list[int] | None = None, **more: Any) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "bytes": raw, **more}


@given(st.lists(st.binary(min_size=1, max_size=3), min_size=1), st.text())
def test_the_tokens_spell_the_text_wherever_characters_are_cut(cuts: list[bytes], text: str) -> None:
    raw = text.encode("utf-8", "ignore")
    pieces, start = [], 0
    for cut in cuts:
        pieces.append(raw[start : start + len(cut)])
        start += len(cut)
    pieces = [piece for piece in (*pieces, raw[start:]) if piece]
    tokens = read_tokens({"content": [entry("?", raw=list(piece)) for piece in pieces]})
    assert "".join(token.text for token in tokens or ()) == raw.decode()
    assert len(tokens or ()) == len(pieces)


def test_a_character_belongs_to_the_first_of_its_tokens() -> None:
    first, second = list("é".encode())
    tokens = read_tokens({"content": [entry("\\xc3", raw=[34, first]), entry("\\xa9", raw=[second]), entry("x")]})
    assert [token.text for token in tokens or ()] == ['"é', "", "x"]


def test_broken_bytes_end_no_drawing() -> None:
    tokens = read_tokens({"content": [entry("a", raw=[0xC3]), entry("b", raw=[0x41]), entry("c", raw=[0xC3])]})
    assert [token.text for token in tokens or ()] == ["\ufffd", "A", "\ufffd"]


def test_the_likeliest_tokens_are_kept() -> None:
    top = [entry("A", -0.1), entry(" B", -2.5, raw=[32, 66]), entry("C", float("-inf"))]
    tokens = read_tokens({"content": [entry("A", -0.1, top_logprobs=top)]})
    assert tokens == (Token(text="A", logprob=-0.1, top=(("A", -0.1), (" B", -2.5))),)


@pytest.mark.parametrize("broken", [{"token": "C", "logprob": None}, "no object", entry("C", float("nan"))], ids=str)
def test_alternatives_of_which_one_is_broken_are_none(broken: object) -> None:
    top = [entry("A", -0.1), broken]
    assert read_tokens({"content": [entry("A", -0.1, top_logprobs=top)]}) == (Token(text="A", logprob=-0.1),)


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        {},
        [],
        "x",
        {"content": None},
        {"content": []},
        {"content": "x"},
        {"content": [entry("a"), "x"]},
        {"content": [entry("a"), {"token": "b"}]},
        {"content": [entry("a", float("nan"))]},
        {"content": [{"logprob": -1.0}]},
        {"content": [entry("a", raw=[300])]},
        {"content": [{**entry("a"), "logprob": True}]},
        {"tokens": []},
        {"tokens": ["a"], "token_logprobs": []},
        {"tokens": ["a"], "token_logprobs": [None]},
        {"tokens": [1], "token_logprobs": [-1.0]},
    ],
    ids=str,
)
def test_what_is_not_given_for_every_token_is_missing(logprobs: object) -> None:
    assert read_tokens(logprobs) is None


def test_the_older_form_of_lists_side_by_side() -> None:
    given_ = {"tokens": ["a", "b"], "token_logprobs": [-0.1, -1], "top_logprobs": [{"a": -0.1, "c": -3.0}, None]}
    assert read_tokens(given_) == (
        Token(text="a", logprob=-0.1, top=(("a", -0.1), ("c", -3.0))),
        Token(text="b", logprob=-1.0),
    )
    assert read_tokens({"tokens": ["a"], "token_logprobs": [-0.5]}) == (Token(text="a", logprob=-0.5),)


def test_log_probabilities_of_a_call_reach_its_signals() -> None:
    from guardrail_openai import planning_step

    written = '<tool_call>{"name": "pay", "arguments": {"to": "Zo\u00eb"}}</tool_call>'.encode()
    pieces = [written[k : k + 1] for k in range(len(written))]
    response = {
        "id": "r",
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "message": {
                    "content": None,
                    "tool_calls": [{"id": "c", "function": {"name": "pay", "arguments": '{"to": "Zoë"}'}}],
                },
                "logprobs": {"content": [entry("?", -0.25, raw=list(piece)) for piece in pieces]},
            }
        ],
    }
    step = planning_step({"model": "m", "messages": []}, response, thread_id="t")
    (mean,) = Registry().measure(("logprob_mean",), Evidence(planned=step.planned, index=0))
    assert mean.value == pytest.approx(-0.25)
