"""From labelled calls to a risk, and to thresholds on it that keep a promise.

Measures of how well signals tell right calls from wrong ones, the risk model that combines them, and ``calibrate``. A
saved ``RiskModel`` and a saved calibration take the standard library alone; measuring and fitting take the extra
``calibration``, whose packages are loaded on first use.
"""

from guardrail.calibration.asked import Cuts, Retries, Unit
from guardrail.calibration.bootstrap import Interval, Resamples, Scores
from guardrail.calibration.calibrated_file import calibration_digest, load_calibration, save_calibration
from guardrail.calibration.calibrating import Calibration, calibrate, calls_tested
from guardrail.calibration.calls import Calls, calls_of
from guardrail.calibration.evaluation import Calibrated, Difference, Evaluation, Measured, evaluate
from guardrail.calibration.fitting import Fitted, Held, Setting, cross_fit, fit_risk
from guardrail.calibration.folds import fold_of
from guardrail.calibration.labelled import Labelled, judged_twice, labelled_calls
from guardrail.calibration.ledger import Ledger, Plan, load_ledger, save_ledger, store_ledger, stored_ledger
from guardrail.calibration.metrics import (
    Bin,
    Point,
    accepted,
    aurc,
    auroc,
    brier,
    ece,
    ece_debiased,
    ece_null,
    excess_aurc,
    log_loss,
    reliability,
    risk_coverage,
    roc,
)
from guardrail.calibration.options import TARGETS, Combiner
from guardrail.calibration.prior import fit_prior
from guardrail.calibration.reading import read_calls
from guardrail.calibration.risk_model import Input, Pattern, RiskModel
from guardrail.calibration.rows import Row, row_of, worst
from guardrail.calibration.scales import Doubt, Scale

__all__ = [
    "TARGETS",
    "Bin",
    "Calibrated",
    "Calibration",
    "Calls",
    "Combiner",
    "Cuts",
    "Difference",
    "Doubt",
    "Evaluation",
    "Fitted",
    "Held",
    "Input",
    "Interval",
    "Labelled",
    "Ledger",
    "Measured",
    "Pattern",
    "Plan",
    "Point",
    "Resamples",
    "Retries",
    "RiskModel",
    "Row",
    "Scale",
    "Scores",
    "Setting",
    "Unit",
    "accepted",
    "aurc",
    "auroc",
    "brier",
    "calibrate",
    "calibration_digest",
    "calls_of",
    "calls_tested",
    "cross_fit",
    "ece",
    "ece_debiased",
    "ece_null",
    "evaluate",
    "excess_aurc",
    "fit_prior",
    "fit_risk",
    "fold_of",
    "judged_twice",
    "labelled_calls",
    "load_calibration",
    "load_ledger",
    "log_loss",
    "read_calls",
    "reliability",
    "risk_coverage",
    "roc",
    "row_of",
    "save_calibration",
    "save_ledger",
    "store_ledger",
    "stored_ledger",
    "worst",
]
