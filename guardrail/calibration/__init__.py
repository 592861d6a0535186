"""Measures of how well signals tell right calls from wrong ones, and the risk model that combines them.

A saved ``RiskModel`` takes the standard library alone; measuring and fitting take the extra ``calibration``, whose
packages are loaded on first use.
"""

from guardrail.calibration.bootstrap import Interval, Resamples, Scores
from guardrail.calibration.calibrated_file import calibration_digest, load_calibration, save_calibration
from guardrail.calibration.evaluation import Calibrated, Difference, Evaluation, Measured, evaluate
from guardrail.calibration.fitting import Fitted, Held, Setting, cross_fit, fit_risk
from guardrail.calibration.folds import fold_of
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
from guardrail.calibration.prior import fit_prior
from guardrail.calibration.risk_model import Input, Pattern, RiskModel
from guardrail.calibration.rows import Row, row_of, worst
from guardrail.calibration.scales import Doubt, Scale

__all__ = [
    "Bin",
    "Calibrated",
    "Difference",
    "Doubt",
    "Evaluation",
    "Fitted",
    "Held",
    "Input",
    "Interval",
    "Measured",
    "Pattern",
    "Point",
    "Resamples",
    "RiskModel",
    "Row",
    "Scale",
    "Scores",
    "Setting",
    "accepted",
    "aurc",
    "auroc",
    "brier",
    "calibration_digest",
    "cross_fit",
    "ece",
    "ece_debiased",
    "ece_null",
    "evaluate",
    "excess_aurc",
    "fit_prior",
    "fit_risk",
    "fold_of",
    "load_calibration",
    "log_loss",
    "reliability",
    "risk_coverage",
    "roc",
    "row_of",
    "save_calibration",
    "worst",
]
