"""The values that pass through the guard, in the order in which they arise.

A planning step is drawn again (samples), the samples are grouped by meaning (clusters), the groups are
measured (signals), and these decide about each planned call (verdicts). What happened is kept (record), and
people's judgements are attached to it (labels). ``guardrail.codec`` turns all into JSON and back unchanged.
"""

from guardrail.types.cases import CASE_VERSION, Case
from guardrail.types.records import (
    RECORD_VERSION,
    Label,
    LabelSource,
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
    "CASE_VERSION",
    "RECORD_VERSION",
    "SAMPLED",
    "Case",
    "Cluster",
    "Decision",
    "DecisionType",
    "Label",
    "LabelSource",
    "MeaningKind",
    "Need",
    "PlanningStep",
    "Question",
    "Reason",
    "Record",
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
    "Tier",
    "Token",
    "ToolCall",
    "ToolSpec",
    "Turn",
    "Usage",
    "Verdict",
]
