"""From records to a promise that a guard keeps: record, judge, calibrate, look, adopt, run; then change the model."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from guardrail import Guard, Policy
from guardrail.cli.main import main
from guardrail.sampling import ScriptedSampler
from guardrail.store import SQLiteStore
from guardrail.types import Label, LabelSource, PlanningStep, Reason, Route, StepVerdict
from tests.engine.steps import GOOD, OTHER, in_order, pay, read, sample, step

pytest.importorskip("scipy")
pytest.importorskip("polars")

POLICY = "default: {tier: medium}\ntiers: {medium: {audit: 1, max_retries: 0}}\n"


class Shop:
    """An agent whose samples agree the more, the more often it is right."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "policy.yaml").write_text(POLICY, encoding="utf-8")
        self.rng = random.Random(7)

    def assess(
        self, store: SQLiteStore, name: str, *, agreeing: int, sibling: bool = False, **more: Any
    ) -> StepVerdict:
        calls = (pay(10), read("a")) if sibling else (pay(10),)
        good = sample(pay(10), read("a")) if sibling else GOOD
        drawn = [good] * agreeing + [OTHER] * (5 - agreeing)
        self.rng.shuffle(drawn)
        one: PlanningStep = step(*calls, **{"id": name, "model": "A", "thread_id": name, **more})
        return Guard(Policy.load(self.folder / "policy.yaml"), ScriptedSampler(in_order(drawn)), store).assess(one)

    def run(self, *args: object, text: str = "") -> str:
        environment = {"GUARDRAIL_STORE": f"sqlite:///{self.folder / 'guardrail.db'}", "GUARDRAIL_REVIEWER": "ana"}
        result = CliRunner().invoke(main, [str(each) for each in args], input=text, env=environment)
        assert result.exit_code == 0, result.output
        return result.stdout


def test_a_store_of_judged_records_becomes_a_policy_that_says_what_it_promises(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    store = SQLiteStore(tmp_path / "guardrail.db")
    for index in range(240):
        agreeing = shop.rng.choice([1, 3, 4, 5, 5, 5])
        verdict = shop.assess(store, f"m{index}", agreeing=agreeing)
        right = shop.rng.random() < (0.3, 0.3, 0.5, 0.6, 0.8, 0.99)[agreeing]
        judged = Label(
            call_id="c1",
            correct=right,
            source=LabelSource.CHECKER,
            by="checker",
            at="2026-01-02T03:04:05+00:00",
            probability=1.0,
        )
        store.add_label(verdict.record_id, judged)
    policy, proposal = tmp_path / "policy.yaml", tmp_path / "proposal.json"
    said = shop.run("calibrate", "--policy", policy, "--target", "medium=0.2", "--out", proposal)
    assert "at most 20 % wrong" in said
    changes = json.loads(shop.run("policy", "diff", policy, proposal, "--json"))
    assert changes["tiers"]["medium"]["uncalibrated_then"] == {}
    assert changes["tiers"]["medium"]["not_known"] == 0
    assert changes["tiers"]["medium"]["then"]["execute"] > 60
    shop.run("policy", "adopt", proposal, "--policy", policy, "--write", text="y\n")

    one = shop.assess(store, "new", agreeing=5).verdicts[0]
    assert (one.route, one.calibrated, one.tier.value) == (Route.EXECUTE, True, "medium")
    assert one.promise is not None
    assert one.promise.n > 100
    assert f"at most 20 % of the calls run like this are wrong (95 % confidence, {one.promise.n} labels)" in one.why
    doubtful = shop.assess(store, "odd", agreeing=1).verdicts[0]
    assert (doubtful.route, doubtful.calibrated) == (Route.REVIEW, True)
    other = shop.assess(store, "other", agreeing=5, model="B").verdicts[0]
    assert (other.route, other.reason) == (Route.REVIEW, Reason.UNCALIBRATED)
    assert other.uncalibrated == "the model is B, calibrated for A"
    strange = shop.assess(store, "strange", agreeing=5, sibling=True).verdicts
    assert [each.calibrated for each in strange] == [True, False]
    assert strange[1].uncalibrated == "none of the labelled calls is of read"
    store.close()
