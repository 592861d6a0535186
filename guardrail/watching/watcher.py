"""From new labels to alarms, in steps of which each may be the last: whatever is cut off is done the next time.

The evidence and the place in the labels are one text in the store, changed by compare-and-set, so that several
processes may watch. An alarm is kept before the evidence that raised it, under an id that follows from what it is
about, and told to people after that, again and again until somebody takes it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from guardrail.calibration import calibration_digest
from guardrail.codec import canonical, from_json, to_json
from guardrail.errors import ConfigError, NotFound, StoreError
from guardrail.store import Store
from guardrail.types import Alarm, CalibratedPolicy, Label, Record
from guardrail.watching.audits import SecondDraws, ran
from guardrail.watching.notifying import Notify
from guardrail.watching.streams import Stream, Watched

TOLD: Final = "watching/told"
"""The key under which the store keeps which standing alarms people were told of."""
_PAGE: Final = 200
_RACES: Final = 1000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one look brought: the alarms that it raised, those that people were told of, and what went wrong in telling
    them (it is tried again at the next look). ``evidence`` is all there is by now.
    """

    evidence: Watched
    raised: tuple[Alarm, ...] = ()
    told: tuple[Alarm, ...] = ()
    failures: tuple[str, ...] = ()


def watch(store: Store, calibration: CalibratedPolicy, notify: Notify | None = None) -> list[Alarm]:
    """Take in the labels that came since the last time, raise the alarms that follow, and tell of those that stand.

    Cheap where nothing is new: call it after every label. Without ``notify`` an alarm is kept, and told by whoever
    looks with one. A notification that fails is logged, and tried again next time.

    Returns:
        The alarms that were raised now.

    Raises:
        StoreError: the store could not be read or written; what was not done is done the next time.
    """
    found = look(store, calibration, notify)
    for failure in found.failures:
        _log.warning("%s", failure)
    return list(found.raised)


def look(
    store: Store,
    calibration: CalibratedPolicy,
    notify: Notify | None = None,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Look:
    """As ``watch``, with all that there is to know about it."""
    watching = _Watching(store, calibration, now)
    evidence, raised = watching.run()
    told, failures = _tell(store, notify) if notify is not None else ([], [])
    return Look(evidence=evidence, raised=tuple(raised), told=tuple(told), failures=tuple(failures))


def watched(store: Store, calibration: CalibratedPolicy) -> Watched:
    """The evidence as the last look left it; nothing is read that came later, and nothing is written."""
    return _Watching(store, calibration, lambda: datetime.now(UTC)).kept()[1]


def key_of(digest: str) -> str:
    """Under which key the store keeps the evidence about a calibration: another calibration starts anew."""
    return f"watching/{digest}"


class _Watching:
    def __init__(self, store: Store, calibration: CalibratedPolicy, now: Callable[[], datetime]) -> None:
        self._store = store
        self._calibration = calibration
        self._digest = calibration_digest(calibration)
        self._now = now

    def run(self) -> tuple[Watched, list[Alarm]]:
        raised: list[Alarm] = []
        lost = 0
        while lost < _RACES:
            revision, kept = self.kept()
            evidence = self._without_cleared(kept)
            page = self._store.labelled(after=evidence.after, limit=_PAGE)
            evidence = self._taken(evidence, page)
            raised += self._raised(evidence)
            if evidence == kept:
                return evidence, raised
            text = canonical(to_json(evidence))
            if not self._store.put_state(key_of(self._digest), text, revision=revision):
                lost += 1
            elif len(page) < _PAGE:
                return evidence, raised
        raise StoreError("other processes keep changing the evidence: look again when fewer of them watch")

    def kept(self) -> tuple[int, Watched]:
        found = self._store.state(key_of(self._digest))
        if found is None:
            return 0, Watched(calibration=self._digest)
        revision, text = found
        try:
            evidence = from_json(Watched, json.loads(text))
        except (ConfigError, ValueError) as error:
            raise StoreError(
                f"what was kept of watching ({key_of(self._digest)}) cannot be read: {error}; update "
                "guardrail-middleware, or restore the store from a backup"
            ) from error
        return revision, evidence

    def _without_cleared(self, evidence: Watched) -> Watched:
        """Evidence whose alarm a person has cleared is settled: it starts anew with what ran since."""
        cleared = {one.id: one.cleared_at for one in self._store.alarms(standing=False) if one.cleared_by}
        for stream in evidence.streams:
            at = cleared.get(stream.alarm_id(self._digest))
            if at is not None:
                evidence = evidence.put(stream.restarted(at))
        return evidence

    def _taken(self, evidence: Watched, page: Sequence[tuple[int, str, Label]]) -> Watched:
        records: dict[str, Record | None] = {}
        draws = SecondDraws.of(self._store) if page else SecondDraws()
        for number, record_id, label in page:
            if record_id not in records:
                records[record_id] = self._record(record_id)
            record = records[record_id]
            if record is not None:
                evidence = self._answered(evidence, record, label, draws)
            evidence = replace(evidence, after=number)
        return evidence

    def _record(self, record_id: str) -> Record | None:
        try:
            record = self._store.record(record_id)
        except NotFound:
            return None
        promised = (verdict.promise.calibration for verdict in record.verdict.verdicts if verdict.promise is not None)
        return record if self._digest in promised else None

    def _answered(self, evidence: Watched, record: Record, label: Label, draws: SecondDraws) -> Watched:
        """What a label changes: the calls of its record as they stood before it, and as they stand with it."""
        place = record.labels.index(label) if label in record.labels else len(record.labels)
        labels = (*record.labels[:place], label)
        before, after = (ran(record, some, draws, self._digest) for some in (labels[:-1], labels))
        judged = next((one for one in after if one.call_id == label.call_id), None)
        tier = None if judged is None else self._calibration.tier(judged.tier)
        if judged is None or tier is None or judged.wrong is None:
            return evidence
        for tool in ("", judged.tool):
            stream = evidence.opened(tier, tool)
            if not stream.since or _moment(record.at) >= _moment(stream.since):
                evidence = evidence.put(stream.answered(before, after))
        return evidence

    def _raised(self, evidence: Watched) -> list[Alarm]:
        alarms = [self._alarm(stream) for stream in evidence.streams if stream.process.alarm]
        known = {one.id for one in self._store.alarms(standing=False)} if alarms else set()
        return [one for one in alarms if one.id not in known and self._store.raise_alarm(one)]

    def _alarm(self, stream: Stream) -> Alarm:
        process = stream.process
        return Alarm(
            id=stream.alarm_id(self._digest),
            at=self._now().isoformat(),
            tier=stream.tier,
            tool=stream.tool,
            alpha=process.alpha,
            delta=process.delta,
            audits=process.n,
            wrong=process.wrong,
            e_value=process.highest,
            calibration=self._digest,
        )


def _tell(store: Store, notify: Notify) -> tuple[list[Alarm], list[str]]:
    """Tell of every standing alarm that nobody was told of."""
    told, failures = [], []
    done = _told(store)[1]
    for alarm in store.alarms():
        if alarm.id in done:
            continue
        try:
            notify(alarm)
        except Exception as error:  # noqa: BLE001 - whatever a notifier raises, the alarm stands and is told again
            failures.append(f"nobody was told of the alarm {alarm.id[:12]}: {error}")
            continue
        told.append(alarm)
        _remember(store, alarm.id)
    return told, failures


def _remember(store: Store, alarm_id: str) -> None:
    for _ in range(_RACES):
        revision, done = _told(store)
        standing = {one.id for one in store.alarms()}
        if alarm_id in done:
            return
        text = json.dumps(sorted((done & standing) | {alarm_id}))
        if store.put_state(TOLD, text, revision=revision):
            return
    raise StoreError("other processes keep changing which alarms were told: look again when fewer of them watch")


def _told(store: Store) -> tuple[int, frozenset[str]]:
    found = store.state(TOLD)
    if found is None:
        return 0, frozenset()
    try:
        return found[0], frozenset(map(str, json.loads(found[1])))
    except (ValueError, TypeError):
        # told twice is better than not at all
        return found[0], frozenset()


def _moment(at: str) -> datetime:
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        # nobody knows when it ran: what ran after a clearing counts
        return datetime.max.replace(tzinfo=UTC)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
