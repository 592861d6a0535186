"""The promise is kept in every world, and broken by what is commonly done instead."""

from __future__ import annotations

import numpy as np
import pytest

from guardrail.calibration import Row, Setting, cross_fit
from tests.calibration.traps import traps
from tests.calibration.worlds import (
    DELTA,
    NOTHING,
    Scenario,
    binormal,
    bound,
    by_traffic,
    confident_wrong,
    flat,
    grid,
    rule,
    scenarios,
    simulate,
    waves,
)

TRIALS = 1_000
FEW = 60
ALL = {one.name: one for one in (*scenarios(), *traps())}
CAREFUL = [name for name, one in ALL.items() if not one.naive]
CARELESS = [name for name, one in ALL.items() if one.naive]
SHARE, PLANNED_SHARE = 0.49, 0.51
"""What the rule runs of what could run, on the mean over the grid; and what it does where its start is planned."""


def test_every_trap_is_there():
    assert len(ALL) == len(scenarios()) + len(traps())
    assert len(CARELESS) >= 15


@pytest.mark.slow
@pytest.mark.parametrize("name", CAREFUL)
def test_the_promise_is_kept(name):
    assert simulate(ALL[name], trials=TRIALS).violation <= bound(TRIALS)


@pytest.mark.slow
@pytest.mark.parametrize("name", CARELESS)
def test_carelessness_breaks_it(name):
    assert simulate(ALL[name], trials=TRIALS).violation > bound(TRIALS)


@pytest.mark.parametrize("name", CAREFUL)
def test_the_promise_is_kept_in_a_few_trials(name):
    assert simulate(ALL[name], trials=FEW).violation <= bound(FEW)


def test_what_breaks_it_badly_does_so_in_a_few_trials():
    for name in ("calls that ran unseen, taken for right", "unequal audits, pooled", "useless score, plug-in"):
        assert simulate(ALL[name], trials=FEW).violation > 0.8


@pytest.mark.slow
@pytest.mark.parametrize(("planned", "trials", "share"), [(False, TRIALS, SHARE), (True, 300, PLANNED_SHARE)])
def test_on_the_grid_the_promise_is_kept_and_half_of_what_could_run_does(planned, trials, share):
    found = [(one, simulate(one, trials=trials)) for one in grid(planned=planned)]
    assert len(found) > 200
    broken = [(one.name, one.n, one.alpha, each.violation) for one, each in found if each.violation > bound(trials)]
    assert not broken
    assert round(float(np.mean([each.share for _, each in found])), 2) >= share


def test_on_a_part_of_the_grid():
    found = [simulate(one, trials=20) for one in grid()[::4]]
    assert np.mean([each.share for each in found]) > SHARE - 0.08


@pytest.mark.slow
def test_the_package_s_own_cross_fitted_risk_keeps_it():
    """Signals that tell nothing: whatever runs is wrong at 0.21."""
    n, trials, alpha = 60, 300, 0.2
    setting = Setting(signals=("agreement", "semantic_entropy", "p_true"), penalty=1.0)

    def play(rng):
        values = rng.random((n, 3))
        wrong = rng.random(n) < 0.21
        folds = min(5, int(wrong.sum()))
        if folds < 2:
            return NOTHING
        rows = [
            Row(id=str(place), right=not bad, signals=dict(zip(setting.signals, signals.tolist(), strict=True)))
            for place, (bad, signals) in enumerate(zip(wrong, values, strict=True))
        ]
        risk = [held.risk for held in cross_fit(rows, setting, folds=folds, seed=0)]
        return flat(0.21).outcome(rule(np.array(risk), wrong, alpha).execute_below)

    scenario = Scenario(name="cross_fit", n=n, alpha=alpha, play=play)
    assert simulate(scenario, trials=trials).violation <= bound(trials)


class TestWorlds:
    """What is known of a world is so."""

    @pytest.mark.parametrize(
        "world", [binormal(0.2, 0.8), flat(0.1), confident_wrong(), waves()], ids=["binormal", "flat", "wrong", "waves"]
    )
    def test_the_error_below_a_cut(self, world):
        scores, wrong = world.draw(np.random.default_rng(0), 200_000)
        for cut in (0.1, 0.35, 0.8, 1.0):
            assert wrong[scores < cut].mean() == pytest.approx(world.risk(cut), abs=0.01)
        assert world.risk(2.0) == world.risk(1.0)

    @pytest.mark.parametrize(("base", "auroc"), [(0.1, 0.7), (0.3, 0.9)])
    def test_a_binormal_world_has_its_base_rate_and_auroc(self, base, auroc):
        world = binormal(base, auroc)
        assert world.risk(1.0) == pytest.approx(base, abs=1e-4)
        scores, wrong = world.draw(np.random.default_rng(0), 4_000)
        above = (scores[wrong][:, None] > scores[~wrong][None, :]).mean()
        assert above == pytest.approx(auroc, abs=0.03)

    def test_the_oracle_runs_as_much_as_may_run(self):
        world = binormal(0.2, 0.8)
        share = world.oracle(0.1)
        assert world.risk(share) <= 0.1 < world.risk(share + 0.001)
        assert flat(0.2).oracle(0.1) == 0
        assert flat(0.05).oracle(0.1) == 1
        assert waves().oracle(0.1) > 0.7

    def test_a_rule_that_runs_everything_is_found_out(self):
        reckless = Scenario(name="reckless", n=1, alpha=0.1, play=lambda rng: flat(0.2).outcome(2.0))
        assert simulate(reckless, trials=10).violation == 1
        timid = Scenario(name="timid", n=1, alpha=0.1, play=lambda rng: flat(0.2).outcome(None))
        assert simulate(timid, trials=10).violation == 0

    def test_the_bound_is_delta_and_three_standard_errors(self):
        assert bound(1_000) == pytest.approx(DELTA + 3 * np.sqrt(0.05 * 0.95 / 1_000))
        assert by_traffic("waves", waves(), 500, 0.1).oracle == waves().oracle(0.1)
