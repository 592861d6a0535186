"""Nothing that a model wrote has a meaning in a message, and none of a call's arguments is in one unless asked for."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrail.notify import Message
from guardrail.notify.messages import Telling
from guardrail.notify.wording import Item, because, harmless, harmless_json
from guardrail.store import open_store
from guardrail.types import Notice, NoticeEvent, Reason, Tier, ToolCall
from guardrail.visible import hides
from tests.notify.receiving import START, alarm, channel
from tests.support.records import review

texts = st.text(st.characters(), max_size=120)
hostile = st.one_of(
    texts,
    st.sampled_from(
        [
            "<!here>",
            "<!channel|everyone>",
            "@everyone",
            "[click](https://evil.example)",
            "<https://evil.example|guard.example.com>",
            "www.evil.example",
            "evil.com",
            "mailto:a@evil.example",
            "tel:+4912345",
            "javascript:alert(1)",
            "<img src=x onerror=alert(1)>",
            "&lt;!here&gt;",
            "*bold* _it_ ~no~ `code` ||spoiler||",
            "#general",
            "line\r\nBcc: all@example.com",
            "\u202eetorps",
            "zero\u200bwidth",
            "\ud83d lone",
            "\x1b[31mred",
            ":smile:",
        ]
    ),
)
events = st.sampled_from([one for one in NoticeEvent if one is not NoticeEvent.ALARM])


@given(hostile)
def test_a_foreign_name_is_written_in_characters_that_mean_nothing(name: str) -> None:
    shown = harmless(name)
    assert re.fullmatch(r"[A-Za-z0-9 _\\\[\].()-]*", shown), shown
    assert "](" not in shown
    assert not re.search(r"[\w-]\.[\w-]", shown), "no name of a site"
    assert html.escape(shown) == shown


@given(hostile)
def test_foreign_json_makes_no_link_no_mention_and_no_markup(text: str) -> None:
    shown = harmless_json(json.dumps({"a": text}, ensure_ascii=False))
    assert not set(shown) & set("<>&@#*~`|/()")
    assert not re.search(r"[A-Za-z-]\.[A-Za-z-]", shown)
    assert not any(map(hides, shown))
    assert shown.isascii()


def test_what_is_usual_stays_readable() -> None:
    assert harmless("refund_order-2") == "refund_order-2"
    assert harmless("fs.read") == "fs[.]read"
    assert harmless("x" * 200) == "x" * 80 + " (cut)"
    assert harmless_json('{"amount":12.50,"to":"bob","n":-3}') == '{"amount":12.50,"to":"bob","n":-3}'


names = st.text(st.characters(categories=["Ll"], max_codepoint=122), min_size=8, max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.builds("key{}".format, names),
        st.one_of(st.builds("secret{}".format, names), st.integers(10**8, 10**12)),
        min_size=1,
    ),
    st.lists(events, min_size=1, max_size=5),
    hostile,
    hostile,
)
def test_no_argument_and_no_foreign_sentence_is_in_any_message_by_default(
    arguments: dict[str, Any], told: list[NoticeEvent], why: str, thread_id: str
) -> None:
    store = open_store("memory://")
    kept = review(
        "review-0001", call=ToolCall(name="refund", arguments=arguments, id="call_1"), thread_id="THREAD" + thread_id
    )
    store.add_review(replace(kept, why="WHY" + why))
    item = [
        Item(event=event, id=kept.id, tier=kept.tier, tool=kept.call.name, why=because(Reason.DISAGREED))
        for event in told
    ]
    made, _ = Telling(store, "https://guard.example.com").message(channel(), [_notice(NoticeEvent.OPENED)])
    assert made is not None
    for message in (made, Message(id="m", items=tuple(item), url="")):
        said = message.title + message.text + message.body(START).decode()
        assert "secret" not in said
        assert "key" not in said
        assert "THREAD" not in said
        assert "WHY" not in said
        assert not any(str(value) in said for value in arguments.values())
    store.close()


def _notice(event: NoticeEvent) -> Notice:
    return Notice(
        id="notice-1", channel="ops", event=event, subject="review-0001", at=START.isoformat(), due=START.isoformat()
    )


def test_arguments_are_told_where_a_channel_asks_for_them_and_cut() -> None:
    store = open_store("memory://")
    call = ToolCall(name="refund", arguments={"note": "<!here> x" + "y" * 5000, "amount": 12.5}, id="call_1")
    store.add_review(review("review-0001", call=call))
    message, _ = Telling(store).message(channel(arguments=True), [_notice(NoticeEvent.OPENED)])
    assert message is not None
    assert 'Arguments: {"amount":12.5,"note":"\\x3c!here\\x3e xyyy' in message.text
    assert len(message.text) < 1000
    (item,) = message.payload(START)["data"]["items"]
    assert item["arguments"].startswith('{"amount":12.5,"note":"<!here> xyyy')
    assert len(item["arguments"]) < 600
    store.close()


@given(hostile, hostile)
def test_a_payload_is_json_in_ascii_whatever_the_names_are(tool: str, tenant: str) -> None:
    item = Item(event=NoticeEvent.OPENED, id="r", tier=Tier.LOW, tool=tool, tenant=tenant, url="https://g/reviews/r")
    body = Message(id="m", items=(item,), url="https://g").body(START)
    assert body.isascii()
    said = json.loads(body)["data"]["items"][0]
    assert not any(map(hides, said["tool"] + said["tenant"]))


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("event", NoticeEvent)
def test_every_event_has_its_words(event: NoticeEvent, count: int) -> None:
    item = Item(
        event=event, id="r", tier=Tier.HIGH, tool="pay", wrong=6, audits=20, alpha=0.05, due="2026-01-02T03:04:05Z"
    )
    message = Message(id="m" * 64, items=(item,) * count, url="https://g")
    assert message.title.startswith("guardrail: ")
    assert "\n" not in message.title
    assert len(message.title) < 120
    assert message.text.endswith(f"https://g/reviews\nMessage {'m' * 12}") or count == 1
    assert message.payload(START)["type"] == ("alarm.raised" if event is NoticeEvent.ALARM else f"review.{event.value}")


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_fixed_words(reason: Reason) -> None:
    assert because(reason) != because(None)
    assert because(reason).isascii()


def test_an_alarm_says_how_many_were_wrong() -> None:
    store = open_store("memory://")
    store.raise_alarm(alarm(tool="pay<b>"))
    notice = replace(_notice(NoticeEvent.ALARM), subject="alarm-000001")
    message, _ = Telling(store, "https://g").message(channel(), [notice])
    assert message is not None
    assert (
        "6 of 20 audited calls of pay\\x3cb\\x3e in the low tier were wrong; at most 5 % are promised." in message.text
    )
    assert message.payload(START)["data"]["items"][0]["promised"] == 0.05
    store.close()


def test_a_link_has_no_token_and_a_strange_id_stays_in_its_place() -> None:
    store = open_store("memory://")
    store.add_review(review("../../logout?x=1#y"))
    notice = replace(_notice(NoticeEvent.OPENED), subject="../../logout?x=1#y")
    message, _ = Telling(store, "https://g").message(channel(), [notice])
    assert message is not None
    assert message.items[0].url == "https://g/reviews/..%2F..%2Flogout%3Fx%3D1%23y"
    store.close()
