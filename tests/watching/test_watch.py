"""Which answers count, what raises an alarm, and that watching survives whatever ends it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from guardrail.calibration import calibration_digest
from guardrail.calibration.eprocess import EProcess
from guardrail.errors import StoreError
from guardrail.store import MemoryStore, Store, open_store
from guardrail.types import Alarm, AuditDraw, LabelSource, Route, Tier
from guardrail.watching import look, watch, watched
from guardrail.watching.watcher import key_of
from tests.watching.promised import audit, promised, ran, said

A, C = LabelSource.AUDIT, LabelSource.CHECKER
BAD = "x.x" * 5
"""Answers that raise the alarm of a tier that promises at most a tenth."""


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = open_store("memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'guardrail.db'}")
    yield opened
    opened.close()


def counted(store: Store, calibration, tool: str = "") -> tuple[int, int]:
    """Audits and wrong ones."""
    stream = look(store, calibration).evidence.stream(Tier.MEDIUM, tool)
    return (0, 0) if stream is None else (stream.process.n, stream.process.wrong)


def test_audited_calls_that_ran_count_for_their_tier_and_their_tool(store: Store) -> None:
    one = promised()
    store.add_record(ran(one, "rec-000001", "refund", "mail"))
    store.add_label("rec-000001", said(True))
    store.add_label("rec-000001", said(False, "call_2"))
    assert counted(store, one) == (2, 1)
    assert counted(store, one, "refund") == (1, 0)
    assert counted(store, one, "mail") == (1, 1)


@pytest.mark.parametrize(
    ("record", "label"),
    [
        ({"audited": 0}, {}),
        ({"audited": 0}, {"probability": 0.3}),
        ({"route": Route.REVIEW}, {}),
        ({"route": Route.RETRY}, {}),
        ({"tier": Tier.LOW}, {}),
        ({}, {"source": LabelSource.REVIEW}),
        ({}, {"source": LabelSource.IMPORT, "probability": 1.0}),
        ({}, {"call_id": "call_9"}),
        ({"audited": 0}, {"source": C}),
    ],
)
def test_what_no_draw_chose_or_no_promise_let_run_does_not_count(store: Store, record, label) -> None:
    one = promised()
    store.add_record(ran(one, "rec-000001", **record))
    store.add_label("rec-000001", said(False, **label))
    assert counted(store, one) == (0, 0)


def test_calls_that_ran_on_another_promise_do_not_count(store: Store) -> None:
    one, other = promised(), promised(alpha=0.2)
    audit(store, other, "xxx")
    assert counted(store, one) == (0, 0)
    assert counted(store, other) == (3, 3)


@pytest.mark.parametrize(
    "labels", [[said(True, source=C)], [said(True)], [said(True, source=C, probability=0.5)]], ids=["c", "a", "cp"]
)
def test_checkers_count_like_people(store: Store, labels) -> None:
    one = promised()
    store.add_record(ran(one, "rec-000001"))
    for label in labels:
        store.add_label("rec-000001", label)
    assert counted(store, one) == (1, 0)


def drawn(identity: str, probability: float, *, batch: str = "w1", at: str = "2026-01-02T12:00:00Z") -> AuditDraw:
    since, until = "2026-01-01T00:00:00Z", "2026-01-05T00:00:00Z"
    return AuditDraw(
        record_id=identity, call_id="call_1", probability=probability, batch=batch, at=at, since=since, until=until
    )


def test_a_second_draw_among_audited_calls_multiplies_their_probability(store: Store) -> None:
    one = promised()
    for identity in ("rec-000001", "rec-000002", "rec-000003", "rec-000004"):
        store.add_record(ran(one, identity, audited=0 if identity == "rec-000004" else 0.2))
    store.add_draws([drawn("rec-000001", 0.5), drawn("rec-000002", 0.25)])
    store.add_label("rec-000001", said(True))
    store.add_label("rec-000002", said(False))
    store.add_label("rec-000003", said(False))
    store.add_label("rec-000004", said(False))
    stream = look(store, one).evidence.stream(Tier.MEDIUM)
    assert stream is not None
    assert (stream.process.n, stream.process.wrong) == (2, 1)
    assert stream.rate == pytest.approx(4 / 6)
    assert stream.effective == pytest.approx(36 / 20)
    expected = EProcess.start(alpha=0.1, delta=0.05).update(False, stake=1).update(True, stake=2)
    assert stream.process.e_value == pytest.approx(expected.e_value)


def test_a_draw_that_was_made_after_an_answer_does_not_change_what_it_counts(store: Store) -> None:
    one = promised()
    for identity in ("rec-000001", "rec-000002"):
        store.add_record(ran(one, identity))
        store.add_label(identity, said(True))
    assert counted(store, one) == (2, 0)
    store.add_draws([drawn("rec-000001", 0.5, at="2026-01-04T00:00:00Z")])
    store.add_label("rec-000001", replace(said(False, by="ben"), at="2026-01-05T00:00:00Z"))
    store.add_label("rec-000002", replace(said(False, by="ben"), at="2026-01-05T00:00:00Z"))
    assert counted(store, one) == (2, 2)
    stream = watched(store, one).stream(Tier.MEDIUM)
    assert stream is not None
    expected = EProcess.start(alpha=0.1, delta=0.05).update(True).update(True)
    assert stream.process.e_value == pytest.approx(expected.e_value)


def test_of_two_draws_about_the_same_calls_nobody_knows_the_probability(store: Store) -> None:
    one = promised()
    store.add_record(ran(one, "rec-000001"))
    store.add_draws([drawn("rec-000001", 0.5), drawn("rec-000001", 0.5, batch="w2")])
    store.add_label("rec-000001", said(False))
    assert counted(store, one) == (0, 0)


def test_less_likely_calls_never_have_more_than_can_be_staked(store: Store) -> None:
    one = promised()
    for number, probability in enumerate((1.0, 0.5, 0.01, 0.2)):
        store.add_record(ran(one, f"rec-{number:06}", *(["refund"] * (4 - number)), audited=probability))
        for call in range(1, 5 - number):
            store.add_label(f"rec-{number:06}", said(True, f"call_{call}"))
    stream = look(store, one).evidence.stream(Tier.MEDIUM)
    assert stream is not None
    assert stream.process.n == 10
    assert stream.unit == pytest.approx(3 * 0.01 / 2)


def test_each_label_counts_once_and_contradicting_ones_are_wrong_until_somebody_settles(store: Store) -> None:
    one = promised()
    store.add_record(ran(one, "rec-000001"))
    store.add_label("rec-000001", said(True))
    store.add_label("rec-000001", said(True))
    assert counted(store, one) == (1, 0)
    store.add_label("rec-000001", said(True, by="ben"))
    assert counted(store, one) == (1, 0)
    store.add_label("rec-000001", replace(said(False, by="cleo"), at="2026-01-04T00:00:00Z"))
    assert counted(store, one) == (1, 1)
    stream = watched(store, one).stream(Tier.MEDIUM)
    assert stream is not None
    assert stream.process.e_value == pytest.approx(EProcess.start(alpha=0.1, delta=0.05).update(True).e_value)
    store.add_label("rec-000001", replace(said(True, by="dora"), at="2026-01-05T00:00:00Z"))
    assert counted(store, one) == (1, 0)
    stream = watched(store, one).stream(Tier.MEDIUM)
    assert stream is not None
    assert stream.process.e_value == pytest.approx(EProcess.start(alpha=0.1, delta=0.05).update(False).e_value)


def test_many_wrong_calls_raise_one_alarm_that_says_of_what(store: Store) -> None:
    one = promised()
    audit(store, one, "...." * 3 + BAD)
    alarms = watch(store, one)
    assert [(alarm.tier, alarm.tool) for alarm in alarms] == [(Tier.MEDIUM, ""), (Tier.MEDIUM, "refund")]
    assert alarms == store.alarms()
    alarm = alarms[0]
    assert (alarm.audits, alarm.wrong, alarm.alpha, alarm.delta) == (27, 10, 0.1, 0.05)
    assert alarm.e_value >= 20
    assert alarm.calibration == calibration_digest(one)
    assert watch(store, one) == []


def test_a_bad_tool_is_found_in_a_tier_that_keeps_its_promise(store: Store) -> None:
    one = promised(tools=("refund", "mail", "read"))
    for number in range(200):
        tool = "mail" if number % 10 == 0 else "refund"
        store.add_record(ran(one, f"rec-{number:06}", tool))
        store.add_label(f"rec-{number:06}", said(tool != "mail" or number % 20 == 0))
    assert [alarm.tool for alarm in watch(store, one)] == ["mail"]


def test_tools_share_the_delta_of_their_tier(store: Store) -> None:
    one = promised(tools=("refund", "mail"))
    for number in range(60):
        store.add_record(ran(one, f"rec-{number:06}", ("refund", "mail", f"new_{number}")[min(number, 2)]))
        store.add_label(f"rec-{number:06}", said(True))
    streams = look(store, one).evidence.streams
    deltas = [stream.process.delta for stream in streams if stream.tool]
    assert len(deltas) == 60
    assert sum(deltas) <= 0.05
    assert max(deltas) == pytest.approx(0.05 / 3)
    assert next(stream.process.delta for stream in streams if not stream.tool) == 0.05


def test_an_alarm_that_is_cleared_starts_anew_with_what_ran_since(store: Store) -> None:
    one = promised()
    audit(store, one, BAD)
    for alarm in watch(store, one):
        store.clear_alarm(alarm.id, by="ana", at="2026-01-10T00:00:00Z", note="prompt fixed")
    audit(store, one, "xxxx", prefix="old")
    audit(store, one, "..x", prefix="new", at="2026-01-10T00:00:01Z")
    assert watch(store, one) == []
    assert counted(store, one) == (3, 1)
    audit(store, one, BAD, prefix="bad", at="2026-01-11T00:00:01Z")
    again = watch(store, one)
    assert len(again) == 2
    assert not {alarm.id for alarm in again} & {alarm.id for alarm in store.alarms(standing=False) if alarm.cleared_by}


def test_another_calibration_starts_anew_and_the_old_alarm_stands(store: Store) -> None:
    one, other = promised(), promised(alpha=0.12)
    audit(store, one, BAD)
    assert len(watch(store, one)) == 2
    assert watch(store, other) == []
    assert counted(store, other) == (0, 0)
    assert len(store.alarms()) == 2


def test_records_that_are_gone_do_not_stop_the_watch() -> None:
    one, store = promised(), MemoryStore()
    audit(store, one, "x.")
    del store._records["rec-000000"]
    assert counted(store, one) == (1, 0)


def test_evidence_that_cannot_be_read_is_not_taken_for_none(store: Store) -> None:
    one = promised()
    for revision, text in enumerate(('{"version": 2}', "[]", "no JSON")):
        assert store.put_state(key_of(calibration_digest(one)), text, revision=revision)
        with pytest.raises(StoreError, match="cannot be read"):
            watch(store, one)


def test_more_labels_than_are_read_at_once() -> None:
    one, store = promised(), MemoryStore()
    audit(store, one, "." * 450)
    assert counted(store, one) == (450, 0)


class Dies:
    """A store that ends the process at its n-th write, before or after it is done."""

    def __init__(self, store: Store, at: int, *, after: bool) -> None:
        self._store, self._left, self._after = store, at, after

    def __getattr__(self, name: str):
        method = getattr(self._store, name)
        if name not in ("put_state", "raise_alarm"):
            return method

        def write(*args, **more):
            self._left -= 1
            if self._left == 0 and not self._after:
                raise KeyboardInterrupt
            done = method(*args, **more)
            if self._left == 0:
                raise KeyboardInterrupt
            return done

        return write


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_between_any_two_steps_loses_and_doubles_nothing(after: bool) -> None:
    one = promised()

    def world(at: int | None) -> tuple[Store, list[Alarm], bool]:
        store, told, died = MemoryStore(), [], False
        audit(store, one, BAD + "..")
        if at is not None:
            try:
                look(Dies(store, at, after=after), one, told.append)  # type: ignore[arg-type]
            except KeyboardInterrupt:
                died = True
        look(store, one, told.append)
        return store, told, died

    calm, told, _ = world(None)
    for at in itertools.count(1):
        store, told_too, died = world(at)
        if not died:
            break
        assert watched(store, one) == watched(calm, one)
        assert [alarm.id for alarm in store.alarms()] == [alarm.id for alarm in calm.alarms()]
        assert {alarm.id for alarm in told_too} == {alarm.id for alarm in told}
        # told twice at most where the process ended between telling and writing that down
        assert len(told_too) <= len(told) + 1
    assert at > 5


def test_a_watcher_that_loses_a_race_looks_again() -> None:
    one, store = promised(), MemoryStore()
    audit(store, one, ".x")

    class Slower:
        """Another watcher is always a little faster, until nothing is left to do."""

        def __getattr__(self, name: str):
            return getattr(store, name)

        def put_state(self, key: str, text: str, *, revision: int) -> bool:
            if not revision:
                watch(store, one)
                audit(store, one, "x", prefix="new")
            return store.put_state(key, text, revision=revision)

    evidence = look(Slower(), one).evidence  # type: ignore[arg-type]
    assert evidence == watched(store, one)
    stream = evidence.stream(Tier.MEDIUM)
    assert stream is not None
    assert (stream.process.n, stream.process.wrong) == (3, 2)


def test_several_watchers_agree_on_one_count(tmp_path: Path) -> None:
    one, url = promised(), f"sqlite:///{tmp_path / 'guardrail.db'}"
    first = open_store(url)
    audit(first, one, ".")

    def labels(start: int) -> None:
        store = open_store(url)
        for number in range(start, start + 15):
            store.add_record(ran(one, f"rec-{number:06}"))
            store.add_label(f"rec-{number:06}", said(number % 2 == 0))
            watch(store, one)
        store.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(labels, (100, 200, 300, 400)))
    assert counted(first, one) == (61, 28)
    assert len(first.alarms()) == 2
    first.close()


def test_the_alarm_of_a_tier_does_not_need_its_record_to_stay(store: Store) -> None:
    """What an alarm says is on the alarm."""
    one = promised()
    audit(store, one, BAD)
    alarm = watch(store, one)[0]
    assert replace(alarm, at="") == replace(store.alarms()[0], at="")
