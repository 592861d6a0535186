"""A calibrated policy in a file: the same bytes for the same value, and nothing believed beyond its evidence."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from guardrail.calibration import calibration_digest, load_calibration, save_calibration
from guardrail.calibration.binomial import at_most
from guardrail.calibration.calibrated_file import EVERYTHING
from guardrail.errors import ConfigError
from guardrail.types import Attempts, CalibratedPolicy, Refusal, RefusalCode, Tier, ToolEvidence
from tests.support.calibrated import a_policy, a_threshold, a_tier
from tests.support.schemas import published

FULL = a_policy(
    a_tier(
        Tier.LOW,
        a_threshold(0.25, attempts=Attempts.FIRST, delta=0.025),
        a_threshold(None, attempts=Attempts.RETRIED, delta=0.025),
        tools=(ToolEvidence(tool="pay", n=20, errors=3, executed=10, executed_errors=0, lower=0.0, upper=0.3),),
        fingerprint={"model": ("m",), "prompt": ("a", "b")},
        sources={"audit": 40, "review": 110},
        scores=(0.0, 0.1, 0.9),
        tasks=70,
        first_at="2026-01-01T00:00:00Z",
        last_at="2026-02-01T00:00:00Z",
        warnings=("tasks depend on each other",),
    ),
    a_tier(Tier.HIGH, a_threshold(EVERYTHING, executed=150, wrong=1, n=150, errors=1, alpha=0.05)),
    settings={"unit": "call", "seed": "0"},
    records="abc",
    assumptions=("calls to come are like those labelled",),
)


def saved(policy: CalibratedPolicy, folder: Path) -> Path:
    save_calibration(policy, folder / "calibration.json")
    return folder / "calibration.json"


def changed(folder: Path, change: Any) -> Path:
    """The full policy's file after somebody's hand was in it."""
    path = saved(FULL, folder)
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    assert load_calibration(saved(FULL, tmp_path)) == FULL


def test_the_file_follows_the_published_schema(tmp_path: Path) -> None:
    data = json.loads(saved(FULL, tmp_path).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(published()["calibration.v1.json"]).validate(data)


def test_equal_values_give_equal_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    low, high = FULL.tiers
    # the same value said otherwise: an integer for a float, maps in another order
    other = replace(
        FULL,
        tiers=(
            replace(low, fingerprint=dict(reversed(low.fingerprint.items())), sources={"review": 110, "audit": 40}),
            replace(high, scores=()),
        ),
        settings=dict(reversed(FULL.settings.items())),
    )
    other = replace(other, tiers=(replace(other.tiers[0], scores=(0, 0.1, 0.9)), other.tiers[1]))
    assert other == FULL
    assert saved(FULL, tmp_path / "a").read_bytes() == saved(other, tmp_path / "b").read_bytes()
    assert calibration_digest(FULL) == calibration_digest(other)


def test_adopting_does_not_change_what_was_calibrated() -> None:
    adopted = replace(FULL, adopted_by="ada", adopted_at="2026-02-02T00:00:00Z")
    assert calibration_digest(adopted) == calibration_digest(FULL)
    assert calibration_digest(replace(FULL, look=2)) != calibration_digest(FULL)


def test_a_name_that_is_no_text_survives(tmp_path: Path) -> None:
    tool = ToolEvidence(tool="\ud800", n=1, errors=0, executed=1, executed_errors=0, lower=0.0, upper=1.0)
    policy = a_policy(a_tier(tools=(tool,)))
    assert load_calibration(saved(policy, tmp_path)) == policy


THRESHOLD = ("tiers", 0, "thresholds", 0)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("version",), 2, "version is 2"),
        (("version",), True, "version is True"),
        (("look",), 0, "look"),
        (("adopted_by",), "ada", "one stands without the other"),
        (("tiers", 1, "tier"), "low", "stands twice"),
        (("tiers", 1, "tier"), "critical", "always decided by a human"),
        (("tiers", 1, "tier"), "lofty", "tiers.1.tier"),
        (("tiers", 0, "alpha"), 0.0, "alpha"),
        (("tiers", 0, "alpha"), 1.0, "alpha"),
        (("tiers", 0, "alpha"), 0.5, "the tier's is 0.5"),
        (("tiers", 0, "delta"), 1.5, "delta"),
        (("tiers", 0, "delta"), 0.02, "come to more"),
        (("tiers", 0, "scores"), [0.5, 0.1], "scores"),
        (("tiers", 0, "fingerprint"), {"moon": ["full"]}, "moon"),
        ((*THRESHOLD, "attempts"), "retried", "same calls"),
        ((*THRESHOLD, "attempts"), "all", "same calls"),
        ((*THRESHOLD, "delta"), 0.0, "delta"),
        ((*THRESHOLD, "execute_below"), 1.5, "at most 1"),
        ((*THRESHOLD, "execute_below"), 2.0, "not every labelled one did"),
        ((*THRESHOLD, "execute_below"), None, "no refusal"),
        ((*THRESHOLD, "floor"), 0.2, "no call was labelled"),
        ((*THRESHOLD, "executed"), 40, "no cut was tested"),
        ((*THRESHOLD, "executed"), 120, "coverage"),
        ((*THRESHOLD, "executed_errors"), 30, "contradict"),
        ((*THRESHOLD, "executed_errors"), 7, "do not support"),
        ((*THRESHOLD, "n"), 110, "contradict"),
        ((*THRESHOLD, "p_value"), 0.001, "p_value"),
        ((*THRESHOLD, "upper"), 0.01, "upper"),
        ((*THRESHOLD, "refusal"), {"code": "too_few_labels", "message": "no"}, "beside the refusal"),
        ((*THRESHOLD, "surprise"), 1, "surprise"),
        (("tiers", 0, "tools", 0, "executed"), 21, "'pay' contradict"),
        (("tiers", 0, "tools", 0, "lower"), 0.9, "bounds of 'pay'"),
        (("tiers", 0, "unanswered"), -1, "below 0"),
    ],
)
def test_what_the_evidence_does_not_support_is_refused(
    tmp_path: Path, path: tuple[Any, ...], value: object, said: str
) -> None:
    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = value

    with pytest.raises(ConfigError, match=said) as refused:
        load_calibration(changed(tmp_path, change))
    assert "calibration.json" in str(refused.value)
    assert "guardrail calibrate" in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"version": 1, "version": 1}',
        '{"version": NaN}',
        '{"version": 1, "method": "m", "tiers": [], "look": 1e999}',
        '{"version": 1}',
        "[" * 100_000,
        '{"version": 1, "method": 5, "tiers": []}',
    ],
)
def test_what_is_no_calibration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"c\.json.*guardrail calibrate"):
        load_calibration(path)


def test_bytes_that_are_no_text_and_files_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_calibration(tmp_path / "c.json")
    with pytest.raises(ConfigError, match="cannot read"):
        load_calibration(tmp_path / "none.json")
    with pytest.raises(ConfigError, match="cannot write"):
        save_calibration(FULL, tmp_path / "none" / "c.json")


def test_nothing_unsupported_is_written_and_a_refused_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = saved(FULL, tmp_path)
    before = path.read_bytes()
    low, high = FULL.tiers
    wrong = replace(high.thresholds[0], alpha=0.001)
    for bad in (
        replace(FULL, tiers=(low, replace(high, alpha=0.001, thresholds=(wrong,)))),
        replace(FULL, tiers=(replace(low, alpha=float("nan")), high)),
        replace(FULL, tiers=(low, replace(high, thresholds=(replace(high.thresholds[0], refusal=REFUSED),)))),
    ):
        with pytest.raises(ConfigError):
            save_calibration(bad, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


REFUSED = Refusal(code=RefusalCode.ONE_CLASS, message="all right")


@given(st.integers(0, 400), st.integers(0, 400), st.floats(0.001, 0.999))
def test_the_binomial_is_scipys(errors: int, n: int, rate: float) -> None:
    assert at_most(errors, n, rate) == pytest.approx(float(stats.binom.cdf(errors, n, rate)), rel=1e-9, abs=1e-290)


def test_the_binomial_of_a_million_and_its_ends() -> None:
    assert at_most(19_800, 1_000_000, 0.02) == pytest.approx(float(stats.binom.cdf(19_800, 1_000_000, 0.02)), rel=1e-7)
    assert (at_most(-1, 5, 0.5), at_most(5, 5, 1.0), at_most(4, 5, 1.0), at_most(0, 5, 0.0)) == (0, 1, 0, 1)
    for n, rate in ((-1, 0.5), (5, 1.5), (5, float("nan"))):
        with pytest.raises(ValueError, match="no binomial"):
            at_most(1, n, rate)


def test_loading_takes_no_library_of_the_extra(tmp_path: Path) -> None:
    path = saved(FULL, tmp_path)
    code = (
        "import sys; from guardrail.calibration import load_calibration; "
        f"load_calibration({str(path)!r}); "
        "print([m for m in ('numpy', 'scipy', 'sklearn', 'polars') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
