"""``guardrail policy``: promises shown, changes on recorded traffic counted, and a proposal adopted by a person."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from guardrail import Guard, Policy
from guardrail.calibration import RiskModel, load_calibration, save_calibration
from guardrail.cli.main import main
from guardrail.sampling import ScriptedSampler
from guardrail.store import SQLiteStore
from guardrail.types import CalibratedPolicy, Label, LabelSource, Route, Sample, Tier, score_fingerprint
from tests.engine.calibrations import disagreement
from tests.engine.steps import GOOD, OTHER, in_order, pay, step
from tests.support.calibrated import a_policy, a_threshold, a_tier

PLAIN = "# what is at stake\ndefault: {tier: high}  # everything\n"
AT = "2026-01-02T03:04:05+00:00"


class Desk:
    """A policy, traffic recorded under it, and a proposal for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.policy = folder / "policy.yaml"
        self.proposal = folder / "proposal.json"
        self.url = f"sqlite:///{folder / 'guardrail.db'}"
        self.risk = disagreement()
        self.policy.write_text(PLAIN, encoding="utf-8")

    def record(self, *traffic: tuple[str, list[Sample], bool | None], **options: Any) -> None:
        """Steps by id with their samples, and whether their call was right."""
        store = SQLiteStore(self.folder / "guardrail.db")
        for name, drawn, correct in traffic:
            guard = Guard(
                Policy.load(self.policy), ScriptedSampler(in_order(drawn)), store, **{"curtail": False, **options}
            )
            verdict = guard.assess(step(pay(10), id=name, model="A"))
            if correct is not None:
                by = {"source": LabelSource.CHECKER, "by": "checker", "at": AT, "probability": 1.0}
                store.add_label(verdict.record_id, Label(call_id="c1", correct=correct, **by))  # type: ignore[arg-type]
        store.close()

    def propose(self, *thresholds: Any, model: str = "A", **more: Any) -> CalibratedPolicy:
        """Written to the proposal's file, with its risk model beside it."""
        store = SQLiteStore(self.folder / "guardrail.db")
        found = store.records()[0].fingerprint
        store.close()
        made = {**found, "model": model, "risk_model": self.risk.digest, "signals": "agreement=1"}
        fingerprint = {key: (text,) for key, text in score_fingerprint(made, Tier.HIGH).items()}
        tier = a_tier(Tier.HIGH, *(thresholds or (a_threshold(0.3),)), fingerprint=fingerprint)
        policy = replace(a_policy(tier, risk_model=self.risk.digest), **more)
        save_calibration(policy, self.proposal)
        self.risk.save(self.folder / "proposal.risk.json")
        return policy

    def run(self, *args: object, text: str = "") -> Result:
        environment = {"GUARDRAIL_STORE": self.url, "GUARDRAIL_REVIEWER": "ana"}
        return CliRunner().invoke(main, ["policy", *map(str, args)], input=text, env=environment)

    def fine(self, *args: object, text: str = "") -> Result:
        result = self.run(*args, text=text)
        assert result.exit_code == 0, result.output
        return result

    def changes(self, *args: object) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.fine("diff", self.policy, self.proposal, *args, "--json").stdout)
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """All agree, most agree, few agree."""
    desk.record(
        ("sure", [GOOD] * 8, True), ("nearly", [GOOD] * 7 + [OTHER], True), ("unsure", [GOOD] * 2 + [OTHER] * 6, False)
    )
    desk.propose(a_threshold(0.2))
    return desk


def refused(result: Result, *parts: str) -> None:
    assert result.exit_code == 2, result.output
    for part in parts:
        assert part in result.stderr
    assert "Traceback" not in result.output


def test_diff_counts_what_would_run_and_names_the_calls_that_change(busy: Desk) -> None:
    found = busy.changes()
    high = found["tiers"]["high"]
    assert (high["calls"], high["not_known"]) == (3, 0)
    assert (high["now"], high["then"]) == (
        {"execute": 1, "retry": 2, "review": 0},
        {"execute": 2, "retry": 1, "review": 0},
    )
    assert high["executed_and_judged"] == {"now": 1, "then": 2}
    assert high["executed_and_wrong"] == {"now": 0, "then": 0}
    (change,) = found["changes"]
    assert (change["now"], change["then"], change["label"], change["tier"]) == ("retry", "execute", True, "high")
    assert change["risk"] == pytest.approx(0.0953, abs=1e-3)
    assert change["call"]["name"] == "pay"


def test_diff_in_words(busy: Desk) -> None:
    result = busy.fine("diff", busy.policy, busy.proposal)
    for part in ("1 -> 2", "2 -> 1", "0/1 -> 0/2", "pay(amount=10)", "retry", "execute", "right", "0.2"):
        assert part in result.stdout


def test_diff_against_an_adopted_calibration_compares_the_thresholds(busy: Desk) -> None:
    busy.fine("adopt", busy.proposal, "--policy", busy.policy, "--yes", "--write")
    busy.propose(a_threshold(0.06))
    result = busy.fine("diff", busy.policy, busy.proposal)
    assert "0.2" in result.stdout
    assert "0.06" in result.stdout
    found = busy.changes()
    assert found["tiers"]["high"]["now"]["execute"] == 2
    assert found["tiers"]["high"]["then"]["execute"] == 1
    assert found["now"]["adopted_by"] == "ana"


def test_diff_says_where_the_proposal_is_for_another_model(busy: Desk) -> None:
    busy.propose(model="B")
    found = busy.changes()["tiers"]["high"]
    assert found["then"]["review"] == 3
    assert found["uncalibrated_then"] == {"the model is A, calibrated for B": 3}
    assert "the model is A, calibrated for B" in busy.fine("diff", busy.policy, busy.proposal).stdout


def test_diff_does_not_guess_what_samples_never_drawn_would_have_said(desk: Desk) -> None:
    """Under agreement of all, two that disagree end the drawing; the threshold would want to know the rest."""
    desk.record(("early", [OTHER] * 2 + [GOOD] * 6, None), curtail=True)
    desk.propose(a_threshold(0.5))
    found = desk.changes()
    assert found["tiers"]["high"]["not_known"] == 1
    assert found["changes"] == []
    assert "not known" in desk.fine("diff", desk.policy, desk.proposal).stdout


def test_diff_reads_records_from_files(busy: Desk, tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "guardrail.db")
    from guardrail.codec import to_json

    lines = [json.dumps({"record": to_json(record)}) for record in store.records()]
    store.close()
    (tmp_path / "records.jsonl").write_text("\n".join(lines[:2]))
    assert busy.changes(tmp_path / "records.jsonl")["tiers"]["high"]["calls"] == 2


def test_a_proposal_is_only_as_good_as_its_risk_model(busy: Desk, tmp_path: Path) -> None:
    (tmp_path / "proposal.risk.json").unlink()
    refused(busy.run("diff", busy.policy, busy.proposal), "is not there", "--risk-model")
    disagreement("majority_share").save(tmp_path / "other.json")
    named = busy.run("diff", busy.policy, busy.proposal, "--risk-model", tmp_path / "other.json")
    refused(named, "other.json is", "name its file with --risk-model")
    busy.risk.save(tmp_path / "mine.json")
    assert busy.run("diff", busy.policy, busy.proposal, "--risk-model", tmp_path / "mine.json").exit_code == 0


def test_adopting_shows_the_promise_and_asks(busy: Desk, tmp_path: Path) -> None:
    result = busy.fine("adopt", busy.proposal, "--policy", busy.policy, text="y\n")
    for part in ("at most 10 % wrong, 95 % sure", "Adopt it for", "as ana?", "calibrated for", "start them anew"):
        assert part in result.stdout
    adopted = load_calibration(tmp_path / "calibration.json")
    assert adopted.adopted_by == "ana"
    assert adopted.adopted_at
    assert replace(adopted, adopted_by="", adopted_at="") == load_calibration(busy.proposal)
    assert RiskModel.load(tmp_path / "risk.json").digest == adopted.risk_model
    assert busy.policy.read_text(encoding="utf-8") == PLAIN
    assert "risk_model: risk.json" in result.stdout
    assert "calibration: calibration.json" in result.stdout


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_whoever_does_not_say_yes_has_adopted_nothing(busy: Desk, tmp_path: Path, answer: str) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    result = busy.run("adopt", busy.proposal, "--policy", busy.policy, text=answer)
    assert result.exit_code == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_the_policy_is_rewritten_only_where_that_was_asked_for_and_keeps_every_comment(busy: Desk) -> None:
    busy.fine("adopt", busy.proposal, "--policy", busy.policy, "--yes", "--write", "--by", "bo")
    assert busy.policy.read_text(encoding="utf-8") == PLAIN + "risk_model: risk.json\ncalibration: calibration.json\n"
    guard = Guard(Policy.load(busy.policy), ScriptedSampler(in_order([GOOD] * 8)), SQLiteStore(busy.folder / "b.db"))
    verdict = guard.assess(step(pay(10), model="A")).verdicts[0]
    assert (verdict.route, verdict.calibrated) == (Route.EXECUTE, True)
    guard.store.close()
    again = busy.fine("adopt", busy.proposal, "--policy", busy.policy, "--yes", "--write")
    assert "kept" in again.stdout
    assert load_calibration(busy.folder / "calibration.before.json").adopted_by == "bo"
    assert busy.policy.read_text(encoding="utf-8").count("calibration") == 2


@pytest.mark.parametrize("text", ["default: {tier: high}", "default: {tier: high}\r\n# end\r\n"])
def test_lines_are_added_as_the_file_writes_them(busy: Desk, text: str) -> None:
    busy.policy.write_bytes(text.encode())
    busy.fine("adopt", busy.proposal, "--policy", busy.policy, "--yes", "--write")
    written = busy.policy.read_bytes().decode()
    assert written.startswith(text)
    assert Policy.load(busy.policy).calibration is not None
    assert ("\r\n" in written) == ("\r\n" in text)
    assert written.count("\n") == written.count("\r\n") or "\r\n" not in text


def test_a_policy_that_cannot_take_the_lines_is_left_as_it_is(busy: Desk, tmp_path: Path) -> None:
    busy.policy.write_text("{default: {tier: high}}\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    result = busy.run("adopt", busy.proposal, "--policy", busy.policy, "--yes", "--write")
    refused(result, "cannot take lines at its end: add risk_model: risk.json and calibration: calibration.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_the_files_go_where_the_policy_says(busy: Desk, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    busy.policy.write_text(PLAIN + "risk_model: models/r.json\ncalibration: models/c.json\n")
    result = busy.fine("adopt", busy.proposal, "--policy", busy.policy, "--yes")
    assert load_calibration(tmp_path / "models" / "c.json").adopted_by == "ana"
    assert "does not name them" not in result.stdout


def test_what_a_guard_would_refuse_is_not_adopted(busy: Desk) -> None:
    busy.policy.write_text(PLAIN + "risk_model: proposal.risk.json\ntiers: {high: {max_risk: 0.1}}\n")
    refused(
        busy.run("adopt", busy.proposal, "--policy", busy.policy, "--yes"), "tiers.high.max_risk", "remove max_risk"
    )


def test_show_says_what_each_tier_promises(busy: Desk) -> None:
    nothing = busy.fine("show", busy.policy).stdout
    assert "promises nothing" in nothing
    assert json.loads(busy.fine("show", busy.policy, "--json").stdout)["calibration"] is None
    busy.fine("adopt", busy.proposal, "--policy", busy.policy, "--yes", "--write")
    shown = busy.fine("show", busy.policy).stdout
    for part in (
        "at most 10 % wrong, 95 % sure",
        "nothing is promised of low, medium",
        "are reviewed",
        "adopted by ana",
    ):
        assert part in shown
    told = json.loads(busy.fine("show", busy.policy, "--json").stdout)
    assert told["calibration"]["tiers"][0]["tier"] == "high"


def test_show_refuses_what_no_guard_would_run_on(busy: Desk) -> None:
    busy.policy.write_text(PLAIN + "risk_model: proposal.risk.json\ncalibration: proposal.json\n")
    refused(busy.run("show", busy.policy), "a proposal that nobody has adopted")


def test_hostile_words_in_a_file_are_shown_and_not_obeyed(busy: Desk) -> None:
    busy.propose(adopted_by="\x1b[2Jana", adopted_at=AT)
    busy.policy.write_text(PLAIN + "risk_model: proposal.risk.json\ncalibration: proposal.json\n")
    shown = busy.fine("show", busy.policy).stdout
    assert "\x1b" not in shown
    assert "\\x1b[2Jana" in shown
