"""A file of notifications says what it means, or is refused with the place and the remedy."""

from __future__ import annotations

import json
from datetime import UTC, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from jsonschema import Draft202012Validator

from guardrail.errors import ConfigError
from guardrail.notify import Channel, Configuration, Quiet, Webhook, load, notify_schema, parse
from guardrail.types import NoticeEvent, Tier

FULL = """
url: https://guard.example.com/
stuck_after: 20m
channels:
  pager:
    webhook: {url: "https://example.com/hook", secrets: PAGER_SECRETS}
    events: [opened, escalated]
    tiers: [high, critical]
    tools: [pay, "refund_*"]
    roles: [finance]
    tenants: ["*"]
    arguments: true
    burst: 2
    every: 10m
  chat:
    apprise: CHAT_URL
    quiet: {from: "22:00", to: "07:00", zone: Europe/Paris, but: [critical]}
"""


def test_everything_that_a_file_can_say(tmp_path: Path) -> None:
    path = tmp_path / "notify.yaml"
    path.write_text(FULL)
    pager = Channel(
        name="pager",
        way=Webhook(url="https://example.com/hook", secrets="PAGER_SECRETS"),
        events=frozenset({NoticeEvent.OPENED, NoticeEvent.ESCALATED}),
        tiers=frozenset({Tier.HIGH, Tier.CRITICAL}),
        tools=("pay", "refund_*"),
        roles=frozenset({"finance"}),
        tenants=frozenset({"*"}),
        arguments=True,
        burst=2,
        every=600.0,
    )
    chat = Channel(
        name="chat",
        way="CHAT_URL",
        quiet=Quiet(start=time(22), end=time(7), zone=ZoneInfo("Europe/Paris"), but=frozenset({Tier.CRITICAL})),
    )
    assert load(path) == Configuration(channels=(pager, chat), url="https://guard.example.com", stuck_after=1200.0)


def test_what_holds_where_a_file_says_nothing() -> None:
    found = parse({"channels": {"chat": {"apprise": "CHAT"}}}, url="https://served.example.com")
    (chat,) = found.channels
    assert found.url == "https://served.example.com"
    assert NoticeEvent.DECIDED not in chat.events
    assert (chat.arguments, chat.tenants, chat.tiers, chat.quiet) == (False, frozenset({""}), None, None)
    assert parse({"url": "https://a.example", "channels": {"c": {"apprise": "C"}}}, url="https://b.example").url == (
        "https://a.example"
    )


CHAT: dict[str, Any] = {"apprise": "CHAT"}
HOOK: dict[str, Any] = {"webhook": {"url": "https://example.com", "secrets": "S"}}
WRONG: dict[str, tuple[object, str]] = {
    "nothing": ({}, r"channels: .*add it|has no 'channels'"),
    "no mapping": ([], r"must be a mapping with the key 'channels'"),
    "a typo at the top": ({"chanels": {}}, r"unknown key; did you mean 'channels'"),
    "a typo in a channel": ({"channels": {"a": {**CHAT, "teirs": ["high"]}}}, r"channels.a.teirs: .*'tiers'"),
    "a typo in a webhook": (
        {"channels": {"a": {"webhook": {"uri": "https://x", "secrets": "S"}}}},
        r"channels.a.webhook.uri: .*did you mean 'url'",
    ),
    "a typo in quiet hours": ({"channels": {"a": {**CHAT, "quiet": {"form": "1"}}}}, r"quiet.form: .*'from'"),
    "no channel": ({"channels": {}}, "channels"),
    "an empty key": ({"channels": {"a": {**CHAT, "tiers": None}}}, "'tiers' has no value"),
    "a bad name": ({"channels": {"A b": CHAT}}, "'A b' is no name of a channel"),
    "no way": ({"channels": {"a": {}}}, "either 'webhook' or 'apprise'"),
    "two ways": ({"channels": {"a": {**CHAT, **HOOK}}}, "either 'webhook' or 'apprise'"),
    "an unknown tier": ({"channels": {"a": {**CHAT, "tiers": ["hihg"]}}}, r"channels.a.tiers\[0\]: .*'high'"),
    "an unknown event": ({"channels": {"a": {**CHAT, "events": ["open"]}}}, r"events\[0\]: .*did you mean 'opened'"),
    "no events": ({"channels": {"a": {**CHAT, "events": []}}}, "channels.a.events"),
    "no secrets": ({"channels": {"a": {"webhook": {"url": "https://x"}}}}, "has no 'secrets'; add it"),
    "no address": ({"channels": {"a": {"webhook": {"secrets": "S"}}}}, "either 'url' or 'url_from'"),
    "two addresses": (
        {"channels": {"a": {"webhook": {"url": "https://x", "url_from": "U", "secrets": "S"}}}},
        "either 'url' or 'url_from'",
    ),
    "an open address": ({"channels": {"a": {"webhook": {"url": "http://example.com", "secrets": "S"}}}}, "https://"),
    "a wrong port": (
        {"channels": {"a": {"webhook": {"url": "https://example.com:x", "secrets": "S"}}}},
        "channels.a.webhook.url: is no address",
    ),
    "another scheme": ({"channels": {"a": {"webhook": {"url": "file:///etc/passwd", "secrets": "S"}}}}, "https://"),
    "a time that is none": ({"channels": {"a": {**CHAT, "quiet": {"from": "25:00", "to": "07:00"}}}}, "'22:00'"),
    "no hours": ({"channels": {"a": {**CHAT, "quiet": {"from": "07:00", "to": "07:00"}}}}, "ends when it begins"),
    "no zone": (
        {"channels": {"a": {**CHAT, "quiet": {"from": "07:00", "to": "08:00", "zone": "Mars"}}}},
        "quiet.zone: 'Mars' is no time zone",
    ),
    "a zone out of its folder": (
        {"channels": {"a": {**CHAT, "quiet": {"from": "07:00", "to": "08:00", "zone": "../../etc/passwd"}}}},
        "no time zone",
    ),
    "no pace": ({"channels": {"a": {**CHAT, "every": 0}}}, "more than 0 s"),
    "a duration that is none": ({"channels": {"a": {**CHAT, "every": "soon"}}}, "90s, 15m, 2h"),
    "too many": ({"channels": {"a": {**CHAT, "burst": 1000}}}, "channels.a.burst"),
    "no messages": ({"channels": {"a": {**CHAT, "burst": 0}}}, "channels.a.burst"),
    "yes for true": ({"channels": {"a": {**CHAT, "arguments": "yes"}}}, "true or false"),
}


@pytest.mark.parametrize(("data", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_place(data: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse(data)


@pytest.mark.parametrize(
    "where", [{"apprise": "slack://s3cret/token"}, {"webhook": {"url": "https://x", "secrets": "whsec_s3cret"}}]
)
def test_a_secret_that_was_written_into_the_file_is_not_repeated(where: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="name of an environment variable") as caught:
        parse({"channels": {"a": where}})
    assert "s3cret" not in str(caught.value)


def test_a_mistake_in_a_file_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "notify.yaml"
    path.write_text("channels:\n  chat:\n    apprise: CHAT\n    tires: [high]\n")
    with pytest.raises(ConfigError, match=r"notify\.yaml:4: channels\.chat\.tires: unknown key; did you mean 'tiers'"):
        load(path)
    path.write_text("channels: {a: 1")
    with pytest.raises(ConfigError, match="is not YAML"):
        load(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.yaml")


def test_the_schema_says_the_same() -> None:
    schema = notify_schema()
    Draft202012Validator.check_schema(schema)
    valid = Draft202012Validator(json.loads(json.dumps(schema)))
    assert valid.is_valid(yaml.safe_load(FULL))
    for name in ("a typo at the top", "a typo in a channel", "no channel", "an unknown tier", "no events", "too many"):
        assert not valid.is_valid(WRONG[name][0]), name


def test_hours_are_those_of_their_zone() -> None:
    from datetime import datetime

    quiet = Quiet(start=time(22), end=time(7), zone=ZoneInfo("Europe/Paris"))
    at = datetime(2026, 7, 1, 20, 30, tzinfo=UTC)  # 22:30 there
    assert quiet.until(at) == datetime(2026, 7, 2, 5, 0, tzinfo=UTC)
