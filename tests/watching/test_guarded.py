"""From a guard that audits what it lets run, over answers, to an alarm that the same guard obeys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from guardrail import Guard, Policy
from guardrail.sampling import ScriptedSampler
from guardrail.store import MemoryStore
from guardrail.types import Reason, Route, Tier, Verdict
from guardrail.watching import look, watch
from tests.engine.calibrations import Workplace
from tests.engine.steps import GOOD, in_order, pay, step
from tests.support.calibrated import a_threshold
from tests.watching.promised import said


def test_wrong_audits_stop_the_tier_until_a_person_clears_the_alarm(tmp_path: Path) -> None:
    place, store = Workplace(tmp_path, "default: {tier: high}"), MemoryStore()
    promised = place.calibrate(a_threshold(0.3), keys="tiers: {high: {audit: 0.5}}")
    policy = Policy.load(tmp_path / "policy.yaml")

    def assessed(number: int) -> Verdict:
        guard = Guard(policy, ScriptedSampler(in_order([GOOD] * 8)), store)
        return guard.assess(replace(step(pay(10)), id=f"step-{number}")).verdicts[0]

    for number in range(40):
        assert assessed(number).route is Route.EXECUTE
    audited = [one for one in store.records(limit=100) if one.verdict.audited]
    assert 5 < len(audited) < 35
    assert watch(store, promised) == []
    for one in store.records(limit=100):
        store.add_label(one.id, said(False, one.verdict.verdicts[0].call.id))
    alarms = watch(store, promised)
    stream = look(store, promised).evidence.stream(Tier.HIGH)
    assert stream is not None
    assert stream.process.n == len(audited)
    assert [(alarm.tier, alarm.tool) for alarm in alarms] == [(Tier.HIGH, ""), (Tier.HIGH, "pay")]

    stopped = assessed(100)
    assert (stopped.route, stopped.reason) == (Route.REVIEW, Reason.ALARM)
    for alarm in alarms:
        store.clear_alarm(alarm.id, by="ana", at="2100-01-01T00:00:00Z", note="the model is back")
    assert watch(store, promised) == []
    assert assessed(101).route is Route.EXECUTE
