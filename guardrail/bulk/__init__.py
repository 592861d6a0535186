"""Recorded planning steps planned, drawn and scored again: for a new model, another N or another policy.

A ``Job`` says what is done to every case; ``local.run`` does it on this machine, ``cluster.run`` on a cluster, with
the same results; ``Results`` keeps them. A planner for another kind of client is a class with ``Planner``'s methods,
made by a function that takes ``PlannerOptions``.
"""

from guardrail.bulk.estimate import Estimate, Estimator
from guardrail.bulk.job import Job
from guardrail.bulk.planner import Checker, Factory, Judgement, Planned, Planner, PlannerOptions
from guardrail.bulk.rebuilding import replayable
from guardrail.bulk.replaying import Worker
from guardrail.bulk.results import Results

__all__ = [
    "Checker",
    "Estimate",
    "Estimator",
    "Factory",
    "Job",
    "Judgement",
    "Planned",
    "Planner",
    "PlannerOptions",
    "Results",
    "Worker",
    "replayable",
]
