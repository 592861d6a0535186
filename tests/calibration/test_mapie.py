"""MAPIE's controller gives the same p-values and thresholds, where it counts the same errors."""

from __future__ import annotations

import warnings

import mapie.risk_control as mapie
import numpy as np
import pytest

from guardrail.calibration.promise import binomial_tail, fixed_sequence

CUTS = np.arange(0.25, 1.0, 0.01) + 0.005
"""Between the scores, which have two digits: MAPIE lets a call run at the cut, and we below it."""


def controlled(scores, wrong, alpha):
    """MAPIE's laxest cut (None: none), and the p-value of each. Its own default, precision, takes right calls from
    floating point; errors are counted here.
    """
    risk = mapie.BinaryRisk(
        risk_occurrence=lambda right, runs: right != runs,
        risk_condition=lambda right, runs: runs == 1,
        higher_is_better=False,
    )
    controller = mapie.BinaryClassificationController(
        predict_function=lambda rows: np.column_stack([rows[:, 0], 1 - rows[:, 0]]),
        risk=risk,
        target_level=alpha,
        confidence_level=0.95,
        best_predict_param_choice="predicted_positive_fraction",
        list_predict_params=1 - CUTS,
        fwer_method="fixed_sequence",
    )
    with warnings.catch_warnings():
        # that an error rate goes up and down, and that no cut passes
        warnings.simplefilter("ignore", UserWarning)
        controller.calibrate(scores[:, None], ~wrong)
    valid = [float(1 - one) for one in controller.valid_predict_params]
    return max(valid, default=None), controller.p_values[:, 0]


def a_sample(seed):
    rng = np.random.default_rng(seed)
    scores = np.round(rng.random(400), 2)
    return scores, rng.random(400) < 0.35 * scores


def counted(scores, wrong):
    below = scores[None, :] < CUTS[:, None]
    return below.sum(axis=1), (below & wrong).sum(axis=1)


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.2])
def test_p_values_are_equal_but_for_its_phantom_errors(alpha):
    same = more = 0
    for seed in range(20):
        scores, wrong = a_sample(seed)
        n, errors = counted(scores, wrong)
        ours, theirs = binomial_tail(errors, n, alpha), controlled(scores, wrong, alpha)[1]
        # n times the error rate, rounded up: a rounding above the count is one error more
        phantom = np.ceil(n * (errors / n)) > errors
        assert theirs[~phantom] == pytest.approx(ours[~phantom], rel=1e-9)
        assert (theirs[phantom] >= ours[phantom]).all()
        same, more = same + int((~phantom).sum()), more + int(phantom.sum())
    assert same > more


def test_thresholds_are_equal_where_phantom_errors_decide_nothing_and_never_stricter():
    equal = refused = 0
    for seed in range(100):
        scores, wrong = a_sample(seed)
        n, errors = counted(scores, wrong)
        if np.mean(np.diff(errors / n)) <= 0:
            continue  # it takes the direction from the labels, and would walk from the laxest cut
        theirs, p_values = controlled(scores, wrong, 0.1)
        ours = fixed_sequence(scores, wrong, alpha=0.1, delta=0.05, cuts=CUTS).execute_below
        if ((p_values <= 0.05) != (binomial_tail(errors, n, 0.1) <= 0.05)).any():
            assert theirs is None or (ours is not None and ours >= theirs - 1e-9)
        elif theirs is None:
            assert ours is None
            refused += 1
        else:
            assert ours == pytest.approx(theirs, abs=1e-9)
            equal += 1
    assert equal > 40
    assert refused
