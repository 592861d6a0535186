"""A webhook is believed only if whoever knows the secret signed exactly this, just now."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.errors import BadSignature, ConfigError
from guardrail.notify import TOLERANCE, new_secret, verify
from guardrail.notify.signing import headers, read_secrets
from tests.notify.receiving import SECRET

BODY = b'{"type":"review.opened","data":{}}'
AT = 1_767_355_200.0


def signed(body: bytes = BODY, secret: str = SECRET, *, at: float = AT, identity: str = "msg_1") -> dict[str, str]:
    return headers(identity, body, read_secrets(secret, "the secret"), at=at)


def test_what_was_signed_is_believed() -> None:
    assert verify(signed(), BODY, SECRET, now=AT) == json.loads(BODY)
    upper = {name.upper(): value for name, value in signed().items()}
    assert verify(upper, BODY, SECRET, now=AT) == json.loads(BODY)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    # https://github.com/standard-webhooks/standard-webhooks: HMAC-SHA256 of id.timestamp.body by the decoded secret
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    mac = hmac.new(key, b"msg_1." + str(int(AT)).encode() + b"." + BODY, hashlib.sha256).digest()
    assert signed() == {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(AT)),
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def test_the_published_example_is_reproduced() -> None:
    """The example of the specification's own libraries."""
    given = headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        read_secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "it"),
        at=1614265330,
    )
    assert given["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.binary(min_size=1, max_size=60), st.integers(0, 10**6), st.integers(1, 255))
def test_a_body_that_was_changed_anywhere_is_refused(body: bytes, place: int, flip: int) -> None:
    changed = bytearray(body)
    changed[place % len(body)] ^= flip
    with pytest.raises(BadSignature, match="signature"):
        verify(signed(body), bytes(changed), SECRET, now=AT)


@pytest.mark.parametrize(
    "more",
    [
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": str(int(AT) + 1)},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v1a," + signed()["webhook-signature"][3:]},
        {"webhook-signature": signed()["webhook-signature"][3:]},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1,\u2713 " * 100},
        {"webhook-id": ""},
        {"webhook-timestamp": ""},
        {"webhook-signature": ""},
        {"webhook-timestamp": "-1"},
        {"webhook-timestamp": "1e9"},
        {"webhook-timestamp": "\u0661\u0667"},
        {"webhook-timestamp": "9" * 5000},
        {"webhook-timestamp": "nan"},
    ],
)
def test_headers_that_were_changed_are_refused(more: dict[str, str]) -> None:
    with pytest.raises(BadSignature):
        verify({**signed(), **more}, BODY, SECRET, now=AT)


def test_a_request_without_headers_is_refused() -> None:
    with pytest.raises(BadSignature, match="webhook-id"):
        verify({}, BODY, SECRET)


@pytest.mark.parametrize("seconds", [TOLERANCE + 1, -TOLERANCE - 1, 10**9])
def test_an_old_message_and_one_from_the_future_are_refused(seconds: float) -> None:
    with pytest.raises(BadSignature, match="clocks"):
        verify(signed(), BODY, SECRET, now=AT + seconds)
    assert verify(signed(), BODY, SECRET, now=AT + seconds, tolerance=abs(seconds) + 1)


def test_without_a_time_given_it_is_now() -> None:
    with pytest.raises(BadSignature, match="clocks"):
        verify(signed(at=1.0), BODY, SECRET)


def test_another_secret_is_refused_and_of_several_any_will_do() -> None:
    old, new = new_secret(), new_secret()
    with pytest.raises(BadSignature):
        verify(signed(secret=old), BODY, new, now=AT)
    both = f"{new} {old}"
    assert verify(signed(secret=old), BODY, both, now=AT), "the receiver changes first"
    assert verify(signed(secret=both), BODY, old, now=AT), "the sender changes first"
    assert verify(signed(secret=both), BODY, new, now=AT)


@pytest.mark.parametrize(
    "secret", ["", "  ", "password", "whsec_short", "whsec_" + "A" * 8, "whsec_!!!", SECRET + " x"]
)
def test_a_secret_that_is_none_is_an_error_and_is_not_repeated(secret: str) -> None:
    with pytest.raises(ConfigError) as caught:
        verify(signed(), BODY, secret, now=AT)
    assert not secret.strip() or secret.split(maxsplit=1)[0] not in str(caught.value)


@pytest.mark.parametrize("body", [b"no json", b"[]", b"\xff", b"[" * 10_000])
def test_what_is_signed_and_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(BadSignature):
        verify(signed(body), body, SECRET, now=AT)


def test_new_secrets_are_good_and_differ() -> None:
    made = {new_secret() for _ in range(20)}
    assert len(made) == 20
    assert all(len(read_secrets(one, "it")[0]) == 32 for one in made)


def test_a_receiver_needs_none_of_the_extras() -> None:
    code = (
        "import sys; import guardrail.notify\n"
        "print([name for name in ('apprise', 'httpx', 'langgraph', 'torch', 'numpy', 'fastapi') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.strip() == "[]"
