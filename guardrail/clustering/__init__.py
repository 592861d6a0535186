"""Which tool calls mean the same: by structure first, and by language where only free texts differ."""

from guardrail.clustering.comparators import About
from guardrail.clustering.comparison import CallComparison, Comparison, compare, compare_calls
from guardrail.clustering.contrast import Wording, narrows, never_same, wording
from guardrail.clustering.entailment import AsyncEntailment, Entailment, ExactEntailment, TextPair
from guardrail.clustering.equality import EQUALITY_VERSION, Difference, Held
from guardrail.clustering.explain import FieldPlan, explain_schema
from guardrail.clustering.groups import Group, Grouping, Plan, group_samples
from guardrail.clustering.meaning import CallMeaning, StepMeaning
from guardrail.clustering.reasons import Reason
from guardrail.clustering.schema import COMPARATORS
from guardrail.clustering.shared import Answers, Figures, SharedEntailment, shared
from guardrail.comparing import Comparator

__all__ = [
    "COMPARATORS",
    "EQUALITY_VERSION",
    "About",
    "Answers",
    "AsyncEntailment",
    "CallComparison",
    "CallMeaning",
    "Comparator",
    "Comparison",
    "Difference",
    "Entailment",
    "ExactEntailment",
    "FieldPlan",
    "Figures",
    "Group",
    "Grouping",
    "Held",
    "Plan",
    "Reason",
    "SharedEntailment",
    "StepMeaning",
    "TextPair",
    "Wording",
    "compare",
    "compare_calls",
    "explain_schema",
    "group_samples",
    "narrows",
    "never_same",
    "shared",
    "wording",
]
