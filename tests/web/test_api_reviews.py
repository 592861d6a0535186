"""The queue over HTTP."""

from __future__ import annotations

from tests.web.serving import Site


def test_reviews_of_the_guard_are_there(any_site: Site) -> None:
    review = any_site.ask()
    assert review.tier.value == "critical"
    assert any_site.record(review).verdict.verdicts[0].clusters
    low = any_site.ask_low()
    assert low.id != review.id
    assert any_site.client().get("/static/app.css").status_code == 200
