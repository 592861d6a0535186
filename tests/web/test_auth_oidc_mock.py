"""Signing in by a provider that others made: the package oidc-provider-mock, in a process of its own."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx
import pytest

from guardrail.web.auth import use_provider
from guardrail.web.auth.oidc_settings import SECRET, OidcSettings
from tests.web.entrance import Entrance

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("oidc_provider_mock") is None, reason="oidc-provider-mock is not installed"
)


@contextmanager
def mocked() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "oidc_provider_mock",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--require-nonce",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        issuer = f"http://127.0.0.1:{port}"
        try:
            _wait(process, issuer)
            yield issuer
        finally:
            process.kill()


def _wait(process: subprocess.Popen[bytes], issuer: str) -> None:
    for _ in range(300):
        assert process.poll() is None
        try:
            httpx.get(f"{issuer}/.well-known/openid-configuration").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the provider does not answer")


@pytest.fixture
def issuer(entrance: Entrance) -> Iterator[str]:
    with mocked() as issuer:
        settings = {
            "issuer": issuer,
            "client_id": "guardrail",
            "title": "the company",
            "name_claim": "nickname",
            "scopes": ["openid", "profile", "groups"],
            "accept": {"groups": ["staff"]},
            "roles": {"finance": ["treasury"]},
        }
        use_provider(entrance.app, OidcSettings.model_validate(settings))
        yield issuer


@pytest.fixture
def entrance(monkeypatch: pytest.MonkeyPatch) -> Entrance:
    monkeypatch.setenv(SECRET, "a secret")
    made = Entrance()
    made.clock.now = datetime.now(UTC)  # as the provider's
    return made


def signs_in(entrance: Entrance, issuer: str, subject: str, claims: dict[str, object]) -> tuple[httpx.Response, bool]:
    httpx.put(f"{issuer}/users/{subject}", json=claims).raise_for_status()
    browser = entrance.browser()
    where = browser.get("/oidc/login?next=/log").headers["location"]
    assert where.startswith(f"{issuer}/")
    back = httpx.post(where, data={"sub": subject})
    parts = urlsplit(back.headers["location"])
    answer = browser.get(f"{parts.path}?{parts.query}")
    return answer, browser.get("/account").status_code == 200


def test_somebody_signs_in_by_a_provider_that_others_made(entrance: Entrance, issuer: str) -> None:
    answer, is_in = signs_in(entrance, issuer, "ana-1", {"nickname": "ana", "groups": ["staff", "finance"]})
    assert (answer.status_code, answer.headers.get("location")) == (303, "/log"), answer.text
    assert is_in
    account = entrance.access.of_subject(issuer, "ana-1")
    assert account is not None
    assert (account.name, account.roles) == ("ana", ("treasury",))


def test_somebody_whom_it_knows_but_we_do_not_accept_stays_outside(entrance: Entrance, issuer: str) -> None:
    answer, is_in = signs_in(entrance, issuer, "eve-1", {"nickname": "eve", "groups": ["guests"]})
    assert answer.status_code == 403
    assert not is_in
