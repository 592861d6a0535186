"""The values that pass through the guard, in the order in which they arise.

A planning step is drawn again (samples), the samples are grouped by meaning (clusters), the groups are
measured (signals), and these decide about each planned call (verdicts). What happened is kept (record), and
people's judgements are attached to it (labels). ``guardrail.codec`` turns all into JSON and back unchanged.
"""

from guardrail.types.calibrated import (
    CALIBRATION_VERSION,
    PER_TIER,
    SCORE_KEYS,
    Alarm,
    Attempts,
    CalibratedPolicy,
    CalibratedTier,
    Promise,
    Refusal,
    RefusalCode,
    Threshold,
    ToolEvidence,
    score_fingerprint,
)
from guardrail.types.cases import CASE_VERSION, Case
from guardrail.types.labels import (
    LABELLED_VERSION,
    AuditDraw,
    Fault,
    Label,
    LabelledCall,
    LabelSource,
)
from guardrail.types.records import (
    RECORD_VERSION,
    Record,
    Spending,
)
from guardrail.types.reviews import (
    Decision,
    Review,
    ReviewEvent,
    ReviewState,
)
from guardrail.types.signals import (
    SAMPLED,
    Need,
    Safer,
    Signal,
    SignalInfo,
)
from guardrail.types.stakes import (
    DecisionType,
    Route,
    Tier,
)
from guardrail.types.steps import (
    PlanningStep,
    Question,
    Reply,
    ReplyBatch,
    Sample,
    SampleBatch,
    SampleStatus,
    Token,
    ToolCall,
    ToolSpec,
    Turn,
    Usage,
)
from guardrail.types.verdicts import (
    Cluster,
    MeaningKind,
    Reason,
    StepVerdict,
    Verdict,
)

__all__ = [
    "CALIBRATION_VERSION",
    "CASE_VERSION",
    "LABELLED_VERSION",
    "PER_TIER",
    "RECORD_VERSION",
    "SAMPLED",
    "SCORE_KEYS",
    "Alarm",
    "Attempts",
    "AuditDraw",
    "CalibratedPolicy",
    "CalibratedTier",
    "Case",
    "Cluster",
    "Decision",
    "DecisionType",
    "Fault",
    "Label",
    "LabelSource",
    "LabelledCall",
    "MeaningKind",
    "Need",
    "PlanningStep",
    "Promise",
    "Question",
    "Reason",
    "Record",
    "Refusal",
    "RefusalCode",
    "Reply",
    "ReplyBatch",
    "Review",
    "ReviewEvent",
    "ReviewState",
    "Route",
    "Safer",
    "Sample",
    "SampleBatch",
    "SampleStatus",
    "Signal",
    "SignalInfo",
    "Spending",
    "StepVerdict",
    "Threshold",
    "Tier",
    "Token",
    "ToolCall",
    "ToolEvidence",
    "ToolSpec",
    "Turn",
    "Usage",
    "Verdict",
    "score_fingerprint",
]
