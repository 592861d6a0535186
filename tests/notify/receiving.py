"""People and programs that are told: a web server, channels in memory, and a clock that only a test moves."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from guardrail.notify import Channel, Configuration, Message, Notifier, NotSent, Sender
from guardrail.store import Store
from guardrail.types import Alarm, Tier
from tests.support.records import review

START = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


class Clock:
    """The time, which only this test moves."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def go(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Recorded:
    """Channels that keep what they are told, and fail as often as ``failures`` says."""

    messages: list[tuple[str, Message]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    before: Callable[[Message], None] = lambda _: None

    def __call__(self, channel: Channel) -> Sender:
        recorded = self

        class One:
            def send(self, message: Message, at: datetime) -> None:
                recorded.before(message)
                if recorded.failures:
                    raise recorded.failures.pop(0)
                recorded.messages.append((channel.name, message))

        return One()

    @property
    def told(self) -> list[tuple[str, str]]:
        """Event and subject of everything that was told, in order."""
        return [(item.event.value, item.id) for _, message in self.messages for item in message.items]


def failing(times: int, why: str = "500", **more: Any) -> list[Exception]:
    return [NotSent(why, **more) for _ in range(times)]


def channel(name: str = "ops", **more: Any) -> Channel:
    return Channel(name=name, way="NOWHERE", **more)


def configuration(*channels: Channel, url: str = "https://guard.example.com") -> Configuration:
    return Configuration(channels=channels or (channel(),), url=url)


def notifier(store: Store, clock: Clock, told: Recorded, *channels: Channel) -> Notifier:
    return Notifier(store, configuration(*channels), open=told, clock=clock, chance=lambda: 1.0)


def opened(store: Store, number: int, **more: Any) -> str:
    """A new review."""
    identity = f"review-{number:04d}"
    store.add_review(replace(review(identity, at=START.isoformat()), **{"requester": "agent", **more}))
    return identity


def alarm(**more: Any) -> Alarm:
    given = {"id": "alarm-000001", "at": START.isoformat(), "tier": Tier.LOW, "alpha": 0.05, "delta": 0.1, **more}
    return Alarm(audits=20, wrong=6, e_value=12.0, **given)


@dataclass
class Request:
    """What came in."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """A web server on a local port. ``answer`` says how the next requests are answered: a status, or a function of the
    handler.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: list[int | Callable[[BaseHTTPRequestHandler], None]] = []
        self.closing = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                receiver.requests.append(Request(self.path, dict(self.headers.items()), body))
                answer = receiver.answer.pop(0) if receiver.answer else 204
                if callable(answer):
                    answer(self)
                    return
                self.send_response(answer)
                if 300 <= answer < 400:
                    self.send_header("location", receiver.url + "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def hang(self, _: BaseHTTPRequestHandler) -> None:
        """Say nothing."""
        self.closing.wait(20)

    def drip(self, handler: BaseHTTPRequestHandler) -> None:
        """Say a little, again and again, and never all of it."""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not self.closing.wait(0.05):
            try:
                handler.wfile.write(b"x-more: 1\r\n")
            except OSError:
                return

    def drop(self, handler: BaseHTTPRequestHandler) -> None:
        """End the connection without an answer."""
        handler.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join()


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


class MailServer:
    """A mail server on a local port that takes everything."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        server = self

        class Handler(socketserver.StreamRequestHandler):
            def say(self, line: str) -> None:
                self.wfile.write(f"{line}\r\n".encode())

            def handle(self) -> None:
                self.say("220 ready")
                while line := self.rfile.readline():
                    verb = line[:4].upper().strip()
                    if verb == b"DATA":
                        self.say("354 go on")
                        lines = iter(self.rfile.readline, b".\r\n")
                        server.mails.append(b"".join(one.removeprefix(b".") for one in lines))
                    self.say("221 bye" if verb == b"QUIT" else "250 fine")
                    if verb == b"QUIT":
                        return

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])


@contextmanager
def mailbox() -> Iterator[MailServer]:
    mail = MailServer()
    thread = threading.Thread(target=mail.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield mail
    finally:
        mail.server.shutdown()
        mail.server.server_close()
        thread.join()
