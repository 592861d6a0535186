"""``guardrail calibrate``: a proposal from files or from the store, or what is missing for one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from guardrail.calibration import RiskModel, load_calibration, load_ledger, save_calibration, stored_ledger
from guardrail.cli.main import main
from guardrail.codec import to_json
from guardrail.store import open_store
from guardrail.types import SCORE_KEYS, Label, LabelledCall, LabelSource, Record, Route, Signal, Tier
from tests.calibration.labelled import a_call, world
from tests.support.records import record

FINGERPRINT = {**dict.fromkeys(SCORE_KEYS, ""), "model": "m", "samples": "medium=5", "stopping": "medium=none"}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["calibrate", *map(str, arguments)], env={"COLUMNS": "200"})


def written(path: Path, records: Sequence[LabelledCall]) -> Path:
    path.write_text("".join(json.dumps(to_json(one)) + "\n" for one in records), encoding="utf-8")
    return path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return written(tmp_path / "labels.jsonl", world(500, tools=("pay", "send")))


def kept(records: Sequence[LabelledCall], path: Path) -> str:
    """A store in which these calls were audited, all of them, and judged by a checker; its URL."""
    store = open_store(f"sqlite:///{path}")
    for number, one in enumerate(records):
        store.add_record(_record(one, number))
    store.close()
    return f"sqlite:///{path}"


def _record(one: LabelledCall, number: int) -> Record:
    plain = record(f"rec-{number:06}", thread_id=one.task)
    (verdict,) = plain.verdict.verdicts
    signals = tuple(Signal(name=name, value=value) for name, value in one.signals.items())
    verdict = replace(verdict, tier=Tier.MEDIUM, signals=signals, route=verdict.route)
    label = Label(
        call_id=verdict.call.id,
        correct=one.correct,
        source=LabelSource.CHECKER,
        by="checker",
        at=one.at,
        probability=1.0,
    )
    return replace(
        plain,
        verdict=replace(plain.verdict, verdicts=(verdict,), audited=True, audit_probability=1.0),
        fingerprint=FINGERPRINT,
        labels=(label,),
    )


def test_a_proposal_from_files(labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "proposal.json"
    done = run(labels, "--target", "medium=0.1", "--attempts", "all", "--out", out)
    assert done.exit_code == 0, done.output
    policy, model = load_calibration(out), RiskModel.load(tmp_path / "proposal.risk.json")
    (tier,) = policy.tiers
    (one,) = tier.thresholds
    assert one.execute_below is not None
    assert policy.risk_model == model.digest
    assert policy.adopted_by == ""
    for said in (
        "at most 10 % wrong, 95 % sure",
        f"{one.execute_below:.4g}",
        f"{one.executed_errors} of {one.executed} wrong",
        f"{100 * one.coverage:.3g} %",
        "tools of medium",
        "takes for granted",
        f"wrote {out}",
    ):
        assert said in done.output.replace("\n", " ").replace("  ", " ") or said in done.output


def test_the_same_bytes_every_time_and_the_same_look(labels: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "a.json", tmp_path / "b.json"
    asked = (labels, "--target", "medium=0.1", "--attempts", "all", "--out")
    assert run(*asked, one).exit_code == run(*asked, other).exit_code == 0
    assert one.read_bytes() == other.read_bytes()
    assert (tmp_path / "a.risk.json").read_bytes() == (tmp_path / "b.risk.json").read_bytes()
    ledger = load_ledger(tmp_path / "calibration.ledger.json")
    assert len(ledger.looks[Tier.MEDIUM]) == 1


def test_another_look_spends_more_of_delta(labels: Path, tmp_path: Path) -> None:
    more = written(tmp_path / "more.jsonl", world(40, seed=9))
    ledger = tmp_path / "l.json"
    asked = ("--target", "medium=0.1", "--attempts", "all", "--ledger", ledger, "--json")
    first = json.loads(run(labels, *asked).output)["policy"]
    second = json.loads(run(labels, more, *asked).output)["policy"]
    assert (first["look"], second["look"]) == (1, 2)
    assert first["tiers"][0]["thresholds"][0]["delta"] == pytest.approx(0.0304, abs=1e-4)
    assert second["tiers"][0]["thresholds"][0]["delta"] == pytest.approx(0.0076, abs=1e-4)
    assert len(load_ledger(ledger).looks[Tier.MEDIUM]) == 2


def test_planned_looks(labels: Path, tmp_path: Path) -> None:
    more = written(tmp_path / "more.jsonl", world(40, seed=9))
    ledger = tmp_path / "l.json"
    asked = ("--target", "medium=0.1", "--attempts", "all", "--ledger", ledger)
    assert run(labels, *asked, "--plan", "500,2").exit_code == 0
    refused = run(labels, more, *asked)
    assert refused.exit_code == 3
    assert "unplanned_recalibration" in refused.output
    assert "planned at 1000 labels, and there are 540" in refused.output.replace("\n", " ")
    late = run(labels, *asked, "--plan", "500,4")
    assert late.exit_code == 2
    assert "in use" in late.output
    assert run(labels, "--plan", "many").exit_code == 2


def test_where_nothing_can_be_promised_it_says_what_is_missing(tmp_path: Path) -> None:
    few = written(tmp_path / "few.jsonl", world(40))
    done = run(
        few, "--target", "medium=0.05", "--combiner", "recorded", "--attempts", "all", "--out", tmp_path / "c.json"
    )
    assert done.exit_code == 3
    assert "too_few_labels" in done.output
    assert "40 labelled calls" in done.output
    assert load_calibration(tmp_path / "c.json").tiers[0].thresholds[0].execute_below is None


def test_from_the_store(tmp_path: Path) -> None:
    url = kept(world(400), tmp_path / "g.db")
    done = run("--store", url, "--target", "medium=0.1", "--json", "--attempts", "all")
    assert done.exit_code == 0, done.output
    (tier,) = json.loads(done.output)["policy"]["tiers"]
    assert tier["sources"] == {"checker": 400}
    assert tier["thresholds"][0]["execute_below"] is not None
    store = open_store(url)
    ledger, _ = stored_ledger(store)
    store.close()
    assert len(ledger.looks[Tier.MEDIUM]) == 1
    traffic = run("--store", url, "--target", "medium=0.1", "--json", "--attempts", "all", "--cuts", "traffic")
    assert json.loads(traffic.output)["policy"]["look"] == 2


def test_an_empty_store(tmp_path: Path) -> None:
    url = kept([], tmp_path / "g.db")
    done = run("--store", url)
    assert done.exit_code == 3
    assert "0 labelled calls" in done.output


def test_an_adopted_calibration_is_not_written_over(labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.json"
    run(labels, "--target", "medium=0.1", "--attempts", "all", "--out", out)
    save_calibration(replace(load_calibration(out), adopted_by="ada", adopted_at="2026-01-01T00:00:00Z"), out)
    before = out.read_bytes()
    done = run(labels, "--target", "medium=0.1", "--attempts", "all", "--out", out)
    assert done.exit_code == 2
    assert "was adopted" in done.output
    assert out.read_bytes() == before
    assert run(labels, "--risk-model-out", tmp_path / "r.json").exit_code == 2


def test_a_policy_that_retries_nothing_has_one_threshold(labels: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    tiers = "".join(f"  {tier}: {{max_retries: 0}}\n" for tier in ("low", "medium", "high"))
    policy.write_text(f"default: {{tier: high}}\ntiers:\n{tiers}", encoding="utf-8")
    done = run(labels, "--target", "medium=0.1", "--policy", policy, "--json")
    (tier,) = json.loads(done.output)["policy"]["tiers"]
    assert [one["attempts"] for one in tier["thresholds"]] == ["all"]
    policy.write_text("default: {tier: high}\n", encoding="utf-8")
    again = json.loads(run(labels, "--target", "medium=0.1", "--policy", policy, "--json").output)
    assert [one["attempts"] for one in again["policy"]["tiers"][0]["thresholds"]] == ["first", "retried"]


def test_a_risk_model_of_other_calls(labels: Path, tmp_path: Path) -> None:
    others = written(tmp_path / "others.jsonl", world(300, seed=4))
    run(others, "--target", "medium=0.1", "--out", tmp_path / "c.json")
    model = tmp_path / "c.risk.json"
    fresh = json.loads(run(labels, "--target", "medium=0.1", "--combiner", model, "--json").output)["policy"]
    assert fresh["risk_model"] == RiskModel.load(model).digest
    seen = run(others, "--target", "medium=0.1", "--combiner", model)
    assert seen.exit_code == 3
    assert "combiner_saw_calibration_data" in seen.output


def test_what_scores_depend_on_may_be_selected_and_stated(tmp_path: Path) -> None:
    records = world(300)
    other = [replace(one, id=f"o{one.id}", fingerprint={**one.fingerprint, "samples": "8"}) for one in records]
    path = written(tmp_path / "mixed.jsonl", [*records, *other])
    asked: tuple[Any, ...] = (path, "--target", "medium=0.1", "--attempts", "all")
    mixed = run(*asked)
    assert mixed.exit_code == 3
    assert "mixed_fingerprints" in mixed.output
    chosen = run(*asked, "--where", "samples=8", "--fingerprint", "entailment=nli", "--json")
    (tier,) = json.loads(chosen.output)["policy"]["tiers"]
    assert (tier["fingerprint"]["samples"], tier["fingerprint"]["entailment"]) == (["8"], ["nli"])


def test_reviews_alone_take_a_word_that_nothing_ran(tmp_path: Path) -> None:
    reviewed = [replace(one, source=LabelSource.REVIEW, route=Route.REVIEW) for one in world(400)]
    path = written(tmp_path / "reviews.jsonl", reviewed)
    asked = (path, "--target", "medium=0.1", "--attempts", "all")
    assert "labels_only_from_escalations" in run(*asked).output
    assert run(*asked, "--all-reviewed").exit_code == 0


def test_hostile_names_cannot_reach_the_terminal(tmp_path: Path) -> None:
    evil = "pay\x1b[2J\u202e[red]"
    records = [replace(one, tool=evil if k % 2 else "send") for k, one in enumerate(world(300))]
    done = run(written(tmp_path / "evil.jsonl", records), "--target", "medium=0.1")
    assert "\x1b" not in done.output
    assert "\u202e" not in done.output
    assert "pay" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--target", "lofty=0.1"), "no tier 'lofty'"),
        (("--target", "critical=0.1"), "a human always decides"),
        (("--target", "medium=1.5"), "between 0 and 1"),
        (("--target", "medium=nan"), "between 0 and 1"),
        (("--target", "medium"), "no KEY=VALUE"),
        (("--target", "medium=much"), "could not convert"),
        (("--target", "medium=0.1", "--target", "medium=0.2"), "given twice"),
        (("--confidence", "95"), "confidence"),
        (("--combiner", "none.json"), "cannot read the risk model"),
        (("--signal", "moon"), "'moon' cannot be an input"),
        (("--policy", "none.yaml"), "none.yaml"),
    ],
)
def test_options_that_cannot_be_used(labels: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run(labels, *arguments)
    assert done.exit_code == 2
    assert said in done.output
    assert not (labels.parent / "calibration.ledger.json").exists()


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    assert run(tmp_path / "none.jsonl").exit_code == 2
    bad = tmp_path / "bad.jsonl"
    bad.write_text(json.dumps({**to_json(a_call()), "correct": "yes"}), encoding="utf-8")
    done = run(bad)
    assert done.exit_code == 2
    assert "bad.jsonl, line 1: correct is 'yes'" in done.output
