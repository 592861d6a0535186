"""How often people are told: floods become few messages, failures ever rarer attempts, and nothing is lost."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail import Queue
from guardrail.notify import channels_status, revive
from guardrail.notify.pace import MOST_ATTEMPTS, Pacing, wait
from guardrail.store import Store, open_store
from guardrail.types import NoticeState, Tier
from tests.notify.receiving import START, Clock, Recorded, alarm, channel, failing, notifier, opened
from tests.support.records import refund


def test_few_notices_are_told_one_by_one(store: Store, clock: Clock) -> None:
    told = Recorded()
    telling = notifier(store, clock, told)
    telling.look()
    for number in range(3):
        opened(store, number)
    assert telling.look().sent == 3
    assert [len(message.items) for _, message in told.messages] == [1, 1, 1]


def test_a_thousand_reviews_at_once_are_one_message(store: Store, clock: Clock) -> None:
    told = Recorded()
    telling = notifier(store, clock, told)
    telling.look()
    for number in range(1000):
        opened(store, number, tier=Tier.CRITICAL if number % 10 == 0 else Tier.LOW, due="2026-01-03T08:30:00+00:00")
    telling.look()
    ((_, message),) = told.messages
    assert len(message.items) == 1000
    assert message.text.splitlines() == [
        "1000 calls wait for a decision.",
        "By tier: critical 100, low 900",
        "By tool: refund 1000",
        "First deadline: 2026-01-03 08:30 UTC",
        "https://guard.example.com/reviews",
        f"Message {message.id[:12]}",
    ]
    assert message.title == "guardrail: 1000 calls wait for a decision"
    assert len(message.body(clock())) < 20_000
    assert {one.state for one in store.notices(limit=2000)} == {NoticeState.SENT}


def test_a_thousand_reviews_in_ten_minutes_are_few_messages_and_none_is_left_out(store: Store, clock: Clock) -> None:
    told = Recorded()
    telling = notifier(store, clock, told)
    telling.look()
    for number in range(1000):
        opened(store, number)
        clock.go(0.6)
        telling.look()
    assert 5 <= len(told.messages) <= 5 + 10 + 1
    clock.go(61)
    telling.look()
    assert sorted(item for _, item in told.told) == [f"review-{number:04d}" for number in range(1000)]


def test_a_failing_channel_is_tried_less_and_less_often_with_the_same_id(store: Store, clock: Clock) -> None:
    attempts: list[tuple[float, str]] = []
    told = Recorded(
        failures=failing(7),
        before=lambda message: attempts.append(((clock() - START).total_seconds(), message.id)),
    )
    telling = notifier(store, clock, told)
    telling.look()
    opened(store, 1)
    while not told.messages:
        telling.look()
        clock.go(1)
    gaps = [round(later[0] - earlier[0]) for earlier, later in pairwise(attempts)]
    assert gaps == [5, 10, 20, 40, 80, 160, 320]
    assert len({identity for _, identity in attempts}) == 1
    assert store.notices()[0].state is NoticeState.SENT


def test_what_is_never_taken_is_given_up_seen_and_can_be_owed_again(
    store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    told = Recorded(failures=failing(MOST_ATTEMPTS))
    telling = notifier(store, clock, told)
    telling.look()
    for number in range(4):
        opened(store, number)
    with caplog.at_level(logging.WARNING, "guardrail.notify"):
        for _ in range(MOST_ATTEMPTS):
            telling.look()
            clock.go(3601)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * (MOST_ATTEMPTS - 1) + ["ERROR"]
    (status,) = channels_status(store, [channel()], clock())
    assert (status.dead, status.owed, status.failures, status.messages, status.error) == (4, 0, MOST_ATTEMPTS, 0, "500")
    assert telling.look().sent == 0
    dead = {one.message for one in store.notices()}
    assert revive(store, "ops", clock()) == 1
    telling.look()
    ((_, message),) = told.messages
    assert {message.id} == dead
    assert len(message.items) == 4


def test_a_receiver_that_never_wants_to_hear_of_it_again_is_not_asked_again(store: Store, clock: Clock) -> None:
    told = Recorded(failures=failing(1, "410", final=True))
    telling = notifier(store, clock, told)
    telling.look()
    opened(store, 1)
    telling.look()
    assert [one.state for one in store.notices()] == [NoticeState.DEAD]


def test_a_receiver_says_how_long_to_wait(store: Store, clock: Clock) -> None:
    told = Recorded(failures=failing(1, "429", after=600.0))
    telling = notifier(store, clock, told)
    telling.look()
    opened(store, 1)
    telling.look()
    clock.go(599)
    opened(store, 2)
    telling.look()
    assert told.messages == []
    clock.go(1)
    telling.look()
    assert len(told.messages) == 2


def test_one_message_that_is_not_taken_holds_up_no_other_for_long(store: Store, clock: Clock) -> None:
    poison = opened(store, 0)

    def refuse(message: object) -> None:
        if any(item.id == poison for item in message.items):  # type: ignore[attr-defined]
            raise RuntimeError("I cannot take this one")

    told = Recorded(before=refuse)
    telling = notifier(store, clock, told)
    for number in range(1, 30):
        telling.look()
        opened(store, number)
        clock.go(300)
    assert {item for _, item in told.told} >= {f"review-{number:04d}" for number in range(1, 28)}
    assert poison not in {item for _, item in told.told}


def test_channels_do_not_wait_for_each_other(store: Store, clock: Clock) -> None:
    told = Recorded()
    broken = Recorded(failures=failing(1000))
    telling = notifier(store, clock, told, channel("bad"), channel("good"))
    telling._senders[0] = (telling._senders[0][0], broken(channel("bad")))
    telling.look()
    opened(store, 1)
    result = telling.look()
    assert (result.sent, result.failed, [name for name, _ in told.messages]) == (1, 1, ["good"])


def test_a_slow_channel_holds_up_no_other(store: Store, clock: Clock) -> None:
    both = threading.Barrier(2, timeout=20)
    told = Recorded(before=lambda _: both.wait() and None)
    telling = notifier(store, clock, told, channel("one"), channel("other"))
    telling.look()
    opened(store, 1)
    assert telling.look().sent == 2, "each was sent while the other was on its way"


def test_a_damaged_review_holds_up_no_other(store: Store, clock: Clock) -> None:
    told = Recorded()
    telling = notifier(store, clock, told)
    telling.look()
    damaged, fine = opened(store, 1), opened(store, 2)
    telling._owing.look(clock())
    row = store._reviews[damaged]  # type: ignore[attr-defined]
    store._reviews[damaged] = row._replace(body='{"no": "review"}')  # type: ignore[attr-defined]
    telling.look()
    clock.go(301)
    telling.look()
    assert told.told == [("opened", fine)]


def test_several_kinds_of_things_are_told_together(store: Store, clock: Clock) -> None:
    told = Recorded()
    telling = notifier(store, clock, told)
    telling.look()
    for number in range(4):
        opened(store, number, call=replace(refund(), name=f"tool_{number}"))
    store.raise_alarm(alarm(tool="tool_1"))
    telling.look()
    ((_, message),) = told.messages
    assert message.title == "guardrail: 4 calls wait for a decision; 1 alarm was raised"
    assert "6 of 20 audited calls of tool_1 in the low tier were wrong; at most 5 % are promised." in message.text
    assert "By tool: tool_0 1, tool_1 1, tool_2 1, tool_3 1" in message.text
    assert message.payload(clock())["type"] == "several"


def test_processes_share_one_pace(clock: Clock) -> None:
    store, told = open_store("memory://"), Recorded()
    lock = threading.Lock()
    processes = [notifier(store, clock, told, channel(burst=2, every=60.0)) for _ in range(4)]
    processes[0].look()
    for number in range(40):
        opened(store, number)

    def look(number: int) -> None:
        del number
        with lock:
            one = processes.pop()
        one.look()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(look, range(4)))
    assert 1 <= len(told.messages) <= 2
    clock.go(3600)
    last = notifier(store, clock, told, channel(burst=2, every=60.0))
    last.look()
    ids = [item for _, item in told.told]
    assert sorted(ids) == sorted(set(ids)) == [f"review-{number:04d}" for number in range(40)]
    store.close()


def test_no_more_is_sent_than_the_pace_allows_however_it_is_asked(store: Store) -> None:
    pacing = Pacing(store, channel(burst=3, every=10.0))
    taken = [pacing.take(1000.0 + 0.5 * step) for step in range(200)]
    assert sum(one == 0 for one in taken) == 3 + 9
    assert all(one >= 0 for one in taken)


def test_a_clock_that_goes_back_gives_nothing(store: Store) -> None:
    pacing = Pacing(store, channel(burst=1, every=10.0))
    assert pacing.take(1000.0) == 0
    assert pacing.take(900.0) > 0
    assert pacing.take(1005.0) > 0
    assert pacing.take(1010.0) == 0


def test_what_another_version_kept_of_the_pace_is_no_obstacle(store: Store) -> None:
    store.put_state("notify/pace/ops", '{"colour": "red"}', revision=0)
    assert Pacing(store, channel()).take(1000.0) == 0


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_waits_grow_are_never_none_and_never_more_than_an_hour(failures: int, chance: float) -> None:
    assert 2.5 <= wait(failures, lambda: chance) <= 3600
    assert wait(failures, lambda: chance) <= wait(failures + 1, lambda: chance)


def test_decisions_are_told_only_to_whoever_asks(store: Store, clock: Clock) -> None:
    told = Recorded()
    telling = notifier(store, clock, told)
    telling.look()
    Queue(store).approve(opened(store, 1), by="ada")
    telling.look()
    assert (told.messages, store.notices()) == ([], [])


def test_a_message_whose_turn_another_process_took_waits_and_counts_no_attempt(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, one = Recorded(), channel(burst=1)
    telling = notifier(store, clock, told, one)
    telling.look()
    opened(store, 1)
    real = store.claim_notices

    def claim(*given: object, **more: object) -> object:
        Pacing(store, one).take(clock().timestamp())
        return real(*given, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(store, "claim_notices", claim)
        telling.look()
    assert told.messages == []
    (notice,) = store.notices()
    assert (notice.state, notice.attempts) == (NoticeState.OWED, 0)
    clock.go(60)
    telling.look()
    assert len(told.messages) == 1
