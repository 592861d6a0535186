"""What docs/calibration.md says is true: its walk runs, its table is computed, and no refusal or option is left out."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from guardrail import Policy
from guardrail.calibration.ledger import Ledger
from guardrail.calibration.promise import labels_for_power, labels_needed
from guardrail.cli.main import main
from guardrail.codec import to_json
from guardrail.store import open_store
from guardrail.types import LabelledCall, RefusalCode, Tier
from tests.support.labelled_calls import simulated

TEXT = (Path(__file__).parents[2] / "docs" / "calibration.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, flags=re.DOTALL)


def files() -> dict[str, str]:
    """The blocks whose first line names a file."""
    return {found[1]: text for _, text in BLOCKS if (found := re.match(r"# (\w+\.(?:py|yaml))\n", text)) is not None}


def run(line: str) -> str:
    program, *arguments = shlex.split(line)
    if program == "python":
        exec(compile(Path(arguments[0]).read_text("utf-8"), arguments[0], "exec"), {"__name__": "__main__"})
        return ""
    assert program == "guardrail"
    done = CliRunner().invoke(main, arguments, env={"COLUMNS": "200", "GUARDRAIL_REVIEWER": "ann"})
    assert done.exit_code == 0, f"{line}\n{done.output}"
    return done.output


def test_the_walk_runs_from_records_to_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, text in files().items():
        Path(name).write_text(text, encoding="utf-8")
    lines = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines() if line]
    assert [line.split()[:2] for line in lines if line.startswith("guardrail")] == [
        ["guardrail", word] for word in ("label", "calibrate", "policy", "policy", "policy", "status", "report")
    ]
    said = "\n".join(run(line) for line in lines)
    assert "at most 10 % wrong" in said
    report = json.loads(Path("report.json").read_text("utf-8"))
    (medium, _critical) = report["tiers"]
    assert (medium["tier"], medium["state"]) == ("medium", "runs")
    assert report["same_labels"] is True
    assert report["adopted_by"] == "ann"
    assert "<svg" in Path("report.html").read_text("utf-8")
    # and a guard runs on it
    assert Policy.load("policy.yaml").settings[Tier.MEDIUM].samples == 5
    rest = Path("agent.py").read_text("utf-8").replace("range(300)", "range(300, 303)")
    exec(compile(rest, "agent.py", "exec"), {"__name__": "__main__"})
    store = open_store("sqlite:///guardrail.db")
    verdicts = [one for record in store.records(limit=3) for one in record.verdict.verdicts]
    store.close()
    assert all(one.calibrated and one.promise is not None and one.promise.alpha == 0.1 for one in verdicts)


def test_the_python_lines_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [LabelledCall(**{**row.__dict__, "attempt": 0}) for row in simulated(900)]
    rows = [LabelledCall(**{**row.__dict__, "route": None}) for row in rows]
    Path("labelled.jsonl").write_text("".join(json.dumps(to_json(row)) + "\n" for row in rows), encoding="utf-8")
    (text,) = [text for language, text in BLOCKS if language == "python" and not text.startswith("# ")]
    exec(compile(text, "calibration.md", "exec"), {})
    assert 0 < float(capsys.readouterr().out) <= 2


def test_the_table_of_labels_is_computed() -> None:
    rows = [line for line in TEXT.splitlines() if re.match(r"\| \d+ % \|", line)]

    def row(percent: int) -> str:
        alpha = percent / 100
        counts: list[Any] = [labels_needed(alpha, 0.05, errors) for errors in range(4)]
        counts += [labels_for_power(alpha / part, alpha, 0.05) for part in (4, 2)]
        return f"| {percent} % | " + " | ".join(f"{count:,}" for count in counts) + " |"

    assert rows == [row(percent) for percent in (20, 10, 5, 2, 1)]


def test_every_refusal_has_its_way_out() -> None:
    section = TEXT[TEXT.index("## When it is refused") : TEXT.index("## Retries")]
    assert re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE) == [code.value for code in RefusalCode]


def test_every_command_and_option_is_there() -> None:
    for line in re.findall(r"`(guardrail [^`]+)`", TEXT):
        words = shlex.split(line)[1:]
        command: Any = main
        while words and not words[0].startswith("-") and hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        options = {name for one in command.params for name in one.opts}
        assert {word for word in words if word.startswith("--")} <= options, line
    report = {name for one in main.commands["report"].params for name in one.opts}
    assert {"--retry-settles", "--max-reviews-per-day", "--calls-per-day"} <= report


def test_what_a_look_spends_is_what_the_text_says() -> None:
    first = Ledger().delta(Tier.LOW, "a", n=100, delta=0.05)
    assert isinstance(first, float)
    assert f"spends {first / 0.05:.0%}".replace("%", " %") in TEXT
    assert f"{first / 4 / 0.05:.0%}".replace("%", " %") in TEXT
