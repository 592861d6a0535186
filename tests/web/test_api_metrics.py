"""Figures and health: what they say, and to whom."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from guardrail.errors import StoreError
from guardrail.store import MemoryStore
from guardrail.types import PrincipalKind
from guardrail.web import Settings
from tests.web.serving import ANA, BEN, BOSS, BOT, STRANGER, URL, Site

MONITOR = replace(ANA, name="prometheus", scopes=("metrics:read",))


def figures(site: Site) -> dict[tuple[str, ...], float]:
    answer = site.client(MONITOR).get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_figures_tell_of_what_waits_and_what_was_decided(any_site: Site) -> None:
    before = any_site.ask()
    any_site.queue.approve(before.id, by=ANA)
    assert figures(any_site)["guardrail_reviews_oldest_seconds",] == 0
    reviews = [any_site.ask(), any_site.ask(tenant="other"), any_site.ask_low()]
    any_site.clock.move(90)
    any_site.queue.claim(reviews[2].id, by=ANA)
    any_site.queue.reject(reviews[0].id, by=ANA, message="no")
    any_site.app.state.house.metrics._counted = -100.0  # counts are kept for some seconds
    found = figures(any_site)
    assert found["guardrail_reviews_open", "critical", "pending"] == 1
    assert found["guardrail_reviews_open", "claimed", "low"] == 1
    assert found["guardrail_reviews_open", "high", "pending"] == 0
    assert found["guardrail_reviews_oldest_seconds",] == 90
    assert found["guardrail_decisions_total", "critical", "reject"] == 1
    assert ("guardrail_decisions_total", "approve", "critical") not in found  # before anybody counted
    assert found["guardrail_review_wait_seconds_sum", "critical"] == 90
    assert found["guardrail_review_wait_seconds_count", "critical"] == 1


def test_decisions_of_other_doors_and_new_tenants_are_counted(any_site: Site) -> None:
    figures(any_site)
    review = any_site.ask(tenant="brand new")
    any_site.queue.approve(review.id, by="a person at the command line")
    out_of_time = any_site.ask(due=any_site.clock.after(10))
    any_site.clock.move(20)
    any_site.queue.sweep()
    found = figures(any_site)
    assert found["guardrail_decisions_total", "approve", "critical"] == 1
    assert found["guardrail_decisions_total", "critical", "expired"] == 1
    assert figures(any_site)["guardrail_decisions_total", "approve", "critical"] == 1
    assert out_of_time.due


def test_requests_are_counted_by_route_and_never_by_path(site: Site) -> None:
    review = site.ask()
    site.client().get(f"/api/v1/reviews/{review.id}?nonsense=hush")
    site.client(None).get("/welcome/hush-hush")
    site.client().get("/api/v1/reviews/hush'--")
    text = site.client(MONITOR).get("/metrics").text
    assert '{method="GET",route="/api/v1/reviews/{review_id}",status="422"} 1.0' in text
    assert review.id not in text
    assert "hush" not in text


def test_strange_methods_do_not_make_new_figures(site: Site) -> None:
    for method in ("BREW", "X" * 1000, "PROPFIND"):
        site.client().request(method, "/api/v1/reviews")
    assert "BREW" not in site.client(MONITOR).get("/metrics").text


@pytest.mark.parametrize(
    ("who", "status"),
    [
        (None, 401),
        (ANA, 403),
        (replace(ANA, scopes=("reviews:read", "reviews:decide")), 403),
        (STRANGER, 403),
        (replace(STRANGER, scopes=("metrics:read",)), 403),
        (BOSS, 200),
        (MONITOR, 200),
        (replace(BOT, scopes=("metrics:read",)), 200),
        (replace(MONITOR, kind=PrincipalKind.SYSTEM), 200),
    ],
)
def test_figures_are_for_whoever_may_read_them(site: Site, who: Any, status: int) -> None:
    assert site.client(who).get("/metrics").status_code == status


def test_an_operator_may_open_the_figures() -> None:
    site = Site(settings=Settings(url=URL, open_metrics=True))
    site.ask(tenant="a tenant's name", requester="somebody's name", thread="a thread")
    answer = site.client(None).get("/metrics", headers={"host": "10.0.0.7:8443"})
    assert answer.status_code == 200
    for name in ("a tenant", "somebody", "a thread", "transfer"):
        assert name not in answer.text


def test_each_application_has_figures_of_its_own() -> None:
    one, two = Site(), Site()
    one.ask()
    assert figures(one)["guardrail_reviews_open", "critical", "pending"] == 1
    assert figures(two)["guardrail_reviews_open", "critical", "pending"] == 0


class _Broken(MemoryStore):
    broken = False

    def change_mark(self) -> int:
        if self.broken:
            raise StoreError("postgresql://user:secret@db is gone")
        return super().change_mark()


def test_a_process_is_ready_while_its_store_answers() -> None:
    store = _Broken()
    site = Site(store=store)
    client = site.client(None, raise_server_exceptions=False)
    headers = {"host": "10.0.0.7"}
    assert client.get("/readyz", headers=headers).status_code == 200
    store.broken = True
    failed = client.get("/readyz", headers=headers)
    assert failed.status_code == 503
    assert "secret" not in failed.text
    assert client.get("/healthz", headers=headers).status_code == 200


def test_draws_are_of_ones_own_tenant(any_site: Site) -> None:
    from guardrail.types import AuditDraw

    ours, theirs = any_site.ask(), any_site.ask(tenant="other")
    any_site.store.add_draws(
        [
            AuditDraw(
                record_id=one.record_id, call_id="c1", probability=0.5, batch="b1", at="2026-01-02T05:00:00+00:00"
            )
            for one in (ours, theirs)
        ]
    )
    for who, review in ((ANA, ours), (STRANGER, theirs)):
        drawn = any_site.client(who).get("/api/v1/draws").json()
        assert [one["record_id"] for one in drawn["draws"]] == [review.record_id]
        assert not drawn["more"]
    assert any_site.client(BEN).get(f"/api/v1/draws?record={theirs.record_id}").json()["draws"] == []
