"""Hostile text in every filter, place and path: nothing breaks, and nobody's rows come but one's own."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from guardrail.store import Store
from guardrail.store.listing import Place, cursor
from guardrail.types import ReviewFilter
from tests.web.serving import ANA, STRANGER, Site, transfer

pytestmark = pytest.mark.parametrize("store", ["sqlite", "postgres"], indirect=True)
CORPUS = [
    "'",
    '"',
    "' OR '1'='1",
    "' OR 1=1 --",
    "') OR ('1'='1",
    "'; DROP TABLE reviews; --",
    "' UNION SELECT body FROM reviews --",
    "1; SELECT pg_sleep(10)",
    "\\'; SELECT 1; --",
    "$$; SELECT 1; $$",
    "%(tenant)s",
    ":tenant",
    "?",
    "%s",
    "%",
    "_",
    "%%%",
    "______",
    "*",
    "[a-z]*",
    ".*",
    "$.tenant",
    '$."tenant"',
    "$[*]",
    '{"$ne": null}',
    "other",
    "null",
    "None",
    "true",
    "0",
    "-1",
    "9" * 400,
    "\x00",
    "a\x00b",
    "\x00' OR 1=1 --",
    "\x1b[31m",
    "\r\nX-Injected: yes",
    "\u202e",
    "\u200b",
    "\ufeff",
    "\uffff",
    "\U0010ffff",
    "\U000e0041",
    "\uff41\uff4e\uff41",
    "e\u0301" * 100,
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "//evil.example",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "${7*7}",
    "x" * 999,
    "x" * 5_000,
    "\U0001f4a9" * 250,
    " ",
    "\t\n",
]
RAW = ["%ff", "%c0%af", "%ed%a0%80", "%00", "%u0041", "%", "%2", "%f8%88%80%80%80"]
"""Already encoded, and wrong."""
FILTERS = [
    "state",
    "tier",
    "tool",
    "thread",
    "record",
    "requester",
    "claimed_by",
    "due_before",
    "limit",
    "after",
    "nothing",
]
OTHERS = {
    "/api/v1/records": ["thread", "limit", "after"],
    "/api/v1/draws": ["record", "after", "limit"],
    "/api/v1/audit/entries": ["shard", "after", "limit"],
    "/api/v1/alarms": ["standing"],
}
PATHS = ["/api/v1/reviews/{}", "/api/v1/reviews/{}/history", "/api/v1/reviews/{}/audit", "/api/v1/records/{}"]
SECRET = "the other tenant's secret"


@pytest.fixture
def apart(store: Store) -> Site:
    """Two tenants with a review each."""
    site = Site(store=store)
    site.ask(transfer(memo="ours"))
    site.ask(transfer(memo=SECRET), tenant="other", thread=SECRET, requester=SECRET)
    return site


def asked() -> Iterator[str]:
    for text in [*map(quote, CORPUS), *RAW]:
        yield from (f"/api/v1/reviews?{name}={text}" for name in FILTERS)
        yield f"/api/v1/reviews?{text}=1"
        for path, names in OTHERS.items():
            yield from (f"{path}?{name}={text}" for name in names)


def test_hostile_filters_break_nothing_and_show_nothing(apart: Site) -> None:
    client, theirs = apart.client(ANA), apart.store.audit_heads(tenant="other")
    marks = [head.hash for head in theirs]
    for where in asked():
        answer = client.get(where)
        assert answer.status_code in (200, 400, 403, 404, 422), (where[:200], answer.status_code)
        assert SECRET not in answer.text, where[:200]
        assert not any(mark in answer.text for mark in marks), where[:200]
    assert len(apart.store.reviews()) == 2
    assert [head.hash for head in apart.store.audit_heads(tenant="other")] == marks


def test_a_filter_is_taken_word_by_word(apart: Site) -> None:
    client = apart.client(ANA)
    for text in CORPUS:
        for name in ("tool", "thread", "record", "requester", "claimed_by"):
            answer = client.get("/api/v1/reviews", params={name: text})
            if answer.status_code == 200:
                assert answer.json()["reviews"] == [], (name, text[:50])


def test_hostile_paths_lead_nowhere(apart: Site) -> None:
    client = apart.client(ANA)
    for text in [*(quote(one, safe="") for one in CORPUS), *RAW]:
        for path in PATHS:
            answer = client.get(path.format(text))
            assert answer.status_code in (400, 404, 405, 422), (path, text[:50], answer.status_code)
            assert SECRET not in answer.text
        answer = client.post(f"/api/v1/reviews/{text}/decide", json={"type": "approve", "seen_digest": "x"})
        assert answer.status_code in (400, 404, 405, 422), text[:50]


def test_hostile_texts_are_kept_as_they_are_or_refused(store: Store) -> None:
    site = Site(store=store)
    for text in CORPUS:
        review = site.ask()
        said = {"type": "reject", "seen_digest": review.digest, "message": text}
        answer = site.client().post(f"/api/v1/reviews/{review.id}/decide", json=said)
        assert answer.status_code in (200, 422), (text[:50], answer.text)
        kept = store.review(review.id).decision
        if answer.status_code == 200:
            assert kept is not None
            assert kept.message == text
        comment = site.client().post(f"/api/v1/reviews/{review.id}/comments", json={"text": text})
        assert comment.status_code in (200, 422), (text[:50], comment.text)


def test_hostile_values_in_an_edit_arrive_as_they_are_or_are_refused(store: Store) -> None:
    site = Site(store=store)
    for text in [*CORPUS, 10**250, -(10**250), 1e308, 5e-324]:
        review = site.ask()
        arguments = (
            {"to": "DE02", "amount": 1, "memo": text} if isinstance(text, str) else {"to": "DE02", "amount": text}
        )
        said = {"type": "edit", "seen_digest": review.digest, "arguments": arguments}
        answer = site.client().post(f"/api/v1/reviews/{review.id}/decide", json=said)
        assert answer.status_code in (200, 422), (str(text)[:50], answer.text)
        if answer.status_code == 200:
            kept = store.review(review.id).decision
            assert kept is not None
            assert kept.arguments == arguments


def test_what_a_model_wrote_never_breaks_an_answer(store: Store) -> None:
    site = Site(store=store)
    for text in [*CORPUS, "\ud800", "a\udfffb"]:
        review = site.ask(transfer(memo=text))
        client = site.client()
        told = client.get(f"/api/v1/reviews/{review.id}")
        assert told.status_code == 200, ascii(text[:50])
        assert told.json()["review"]["call"]["arguments"]["memo"] == text
        assert client.get(f"/api/v1/records/{review.record_id}").status_code == 200
        said = {"type": "approve", "seen_digest": review.digest}
        assert client.post(f"/api/v1/reviews/{review.id}/decide", json=said).status_code == 200
    assert site.client().get("/api/v1/reviews?limit=200").status_code == 200


def test_a_place_in_a_list_is_of_this_list_and_tenant_alone(apart: Site) -> None:
    for _ in range(3):
        apart.ask()
        apart.ask(tenant="other")
    ours, theirs = apart.client(ANA), apart.client(STRANGER)
    mine = ours.get("/api/v1/reviews?limit=1").json()["after"]
    foreign = theirs.get("/api/v1/reviews?limit=1").json()["after"]
    assert ours.get("/api/v1/reviews", params={"after": mine, "limit": 1}).status_code == 200
    forged = [
        foreign,
        mine[:-1],
        mine[::-1],
        mine + "A",
        mine.swapcase(),
        "AAAA",
        "=" * 8,
        cursor(Place(-(2**63), "", 2**63 - 1), ReviewFilter(tenant="other")),
        *(
            base64.urlsafe_b64encode((check + json.dumps(place)).encode()).decode()
            for check in ("", "0" * 12, base64.urlsafe_b64decode(mine + "==")[:12].decode())
            for place in ([0, "", 0], [], [1], {}, None, "x", [None, None, None], [10**400, "", 0])
        ),
    ]
    for after in forged:
        answer = ours.get("/api/v1/reviews", params={"after": after})
        assert (answer.status_code, answer.json().get("code")) == (400, "invalid-request"), after
    other_filter = ours.get("/api/v1/reviews", params={"after": mine, "tier": "critical"})
    assert other_filter.status_code == 400


@pytest.mark.parametrize(
    "place",
    [
        [],
        [1, 2, 3, 4],
        [None, None, None],
        [0, "", 0],
        [0, 7, 0],
        [0, "\x00", 0],
        [0, "\ud800", 0],
        [0, "tomorrow", 0],
        [True, "2026-01-02T04:00:00.000000+00:00", False],
        [10**400, "2026-01-02T04:00:00.000000+00:00", 10**30],
        ["a", 1, "b"],
        {"a": 1, "b": 2, "c": 3},
    ],
)
def test_a_place_that_carries_the_right_check_breaks_nothing(store: Store, place: list[object]) -> None:
    """The check has no key: whoever reads the source can write it."""
    from guardrail.store.listing import _check

    site = Site(store=store)
    site.ask()
    site.ask(transfer(memo=SECRET), tenant="other")
    text = json.dumps(place, separators=(",", ":"))
    after = base64.urlsafe_b64encode((_check(text, ReviewFilter()) + text).encode()).decode().rstrip("=")
    answer = site.client().get("/api/v1/reviews", params={"after": after})
    assert answer.status_code == 400, answer.text
