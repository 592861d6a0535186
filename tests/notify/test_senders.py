"""What leaves the process, against servers that are slow, broken or hostile."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import json
import logging
import socket
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guardrail.errors import ConfigError
from guardrail.notify import Channel, Message, NotSent, Webhook, open_sender, verify
from guardrail.notify.webhook import WebhookSender
from guardrail.notify.wording import Item
from guardrail.types import NoticeEvent, Tier
from tests.notify.receiving import SECRET, START, Receiver, mailbox, receiving

# raised inside apprise as it loads its services, nothing here causes or can change it
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:apprise.*")

HOSTILE = "pay](http://evil.example) <!here> @channel <b>x</b> evil.com\r\nBcc: all@example.com\u202e`*_~|"


def message(**more: Any) -> Message:
    item = Item(
        event=NoticeEvent.OPENED,
        id="r1",
        tier=Tier.HIGH,
        tool="refund",
        why="a measurement is in doubt",
        url="https://guard.example.com/reviews/r1",
    )
    return Message(id="a" * 64, items=(replace(item, **more),), url="https://guard.example.com")


def webhook(url: str, *, seconds: float = 5.0) -> WebhookSender:
    channel = Channel(name="ops", way=Webhook(url=url, secrets="SECRETS"))
    sender = open_sender(channel, {"SECRETS": SECRET}, seconds=seconds)
    assert isinstance(sender, WebhookSender)
    return sender


def test_a_webhook_is_signed_and_says_what_it_is_about(receiver: Receiver) -> None:
    sent = message()
    webhook(receiver.url + "/hook").send(sent, START)
    (request,) = receiver.requests
    assert request.path == "/hook"
    assert request.headers["webhook-id"] == sent.id
    said = verify(request.headers, request.body, SECRET, now=START.timestamp() + 10)
    assert said == {
        "type": "review.opened",
        "timestamp": START.isoformat(),
        "data": {
            "text": sent.text,
            "total": 1,
            "items": [
                {
                    "event": "opened",
                    "id": "r1",
                    "tier": "high",
                    "tool": "refund",
                    "tenant": "",
                    "url": "https://guard.example.com/reviews/r1",
                    "state": "",
                    "due": "",
                    "why": "a measurement is in doubt",
                }
            ],
            "url": "https://guard.example.com/reviews",
        },
    }


@pytest.mark.parametrize("status", [400, 401, 404, 409, 429, 500, 503])
def test_any_answer_but_success_is_a_failure(receiver: Receiver, status: int) -> None:
    receiver.answer = [status]
    with pytest.raises(NotSent, match=str(status)) as caught:
        webhook(receiver.url).send(message(), START)
    assert not caught.value.final


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    receiver.answer = [status]
    with pytest.raises(NotSent, match="redirects are not followed"):
        webhook(receiver.url + "/hook").send(message(), START)
    assert [request.path for request in receiver.requests] == ["/hook"]


def test_a_receiver_that_is_gone_says_so(receiver: Receiver) -> None:
    receiver.answer = [410]
    with pytest.raises(NotSent) as caught:
        webhook(receiver.url).send(message(), START)
    assert caught.value.final


def test_how_long_to_wait_is_heard_within_bounds(receiver: Receiver) -> None:
    def busy(after: str) -> Any:
        def answer(handler: Any) -> None:
            handler.send_response(503)
            handler.send_header("retry-after", after)
            handler.end_headers()

        return answer

    for after, seconds in (("7", 7.0), ("999999", 3600.0), ("soon", None), ("-5", None), ("9" * 400, None)):
        receiver.answer = [busy(after)]
        with pytest.raises(NotSent) as caught:
            webhook(receiver.url).send(message(), START)
        assert caught.value.after == seconds


@pytest.mark.parametrize("how", ["hang", "drip", "drop"])
def test_a_receiver_that_never_ends_its_answer_is_left(receiver: Receiver, how: str) -> None:
    receiver.answer = [getattr(receiver, how)]
    with pytest.raises(NotSent, match="could not be reached"):
        webhook(receiver.url, seconds=0.3).send(message(), START)


def test_an_answer_is_not_read(receiver: Receiver) -> None:
    def endless(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not receiver.closing.wait(0.01):
            handler.wfile.write(b"x" * 1000)

    receiver.answer = [endless]
    webhook(receiver.url, seconds=5).send(message(), START)


def test_nobody_there_is_a_failure_that_names_no_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NotSent) as caught:
        webhook(f"http://127.0.0.1:{port}/secret-path").send(message(), START)
    assert "secret" not in str(caught.value)


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with receiving() as receiver:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = _certificate(tmp_path)
        context.load_cert_chain(certificate)
        receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
        url = receiver.url.replace("http:", "https:")
        with pytest.raises(NotSent, match="could not be reached"):
            webhook(url).send(message(), START)
        assert receiver.requests == []
        trusting = ssl.create_default_context(cafile=certificate)
        sender = WebhookSender(url, [b"k" * 32], verify=trusting)
        sender.send(message(), START)
        assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "HOOK_URL, which is not set"),
        ({"HOOK_URL": "http://example.com/s3cret", "SECRETS": SECRET}, "HOOK_URL must begin with https://"),
        ({"HOOK_URL": "ftp://example.com/s3cret", "SECRETS": SECRET}, "https://"),
        ({"HOOK_URL": "https://example.com:s3cret/", "SECRETS": SECRET}, "is no address"),
        ({"HOOK_URL": "https://example.com/s3cret"}, "SECRETS, which is not set"),
        ({"HOOK_URL": "https://example.com/s3cret", "SECRETS": "s3cret"}, "guardrail notify secret"),
    ],
)
def test_what_the_environment_lacks_is_told_without_what_it_holds(environment: dict[str, str], said: str) -> None:
    channel = Channel(name="ops", way=Webhook(url_from="HOOK_URL", secrets="SECRETS"))
    with pytest.raises(ConfigError, match=said) as caught:
        open_sender(channel, environment)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("address", ["nonsense://s3cret", "s3cret", "json://a json://s3cret", "mailto://"])
def test_an_address_that_apprise_does_not_know_is_not_repeated(address: str) -> None:
    with pytest.raises(ConfigError, match="variable CHAT") as caught:
        open_sender(Channel(name="chat", way="CHAT"), {"CHAT": address})
    assert "s3cret" not in str(caught.value)


def apprised(url: str, *, seconds: float = 5.0) -> Any:
    return open_sender(Channel(name="chat", way="CHAT"), {"CHAT": url}, seconds=seconds)


def test_a_service_by_apprise_is_told(receiver: Receiver) -> None:
    apprised(receiver.url.replace("http:", "json:")).send(message(), START)
    (request,) = receiver.requests
    said = json.loads(request.body)
    assert said["message"] == message().text
    assert said["title"] == "guardrail: a high call of refund waits for a decision"


@pytest.mark.parametrize("how", ["hang", 500, 302])
def test_a_service_that_fails_is_a_failure_that_names_no_address(
    receiver: Receiver, how: str | int, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    receiver.answer = [receiver.hang if how == "hang" else how]  # type: ignore[list-item]
    sender = apprised(receiver.url.replace("http://", "json://user:s3cret@"), seconds=0.5)
    with caplog.at_level(logging.DEBUG), pytest.raises(NotSent) as caught:
        sender.send(message(arguments="{'s3cret'}"), START)
    receiver.closing.set()
    assert [request.path for request in receiver.requests] == ["/"]
    assert "s3cret" not in str(caught.value) + caplog.text + "".join(capfd.readouterr())


@pytest.mark.parametrize("way", ["webhook", "apprise"])
def test_no_library_logs_the_address(receiver: Receiver, caplog: pytest.LogCaptureFixture, way: str) -> None:
    address = f"{receiver.url}/hooks/s3cret-path?token=s3cret-token"
    sender = webhook(address) if way == "webhook" else apprised(address.replace("http:", "json:"))
    with caplog.at_level(logging.DEBUG):
        sender.send(message(arguments="s3cret-argument"), START)
    assert caplog.records, "they do log"
    assert "s3cret" in receiver.requests[0].path
    assert "s3cret" not in caplog.text


def test_mail_is_plain_text_and_nothing_foreign_becomes_a_header_or_a_link() -> None:
    with mailbox() as mail:
        url = f"mailto://127.0.0.1:{mail.port}/?from=guard@example.com&to=ops@example.com&mode=insecure"
        apprised(url).send(message(tool=HOSTILE), START)
        (raw,) = mail.mails
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert parsed["to"] == "ops@example.com"
    assert parsed["bcc"] is None
    assert [part.get_content_type() for part in parsed.walk() if not part.is_multipart()] == ["text/plain"]
    text = parsed.get_content() if not parsed.is_multipart() else parsed.get_body().get_content()  # type: ignore[union-attr]
    assert "https://guard.example.com/reviews/r1" in text
    assert not any(one in text + parsed["subject"] for one in ("<", "@", "evil.", "](", "\u202e"))


def test_nothing_foreign_has_a_meaning_in_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    import requests

    sent: list[str] = []

    def send(_: Any, request: Any, **__: Any) -> Any:
        sent.append(f"{request.url} {request.body}")
        answer = requests.Response()
        answer.status_code = 200
        answer._content = b"ok"
        return answer

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    apprised("slack://TTTTTTTTT/BBBBBBBBB/cccccccccccccccccccccccc").send(message(tool=HOSTILE), START)
    (body,) = sent
    assert body.startswith("https://hooks.slack.com/")
    assert "https://guard.example.com/reviews/r1" in body
    assert not any(one in body for one in ("<!", "@channel", "evil.", "](", "&lt;!here"))


def _certificate(folder: Path) -> Path:
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path
