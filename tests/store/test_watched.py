"""Labels in their order, draws, alarms and small states: what every store does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from guardrail.errors import NotFound, StoreError
from guardrail.store import Store
from guardrail.types import Alarm, AuditDraw, Tier
from tests.support.records import label, record

DRAW = AuditDraw(record_id="rec-000001", call_id="call_1", probability=0.25, batch="week 1", at="2026-01-04T00:00:00Z")
ALARM = Alarm(
    id="alarm-0001",
    at="2026-01-04T00:00:00Z",
    tier=Tier.MEDIUM,
    alpha=0.1,
    delta=0.05,
    audits=40,
    wrong=12,
    e_value=31.5,
    calibration="c1",
)


def test_labels_come_in_the_order_in_which_they_were_added(store: Store) -> None:
    store.add_record(record("rec-000001", labels=(label(),)))
    store.add_record(record("rec-000002"))
    store.add_label("rec-000002", label(note="second"))
    store.add_label("rec-000001", label(note="third"))
    found = store.labelled()
    assert [(name, one) for _, name, one in found] == [
        ("rec-000001", label()),
        ("rec-000002", label(note="second")),
        ("rec-000001", label(note="third")),
    ]
    numbers = [number for number, _, _ in found]
    assert numbers == sorted(set(numbers))
    assert store.labelled(after=numbers[0]) == found[1:]
    assert store.labelled(after=numbers[0], limit=1) == found[1:2]
    assert store.labelled(after=numbers[-1]) == []


def test_a_label_that_comes_twice_has_one_place(store: Store) -> None:
    store.add_record(record())
    for _ in range(2):
        store.add_label("rec-000001", label())
    store.add_label("rec-000001", label(note="another"))
    assert [one.note for _, _, one in store.labelled()] == ["", "another"]


def test_a_draw_is_kept_once_a_batch(store: Store) -> None:
    other = replace(DRAW, call_id="call_2")
    assert store.add_draws([DRAW]) == 1
    assert store.add_draws([replace(DRAW, probability=0.9), other]) == 1
    assert store.add_draws([replace(DRAW, batch="week 2", probability=0.5)]) == 1
    assert [one.probability for _, one in store.draws()] == [0.25, 0.25, 0.5]
    first = store.draws()[0][0]
    assert [one for _, one in store.draws(after=first)] == [other, replace(DRAW, batch="week 2", probability=0.5)]
    assert [one for _, one in store.draws(after=first, limit=1)] == [other]


def test_draws_of_one_record(store: Store) -> None:
    store.add_draws([DRAW, replace(DRAW, record_id="rec-000002")])
    assert [one.record_id for _, one in store.draws(record_id="rec-000002")] == ["rec-000002"]
    assert store.draws(record_id="' OR 1=1 --") == []


def test_draws_are_added_all_or_none(store: Store) -> None:
    with pytest.raises(StoreError):
        store.add_draws([DRAW, replace(DRAW, call_id="call_2", probability=float("nan"))])
    assert store.draws() == []


def test_an_alarm_stands_until_it_is_cleared(store: Store) -> None:
    assert store.raise_alarm(ALARM) is True
    assert store.raise_alarm(replace(ALARM, wrong=99)) is False
    assert store.raise_alarm(replace(ALARM, id="alarm-0002", tool="refund")) is True
    assert store.alarms() == [ALARM, replace(ALARM, id="alarm-0002", tool="refund")]
    cleared = store.clear_alarm("alarm-0001", by="ana", at="2026-01-05T00:00:00Z", note="a bad prompt, taken back")
    assert (cleared.cleared_by, cleared.cleared_at, cleared.note) == (
        "ana",
        "2026-01-05T00:00:00Z",
        "a bad prompt, taken back",
    )
    assert [one.id for one in store.alarms()] == ["alarm-0002"]
    assert store.alarms(standing=False) == [cleared, replace(ALARM, id="alarm-0002", tool="refund")]


def test_an_alarm_is_cleared_once_and_not_raised_again(store: Store) -> None:
    store.raise_alarm(ALARM)
    first = store.clear_alarm("alarm-0001", by="ana", at="2026-01-05T00:00:00Z")
    assert store.clear_alarm("alarm-0001", by="bo", at="2026-01-06T00:00:00Z", note="me too") == first
    assert store.raise_alarm(ALARM) is False
    assert store.alarms() == []
    with pytest.raises(NotFound, match="guardrail status"):
        store.clear_alarm("alarm-9999", by="ana", at="2026-01-05T00:00:00Z")


def test_a_state_changes_only_from_the_revision_that_was_seen(store: Store) -> None:
    assert store.state("watch") is None
    assert store.put_state("watch", "one", revision=1) is False
    assert store.put_state("watch", "one", revision=0) is True
    assert store.state("watch") == (1, "one")
    assert store.put_state("watch", "again", revision=0) is False
    assert store.put_state("watch", "two \u202e \x00 \ud83d", revision=1) is True
    assert store.state("watch") == (2, "two \u202e \x00 \ud83d")
    assert store.state("%") is None


def test_of_many_writers_of_one_state_one_wins_each_round(store: Store) -> None:
    def count(_: int) -> None:
        while True:
            revision, text = store.state("count") or (0, "0")
            if store.put_state("count", str(int(text) + 1), revision=revision):
                return

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(40)))
    assert store.state("count") == (40, "40")
