"""Telling of alarms: what is sent, and that what fails is sent again."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from guardrail.errors import ConfigError, GuardrailError
from guardrail.store import MemoryStore
from guardrail.types import Alarm, Tier
from guardrail.watching import all_of, command, look, watch, webhook
from tests.watching.promised import audit, promised

BAD = "x.x" * 5


def an_alarm(**more) -> Alarm:
    given = {"id": "a" * 64, "at": "2026-01-02T00:00:00Z", "tier": Tier.HIGH, "alpha": 0.02, "delta": 0.05}
    return Alarm(**{**given, "audits": 40, "wrong": 6, "e_value": 31.5, **more})


class Receiver:
    """An HTTP server that answers with these statuses, the last of them forever."""

    def __init__(self, *statuses: int) -> None:
        self.statuses, self.got = list(statuses), []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                owner.got.append((self.headers["Content-Type"], json.loads(body)))
                status = owner.statuses.pop(0) if len(owner.statuses) > 1 else owner.statuses[0]
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/alarms"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver(200)
    yield one
    one.close()


def test_a_webhook_gets_a_sentence_and_the_alarm(receiver: Receiver) -> None:
    webhook(receiver.url)(an_alarm(tool="pay"))
    kind, body = receiver.got[0]
    assert kind == "application/json"
    assert body["text"].startswith("6 of 40 audited calls of pay in the high tier were wrong; at most 2 % are promised")
    assert body["alarm"]["e_value"] == 31.5
    assert set(body) == {"text", "alarm"}


@pytest.mark.parametrize("status", [302, 404, 500])
def test_any_other_answer_is_a_failure(receiver: Receiver, status: int) -> None:
    receiver.statuses = [status]
    with pytest.raises(GuardrailError, match=f"answered {status}"):
        webhook(receiver.url)(an_alarm())
    assert len(receiver.got) == 1


def test_a_webhook_that_is_not_there_does_not_say_its_address() -> None:
    with pytest.raises(GuardrailError, match="cannot be reached") as failure:
        webhook("http://127.0.0.1:9/secret-token", timeout=2)(an_alarm())
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x", "", "example.com"])
def test_only_the_web_is_an_address(url: str) -> None:
    with pytest.raises(ConfigError, match="http"):
        webhook(url)


def test_a_command_reads_the_alarm(tmp_path: Path) -> None:
    kept = tmp_path / "a file"
    line = f"{sys.executable} -c 'import sys; open(sys.argv[1], \"w\").write(sys.stdin.read())' '{kept}'"
    command(line)(an_alarm(tool="; rm -rf /"))
    assert json.loads(kept.read_text())["alarm"]["tool"] == "; rm -rf /"


@pytest.mark.parametrize(
    ("line", "said"),
    [(f"{sys.executable} -c 'raise SystemExit(3)'", "status 3"), ("/does/not/exist", "could not be run")],
)
def test_a_command_that_fails_is_a_failure(line: str, said: str) -> None:
    with pytest.raises(GuardrailError, match=said):
        command(line)(an_alarm())


@pytest.mark.parametrize("line", ["", "   ", "mail 'nobody"])
def test_a_line_that_is_no_command_is_refused(line: str) -> None:
    with pytest.raises(ConfigError, match="command"):
        command(line)


def test_one_way_of_telling_does_not_silence_another() -> None:
    told: list[Alarm] = []

    def fails(alarm: Alarm) -> None:
        raise RuntimeError("no network")

    with pytest.raises(GuardrailError, match="no network"):
        all_of(fails, told.append)(an_alarm())
    assert told == [an_alarm()]


def test_an_alarm_that_could_not_be_told_stands_and_is_told_later(caplog: pytest.LogCaptureFixture) -> None:
    one, store, told = promised(), MemoryStore(), []
    audit(store, one, BAD)

    def fails(alarm: Alarm) -> None:
        raise RuntimeError("no network")

    assert len(watch(store, one, fails)) == 2
    assert "no network" in caplog.text
    assert len(store.alarms()) == 2
    assert look(store, one, fails).failures
    found = look(store, one, told.append)
    assert list(found.told) == told == store.alarms()
    assert look(store, one, told.append).told == ()


def test_an_alarm_that_another_watcher_raised_is_told_too() -> None:
    one, store, told = promised(), MemoryStore(), []
    audit(store, one, BAD)
    watch(store, one)
    watch(store, one, told.append)
    assert told == store.alarms()


def test_a_cleared_alarm_is_not_told() -> None:
    one, store, told = promised(), MemoryStore(), []
    audit(store, one, BAD)
    for alarm in watch(store, one):
        store.clear_alarm(alarm.id, by="ana", at="2026-01-10T00:00:00Z", note="")
    watch(store, one, told.append)
    assert told == []


def test_a_damaged_memory_of_what_was_told_tells_again() -> None:
    one, store, told = promised(), MemoryStore(), []
    audit(store, one, BAD)
    watch(store, one, told.append)
    kept = store.state("watching/told")
    assert kept is not None
    assert store.put_state("watching/told", "{", revision=kept[0])
    watch(store, one, told.append)
    assert len(told) == 4
