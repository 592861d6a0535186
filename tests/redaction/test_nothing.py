"""What is told at once, that nothing of a record is hidden, is what the full walk would find."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from guardrail.policy import Redaction
from guardrail.redaction import Masker, mask_record
from guardrail.types import Cluster, MeaningKind, Record, Sample, Token, ToolCall, ToolSpec, Turn
from tests.redaction.planted import shaped
from tests.support.records import record

PATHS = ("send.body", "send.to.*.iban", "*.ref")
RULES = (Redaction(), Redaction(paths=PATHS), Redaction(secrets=False, paths=PATHS), Redaction(secrets=False))
TOOLS = {"send", "refund"}
WRITTEN: dict[str, Any] = {
    "as it is": lambda text: text,
    "json": json.dumps,
    "json within json": lambda text: json.dumps(json.dumps(text)),
    "json, unicode": lambda text: json.dumps(text, ensure_ascii=False),
    "escaped": lambda text: "".join(f"\\u{ord(each):04x}" for each in text if ord(each) < 0x10000),
    "quoted for a url": lambda text: quote(text, safe=""),
    "python": repr,
    "upper case": str.upper,
    "behind a line's end": lambda text: f"x\n{text}",
    "before a line's end": lambda text: f"{text}\nx",
    "cut off": lambda text: text[: max(len(text) // 2, 1)],
}
PLAIN = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            *(
                "",
                "the right key for a single task",
                "a token of thanks",
                "msg.to",
                "high risk-free, basic",
                "sg.",
                "://",
            ),
            *("hidden", "[hid", "den]", "password", "api_key:", "body = x", '"ref": "A7"', "iban: x", "4111 1111"),
            *("\u212aey=\u212a1", "pa\u017f\u017fword=abcd", "\u03a3", "\u0130", "\ud800", "1764072000000000000"),
        ]
    ),
)
HIDDEN = st.one_of(
    shaped().map(lambda secret: secret.value),
    st.sampled_from(
        [
            *("4111111111111111", "4111 1111 1111 1111", "5555-5555-5555-4444", "pwd=abcd", "[hidden 1: password]"),
            *("\uff3bhidden", "sk-ant-api03-aaaaaaaaaaaaaaaaaaaa", 'body: "x y"', "ref=12345", "\u212aey: abcdef"),
        ]
    ),
)
texts = st.one_of(
    PLAIN,
    st.builds(lambda text, how: WRITTEN[how](text), HIDDEN, st.sampled_from(sorted(WRITTEN))),
    st.builds(lambda before, text, after: before + text + after, PLAIN, HIDDEN, PLAIN),
)
some_texts = st.one_of(PLAIN, PLAIN, PLAIN, texts)
keys = st.one_of(
    st.sampled_from(["subject", "body", "to", "iban", "ref", "Ref", "page_token", "x", "password", "API-Key", "pin"]),
    some_texts,
)
numbers = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.sampled_from([4111111111111111, 4111111111111111.0, 4111111111111112, 1764072000000000000]),
)
values = st.recursive(
    st.one_of(some_texts, numbers),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(keys, inner, max_size=3),
        st.lists(inner, max_size=2).map(tuple),
    ),
    max_leaves=6,
)
calls = st.builds(
    ToolCall,
    name=st.one_of(st.sampled_from(["send", "refund", "unknown"]), some_texts),
    arguments=st.dictionaries(st.one_of(keys, keys, st.just(7)), values, max_size=4),
    id=st.sampled_from(["c1", "ghp_aaaaaaaaaaaaaaaaaaaaaaaa"]),
)
tokens = st.one_of(
    st.none(),
    st.lists(
        st.builds(
            lambda text, other: Token(text=text, logprob=-0.5, top=((text, -0.5), (other, -2.0))),
            some_texts,
            some_texts,
        ),
        max_size=3,
    ).map(tuple),
)
samples = st.builds(
    Sample,
    calls=st.lists(calls, max_size=2).map(tuple),
    text=some_texts,
    detail=some_texts,
    tokens=tokens,
)
tools = st.builds(
    ToolSpec,
    name=st.sampled_from(["send", "refund"]),
    description=some_texts,
    parameters=st.dictionaries(keys, values, max_size=2),
    annotations=st.dictionaries(keys, values, max_size=2),
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    """A record with anything in any of its fields, or with nothing to hide."""
    plain = record(call=draw(calls), text=draw(some_texts), tools=(draw(tools),))
    known = plain.verdict.verdicts[0]
    cluster = Cluster(
        kind=MeaningKind.CALL, members=(0,), call=draw(calls), text=draw(some_texts), differs=(draw(some_texts),)
    )
    verdict = replace(
        known,
        why=draw(some_texts),
        rule=draw(some_texts),
        clusters=(cluster, *known.clusters),
        hidden=draw(st.sampled_from([(), (), ("/a",)])),
    )
    return replace(
        plain,
        planned=draw(samples),
        samples=tuple(draw(st.lists(samples, max_size=3))) * draw(st.integers(1, 2)),
        verdict=replace(plain.verdict, verdicts=(verdict,), extra={draw(some_texts): 1}),
        conversation=tuple(Turn(role="user", text=draw(some_texts)) for _ in range(draw(st.integers(0, 2)))),
        fingerprint={"x": draw(some_texts)},
    )


@contextmanager
def the_full_walk() -> Iterator[None]:
    """Nothing is told at once."""
    with patch("guardrail.redaction.records.nothing_hidden", return_value=False):
        yield


def both(one: Record, rules: Redaction) -> tuple[Record, Record]:
    """The record masked as it always is, and by the full walk."""

    def masker() -> Masker:
        return Masker(secrets=rules.secrets, names=rules.names)

    quick = mask_record(one, rules.of, tools=TOOLS, masker=masker())
    with the_full_walk():
        return quick, mask_record(one, rules.of, tools=TOOLS, masker=masker())


@settings(max_examples=200, deadline=None, suppress_health_check=[*HealthCheck])
@given(one=records(), rules=st.sampled_from(RULES))
def test_a_record_is_masked_as_by_the_full_walk(one: Record, rules: Redaction) -> None:
    quick, walked = both(one, rules)
    event("told at once" if quick is one else "walked")
    assert quick == walked
    assert repr(quick) == repr(walked)  # a tuple is no list, and 1 is not True


def _put(text: str) -> dict[str, Record]:
    """A record for each of the fields that can hold a text, with it there."""
    plain = record()
    known = plain.verdict.verdicts[0]
    written = Sample(calls=plain.planned.calls, tokens=tuple(Token(text=each, logprob=-1.0) for each in text))
    call = ToolCall(name="refund", arguments={"order_id": "A-7"}, id="c")
    cluster = known.clusters[0]

    def judged(**changed: Any) -> Record:
        return replace(plain, verdict=replace(plain.verdict, verdicts=(replace(known, **changed),)))

    def planned(**changed: Any) -> Record:
        return replace(plain, planned=replace(plain.planned, calls=(replace(call, **changed),)))

    return {
        "argument": planned(arguments={"note": text}),
        "argument in a list": planned(arguments={"note": [1, {"a": text}]}),
        "name of an argument": planned(arguments={text: 1}),
        "name below": planned(arguments={"a": {text: 1}}),
        "name of a tool": planned(name=text),
        "words of the plan": replace(plain, planned=Sample(text=text)),
        "why a sample failed": replace(plain, samples=(Sample(detail=text),)),
        "a later sample": replace(plain, samples=(*plain.samples, Sample(text=text))),
        "tokens": replace(plain, samples=(written,)),
        "why": judged(why=text),
        "a call of a cluster": judged(clusters=(replace(cluster, call=replace(call, arguments={"x": text})),)),
        "words of a cluster": judged(clusters=(replace(cluster, text=text),)),
        "what differs": judged(clusters=(replace(cluster, differs=(text,)),)),
        "calls beyond": replace(plain, verdict=replace(plain.verdict, extra={text: 2})),
        "conversation": replace(plain, conversation=(Turn(role="tool", text=text),)),
        "description": replace(plain, tools=(ToolSpec(name="send", parameters={}, description=text),)),
        "schema": replace(plain, tools=(ToolSpec(name="send", parameters={"a": [{"default": text}]}),)),
        "annotations": replace(plain, tools=(ToolSpec(name="send", parameters={}, annotations={"title": text}),)),
    }


@pytest.mark.parametrize("field", sorted(_put("")))
@settings(max_examples=20, deadline=None, suppress_health_check=[*HealthCheck])
@given(text=st.one_of(HIDDEN, PLAIN), how=st.sampled_from(sorted(WRITTEN)), rules=st.sampled_from(RULES))
def test_whatever_a_field_hides_is_hidden(field: str, text: str, how: str, rules: Redaction) -> None:
    one = _put(WRITTEN[how](text))[field]
    quick, walked = both(one, rules)
    event("told at once" if quick is one else "walked")
    assert quick == walked


@pytest.mark.parametrize("field", sorted(_put("")))
def test_a_secret_in_any_field_is_not_passed_over(field: str) -> None:
    secret = "ghp_" + "a1B2" * 9
    one = mask_record(_put(secret)[field], Redaction().of, tools=TOOLS)
    assert secret not in repr(one)


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        ({"password": "x"}, ()),
        ({"a": [{"pin": 1234}]}, ()),
        ({"n": 4111111111111111}, ()),
        ({"n": [4111111111111111.0]}, ()),
        ({"body": "x"}, PATHS),
        ({"body": 1}, PATHS),
        ({"to": [{"iban": {"a": False}}]}, PATHS),
        ({"REF": ["x"]}, PATHS),
    ],
)
def test_what_only_its_place_hides_is_hidden(arguments: dict[str, Any], paths: tuple[str, ...]) -> None:
    one = replace(record(), samples=(Sample(calls=(ToolCall(name="send", arguments=arguments),)),))
    quick, walked = both(one, Redaction(paths=paths))
    assert quick == walked
    assert quick.hidden


def test_a_record_with_nothing_to_hide_is_told_at_once() -> None:
    one = replace(record(), conversation=(Turn(role="user", text="The right key, the right token: a basic task."),))
    rules = Redaction(paths=PATHS)
    assert mask_record(one, rules.of, tools=TOOLS, masker=Masker(names=rules.names)) is one
