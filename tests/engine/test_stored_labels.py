"""The labels of a store: every page of its records and draws."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guardrail.engine import labels
from guardrail.store import MemoryStore, paging
from guardrail.types import AuditDraw
from tests.support.records import label, record


def test_every_page_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "_PAGE", 3)
    store = MemoryStore()
    for number in range(7):
        one = record(f"rec-{number:06}", labels=(label(),))
        store.add_record(replace(one, verdict=replace(one.verdict, audited=True, audit_probability=0.5)))
    draws = [
        AuditDraw(record_id=f"rec-{n:06}", call_id="call_1", probability=0.5, batch="b", at="2026-02-01T00:00:00Z")
        for n in range(5)
    ]
    assert sum(call.probability == 0.5 for call in labels.stored_labels(store).calls) == 7
    store.add_draws([replace(draw, since="2025-01-01T00:00:00Z") for draw in draws])
    assert sum(call.probability == 0.25 for call in labels.stored_labels(store).calls) == 5
