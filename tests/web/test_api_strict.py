"""What is refused before it reaches anything, and how: strict JSON, sizes, hosts, parameters; failures that say nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.errors import StoreFull, StoreLocked
from guardrail.store import MemoryStore
from guardrail.types import ReviewState
from guardrail.web import Settings
from guardrail.web.errors import Refused
from guardrail.web.guarding import DEEPEST, strict
from tests.web.serving import ANA, URL, Site

JSON = {"content-type": "application/json"}
DIGEST = "0" * 64


def body(inner: str) -> bytes:
    return b'{"type": "edit", "seen_digest": "%s", "arguments": {"to": "DE02", "amount": %s}}' % (
        DIGEST.encode(),
        inner.encode("utf-8", "surrogatepass"),
    )


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"nothing",
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        body('1, "amount": 2'),
        body("NaN"),
        body("Infinity"),
        body("-Infinity"),
        body("1e999"),
        body("9" * 5000),
        body('"\\ud800"'),
        body('1, "\\udfff": 1'),
        body("\ud800"),
        body("[" * 100 + "]" * 100),
        body('{"a":' * 20_000 + "1" + "}" * 20_000),
        body("[" * 900_000),
        b"[]",
        b"null",
        b"3",
        b'"approve"',
    ],
    ids=lambda sent: sent[:40].decode("latin-1") + str(len(sent)),
)
def test_what_is_not_strict_json_is_refused(site: Site, sent: bytes) -> None:
    review = site.ask()
    answer = site.client().post(f"/api/v1/reviews/{review.id}/decide", content=sent, headers=JSON)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] in ("invalid-request", "invalid-parameters")
    assert site.store.review(review.id).state is ReviewState.PENDING


def test_a_key_that_stands_twice_decides_nothing(site: Site) -> None:
    review = site.ask()
    twice = f'{{"type": "reject", "type": "approve", "seen_digest": "{review.digest}"}}'
    answer = site.client().post(f"/api/v1/reviews/{review.id}/decide", content=twice, headers=JSON)
    assert answer.status_code == 400
    assert "twice" in answer.json()["detail"]
    assert site.store.review(review.id).state is ReviewState.PENDING


@pytest.mark.parametrize("sent", [{"type": "text/plain"}, {"type": "application/x-www-form-urlencoded"}, {}])
def test_a_form_cannot_decide(site: Site, sent: dict[str, str]) -> None:
    review = site.ask()
    content = f'{{"type": "approve", "seen_digest": "{review.digest}"}}'
    headers = {"content-type": sent["type"]} if sent else {}
    answer = site.client().post(f"/api/v1/reviews/{review.id}/decide", content=content, headers=headers)
    assert answer.status_code == 415
    assert site.store.review(review.id).state is ReviewState.PENDING


@pytest.mark.parametrize(
    "more",
    [
        {"by": "ben"},
        {"tenant": "other"},
        {"override": 1},
        {"override": "yes"},
        {"type": "APPROVE"},
        {"type": 1},
        {"seen_digest": None},
        {"message": 3},
        {"fault": "none"},
        {"arguments": "{}"},
    ],
)
def test_nothing_else_may_be_said_and_nothing_is_made_to_fit(site: Site, more: dict[str, Any]) -> None:
    review = site.ask()
    said = {"type": "approve", "seen_digest": review.digest, **more}
    answer = site.client().post(f"/api/v1/reviews/{review.id}/decide", json=said)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-parameters")
    assert site.store.review(review.id).state is ReviewState.PENDING


@pytest.mark.parametrize(
    "query", ["nonsense=1", "tool=a&tool=b", "limit=0", "limit=201", "limit=x", "state=open", "tier="]
)
def test_parameters_that_are_not_known_are_refused(site: Site, query: str) -> None:
    answer = site.client().get(f"/api/v1/reviews?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-parameters")


def test_a_bad_request_does_not_give_back_what_was_sent(site: Site) -> None:
    review = site.ask()
    said = {"type": "edit", "seen_digest": review.digest, "arguments": ["the secret"], "the secret key": 1}
    answer = site.client().post(f"/api/v1/reviews/{review.id}/decide", json=said)
    assert "the secret" not in answer.text.replace("the secret key", "")


def test_a_body_has_a_limit_however_it_comes(site: Site) -> None:
    small = Site(settings=Settings(url=URL, longest_body=2000))
    review, client = small.ask(), small.client()
    path = f"/api/v1/reviews/{review.id}/comments"

    def chunks() -> Iterator[bytes]:
        yield from [b" " * 100] * 50

    for content in (b" " * 5000, chunks()):
        answer = client.post(path, content=content, headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    lied = client.post(path, content=b"{}", headers={**JSON, "content-length": "99999999999999999999999"})
    assert lied.status_code == 413
    page = client.post(f"/reviews/{review.id}/comment", content=b"a" * 5000, headers={"accept": "text/html"})
    assert page.status_code == 413


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:8443.evil.example", "localhost:8443", ""])
def test_another_host_gets_nothing(site: Site, host: str) -> None:
    review = site.ask()
    for path in ("/api/v1/reviews", "/reviews", "/static/app.css", f"/api/v1/reviews/{review.id}"):
        for accept in ("*/*", "text/html"):
            answer = site.client().get(path, headers={"host": host, "accept": accept})
            assert answer.status_code == 421, path
            assert review.id not in answer.text


def test_the_port_that_goes_without_saying_may_be_said() -> None:
    site = Site(settings=Settings(url="https://Reviews.Example.com"))
    assert site.settings.url == "https://reviews.example.com"
    for host, status in {
        "reviews.example.com": 200,
        "reviews.example.com:443": 200,
        "reviews.example.com:80": 421,
    }.items():
        assert site.client().get("/api/v1/me", headers={"host": host}).status_code == status


@pytest.mark.parametrize(
    "url",
    ["ftp://a", "http://", "a.example", "http://a/b", "http://a?b", "http://u:p@a", "http://a:port", "http://[::1"],
)
def test_an_address_that_nobody_can_open_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        Settings(url=url)


class Broken(MemoryStore):
    """A store that fails, once it is told to, with what nobody should read."""

    error: Exception | None = None

    def find_reviews(self, *args: Any, **more: Any) -> Any:
        if self.error is not None:
            raise self.error
        return super().find_reviews(*args, **more)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("the secret"), 500),
        (ValueError("the secret"), 500),
        (KeyError("the secret"), 500),
        (RecursionError("the secret"), 500),
        (StoreLocked("/var/lib/secret.db is locked"), 503),
        (StoreFull("/var/lib/secret.db is full"), 507),
    ],
)
def test_what_failed_is_not_told(error: Exception, status: int, caplog: pytest.LogCaptureFixture) -> None:
    store = Broken()
    site = Site(store=store)
    store.error = error
    with caplog.at_level(logging.INFO):
        answer = site.client(raise_server_exceptions=False).get("/api/v1/reviews")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert "x-content-type-options" in answer.headers
    assert type(error).__name__ in caplog.text
    if status == 500:
        assert "the secret" not in caplog.text


def test_a_page_that_fails_is_a_page(site: Site) -> None:
    answer = site.client().get("/reviews/nothing-here", headers={"accept": "text/html"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    asked = site.client(None).get("/reviews?tool=a", headers={"accept": "text/html"})
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=%2Freviews%3Ftool%3Da")


def test_problems_have_what_programs_go_by(site: Site) -> None:
    client = site.client()
    for path, status, code in (
        ("/api/v1/nothing", 404, "not-found"),
        ("/api/v1/reviews/nothing-here", 404, "not-found"),
        ("/api/v1/reviews?after=nothing", 400, "invalid-request"),
        ("/api/v1/reviews?due_before=soon", 400, "invalid-request"),
        ("/api/v1/records?after=nothing", 400, "invalid-request"),
    ):
        answer = client.get(path)
        told = answer.json()
        assert (answer.status_code, told["code"], told["status"]) == (status, code, status), path
        assert told["type"] == f"urn:guardrail:problem:{code}"
        assert told["title"]
        assert told["detail"]
    assert client.delete("/api/v1/reviews").json()["code"] == "method-not-allowed"
    nobody = site.client(None).get("/api/v1/reviews")
    assert (nobody.status_code, nobody.headers["www-authenticate"]) == (401, "Bearer")


def test_every_answer_is_private(site: Site) -> None:
    for path in ("/api/v1/reviews", "/api/v1/nothing", "/healthz", "/reviews"):
        answer = site.client(ANA).get(path)
        assert answer.headers["cache-control"] == "no-store", path
        assert "default-src 'none'" in answer.headers["content-security-policy"]


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=10,
)


@given(_VALUES)
def test_strict_json_is_read_as_it_is(value: Any) -> None:
    assert strict(json.dumps(value).encode()) == value


@given(st.integers(1, DEEPEST * 3))
def test_depth_has_a_limit_and_below_it_none(depth: int) -> None:
    sent = b"[" * depth + b"]" * depth
    if depth <= DEEPEST:
        strict(sent)
    else:
        with pytest.raises(Refused):
            strict(sent)
