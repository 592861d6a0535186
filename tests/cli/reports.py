"""A report of made-up calls, built once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from guardrail.calibration import calibrate, calls_of
from guardrail.cli.main import main
from guardrail.cli.report.building import Given, Prices, build
from guardrail.cli.report.content import Report
from guardrail.codec import to_json
from guardrail.types import CalibratedPolicy, LabelledCall, Tier
from tests.support.labelled_calls import simulated

HOSTILE = "</code><script>alert(1)</script>\u202egnp\u2028\x07 {{ 7 * 7 }} \" onload='x' &amp;"


@dataclass(frozen=True, kw_only=True)
class Made:
    rows: tuple[LabelledCall, ...]
    policy: CalibratedPolicy

    def report(self, **more: Any) -> Report:
        given = {"prices": Prices(wrong={None: 20.0, Tier.HIGH: 200.0}, review=2.0, retry=0.1)} | more
        return build(self.policy, Given(calls=calls_of(self.rows)), **given)


@cache
def made(tool: str = "send_message") -> Made:
    """1,500 simulated calls and what calibrating them proposes; one of the tools has that name."""
    rows = tuple(
        LabelledCall(**{**one.__dict__, "tool": tool, "by": tool}) if one.tool == "send_message" else one
        for one in simulated(1500)
    )
    return Made(rows=rows, policy=calibrate(rows).policy)


@cache
def built(tool: str = "send_message") -> Report:
    return made(tool).report(most_reviews=60, calls_a_day=400)


def written(folder: Path, given: Made) -> tuple[Path, Path]:
    """Its labelled calls and its calibration as files."""
    from guardrail.calibration import save_calibration

    labels, calibration = folder / "labels.jsonl", folder / "calibration.json"
    labels.write_text("".join(json.dumps(to_json(row)) + "\n" for row in given.rows), encoding="utf-8")
    save_calibration(given.policy, calibration)
    return labels, calibration


def run(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, arguments)], env={"COLUMNS": "200", **environment})
