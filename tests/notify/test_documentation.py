"""What the documentation shows is what happens."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from guardrail.notify import NotSent, load
from guardrail.notify.model import ChannelPart, NotifyFile, QuietPart, WebhookPart
from guardrail.notify.pace import FIRST_WAIT, LONGEST_WAIT, MOST_ATTEMPTS
from guardrail.notify.wording import LONGEST_ARGUMENTS
from guardrail.types import NoticeEvent
from guardrail.upkeep import upkeep_status
from tests.notify.receiving import SECRET, START, until
from tests.notify.test_senders import message, webhook

TEXT = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")


def block(kind: str, number: int = 0) -> str:
    return str(re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)[number])


def test_the_file_that_is_shown_can_be_used(tmp_path: Path) -> None:
    path = tmp_path / "notify.yaml"
    path.write_text(block("yaml"))
    assert [one.name for one in load(path).channels] == ["chat", "mail", "finance"]


def test_the_program_that_is_shown_keeps_house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRETS", SECRET)
    (tmp_path / "notify.yaml").write_text(
        "channels: {a: {webhook: {url: 'https://example.invalid', secrets: SECRETS}}}"
    )
    ran = threading.Event()
    program = block("python", 1).replace("    ...", "    done()")

    def done() -> None:
        until(lambda: len(upkeep_status(names["store"])) > 3)
        ran.set()

    names: dict[str, Any] = {"done": done}
    exec(program, names)
    assert ran.is_set()


def test_every_key_and_every_event_is_told_of() -> None:
    for model in (NotifyFile, ChannelPart, WebhookPart, QuietPart):
        for name, field in model.model_fields.items():
            assert f"`{field.alias or name}`" in TEXT or f"\n{name}:" in TEXT, name
    assert all(f"`{event.value}`" in TEXT for event in NoticeEvent)


def test_the_numbers_are_those_of_the_code() -> None:
    assert (FIRST_WAIT, LONGEST_WAIT, MOST_ATTEMPTS, LONGEST_ARGUMENTS) == (5, 3600, 20, 500)


def test_the_json_that_is_shown_has_the_keys_that_are_sent() -> None:
    shown: dict[str, Any] = yaml.safe_load(block("json"))
    sent = message().payload(START)
    assert shown.keys() == sent.keys()
    assert shown["data"].keys() == sent["data"].keys()
    assert shown["data"]["items"][0].keys() == sent["data"]["items"][0].keys()


def test_the_receiver_that_is_shown_takes_each_message_once_and_refuses_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GUARDRAIL_WEBHOOK_SECRET", SECRET)
    names: dict[str, Any] = {}
    exec(block("python"), names)
    names["Receiver"].log_message = lambda *_: None
    server = names["serve"](0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        sender = webhook(f"http://127.0.0.1:{server.server_address[1]}")
        now = datetime.now(UTC)
        sender.send(message(), now)
        sender.send(message(), now)
        with pytest.raises(NotSent, match="401"):
            sender.send(message(), START)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert capsys.readouterr().out.count("A high call of refund waits for a decision.") == 1
