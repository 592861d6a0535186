"""``guardrail audits``: a budget is drawn once from each time, with chances that are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from guardrail.calibration import save_calibration
from guardrail.cli.main import main
from guardrail.engine.audit_batches import draw_audits
from guardrail.engine.labels import stored_labels
from guardrail.errors import ConfigError, StoreError
from guardrail.store import MemoryStore, SQLiteStore, Store, stored_draws
from guardrail.types import Reason, Route, Tier
from tests.cli.labelling import audited
from tests.support.calibrated import a_policy, a_threshold, a_tier
from tests.support.records import label

NOW = datetime(2026, 1, 3, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path):
    opened = SQLiteStore(tmp_path / "guardrail.db")
    for number in range(40):
        opened.add_record(audited(number, risk=0.02 if number % 2 else 0.3))
    yield opened
    opened.close()


@pytest.fixture
def run(store: SQLiteStore) -> Callable[..., Result]:
    def run(*args: str) -> Result:
        return CliRunner().invoke(main, ["audits", *args], env={"GUARDRAIL_STORE": store.url})

    return run


def test_a_draw_is_kept_with_its_chances_and_the_rest_need_not_be_judged(run, store: SQLiteStore) -> None:
    assert "40 calls wait to be judged" in run("list").stdout
    result = run("draw", "--budget", "12", "--json")
    assert result.exit_code == 0
    drawn = json.loads(result.stdout)
    assert (drawn["open"], drawn["judged"]) == (40, 0)
    kept = list(stored_draws(store))
    assert [draw.record_id for draw in kept] == [one["record_id"] for one in drawn["drawn"]]
    assert 4 <= len(kept) <= 22
    found = stored_labels(store)
    assert len(found.unanswered) == len(kept)
    chance = {f"{draw.record_id}/{draw.call_id}": 0.5 * draw.probability for draw in kept}
    assert {call.id: call.probability for call in found.unanswered} == pytest.approx(chance)
    listed = json.loads(run("list", "--json").stdout)
    assert {one["record"] for one in listed} == {draw.record_id for draw in kept}
    assert f"{len(kept)} calls wait to be judged" in run("list", "--limit", "2").stdout


def test_the_words_tell_tiers_tools_and_chances_and_show_no_verdict(run, store: SQLiteStore) -> None:
    out = run("draw", "--budget", "12").stdout
    for part in ("of 40 audited ones", "medium", "refund", " to ", "guardrail label --audits-only"):
        assert part in out
    listed = run("list").stdout
    assert 'order_id="A-7"' in listed
    for word in ("execute", "agreement", "risk", "0.3"):
        assert word not in listed


def test_the_same_time_is_drawn_from_once(run, store: SQLiteStore) -> None:
    run("draw", "--budget", "12", "--until", "2026-01-02T03:20:00Z")
    first = list(stored_draws(store))
    refused = run("draw", "--budget", "12", "--since", "2026-01-02")
    assert refused.exit_code == 2
    assert "drawn from already" in refused.stderr
    run("draw", "--budget", "12")
    both = list(stored_draws(store))
    assert both[: len(first)] == first
    later = both[len(first) :]
    assert {draw.record_id for draw in first} <= {f"rec-{n:06}" for n in range(20)}
    assert {draw.record_id for draw in later} <= {f"rec-{n:06}" for n in range(20, 40)}
    assert {draw.since for draw in later} == {first[0].until}
    assert "0 audited ones" in run("draw", "--budget", "12").stdout
    assert list(stored_draws(store)) == both
    assert all(call.probability for call in stored_labels(store).unanswered)


def test_calls_near_a_threshold_are_likelier(store: SQLiteStore, run, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    save_calibration(a_policy(a_tier(Tier.MEDIUM, a_threshold(0.02))), path)
    run("draw", "--budget", "30", "--calibration", str(path), "--power", "1")
    near = [draw.probability for draw in stored_draws(store) if int(draw.record_id[-2:]) % 2]
    plain = MemoryStore()
    for number in range(40):
        plain.add_record(audited(number, risk=0.02 if number % 2 else 0.3))
    draw_audits(plain, 30, now=NOW, power=1)
    far = [draw.probability for draw in stored_draws(plain) if int(draw.record_id[-2:]) % 2]
    assert min(near) > max(far)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--budget", "0"], "budget"),
        (["--budget", "nan"], "above 0"),
        (["--budget", "3", "--floor", "0"], "floor"),
        (["--budget", "3", "--since", "yesterday"], "no time"),
        (["--budget", "3", "--since", "2026-02-01", "--until", "2026-01-01"], "nothing to draw"),
        (["--budget", "3", "--until", "9999-01-01"], "nothing to draw"),
    ],
    ids=str,
)
def test_what_cannot_be_drawn_is_refused(run, store: SQLiteStore, args: list[str], said: str) -> None:
    result = run("draw", *args)
    assert result.exit_code == 2
    assert said in result.stderr
    assert list(stored_draws(store)) == []


def test_reviewed_and_unaudited_calls_are_not_drawn_and_judged_ones_cost_nothing(run) -> None:
    store = MemoryStore()
    store.add_record(audited(1, labels=(label(),)))
    store.add_record(audited(2, route=Route.REVIEW, reason=Reason.UNCALIBRATED))
    store.add_record(audited(3, drawn=False))
    store.add_record(audited(4))
    found = draw_audits(store, 5, now=NOW)
    assert ([draw.record_id for draw in found.drawn], found.judged) == (["rec-000004"], 1)
    kept = {draw.record_id: draw.probability for draw in stored_draws(store)}
    assert kept == {"rec-000001": 1.0, "rec-000004": 1.0}


def test_the_seed_of_the_store_decides_who_is_drawn() -> None:
    def drawn(seed: str) -> list[str]:
        store = MemoryStore()
        store.put_state("audit-seed", seed, revision=0)
        for number in range(40):
            store.add_record(audited(number))
        return [draw.record_id for draw in draw_audits(store, 10, now=NOW).drawn]

    assert drawn("one") == drawn("one")
    assert drawn("one") != drawn("two")


class _Failing(MemoryStore):
    """A store that goes away between what is fixed and what is kept."""

    fails = True

    def add_draws(self, draws):
        if draws and self.fails:
            raise StoreError("away")
        return super().add_draws(draws)


def test_a_draw_that_was_cut_off_is_completed_by_the_next_with_the_same_calls() -> None:
    store = _Failing()
    for number in range(40):
        store.add_record(audited(number))
    with pytest.raises(StoreError, match="away"):
        draw_audits(store, 10, now=NOW)
    assert list(stored_draws(store)) == []
    store.fails = False
    again = draw_audits(store, 10, now=datetime(2026, 1, 4, tzinfo=UTC))
    assert again.drawn == ()
    assert {draw.until for draw in stored_draws(store)} == {NOW.isoformat()}


def test_of_two_that_draw_at_once_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    store: Store = MemoryStore()
    for number in range(40):
        store.add_record(audited(number))
    import guardrail.engine.audit_batches as batches

    kept = batches.population

    def racing(*args, **more):
        monkeypatch.setattr(batches, "population", kept)
        draw_audits(store, 10, now=NOW)
        return kept(*args, **more)

    monkeypatch.setattr(batches, "population", racing)
    with pytest.raises(StoreError, match="another process"):
        draw_audits(store, 10, now=datetime(2026, 1, 4, tzinfo=UTC))
    assert {draw.until for draw in stored_draws(store)} == {NOW.isoformat()}


def test_a_batch_in_the_state_that_cannot_be_read_is_told() -> None:
    store = MemoryStore()
    store.put_state("audits/batch", '[{"record_id": 1}]', revision=0)
    with pytest.raises(StoreError, match="cannot be read"):
        draw_audits(store, 10, now=NOW)


def test_times_are_compared_in_every_zone() -> None:
    store = MemoryStore()
    for number in range(20):
        store.add_record(audited(number))
    found = draw_audits(store, 30, now=NOW, until="2026-01-02T05:10:00+02:00")
    assert {draw.record_id for draw in found.drawn} == {f"rec-{n:06}" for n in range(10)}
    with pytest.raises(ConfigError, match="drawn from already"):
        draw_audits(store, 30, now=NOW, since="2026-01-02T03:09:00Z")
