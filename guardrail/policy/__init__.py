"""Which stakes a call has, and what may be done about them."""

from guardrail.policy.budget import Allowance, cost, midnight
from guardrail.policy.defaults import COMPARATORS, SIGNALS, TIER_DEFAULTS, TierSettings
from guardrail.policy.policy import Policy
from guardrail.policy.redaction import Redaction
from guardrail.policy.resolution import Resolution, stricter
from guardrail.policy.reviewing import Floods, Reviewers, Timeout
from guardrail.policy.rules import Rule
from guardrail.policy.schema import policy_schema
from guardrail.policy.stages import Budget, Condition, Limits, Op, Price, Stage, Stopping, StoppingRule

__all__ = [
    "COMPARATORS",
    "SIGNALS",
    "TIER_DEFAULTS",
    "Allowance",
    "Budget",
    "Condition",
    "Floods",
    "Limits",
    "Op",
    "Policy",
    "Price",
    "Redaction",
    "Resolution",
    "Reviewers",
    "Rule",
    "Stage",
    "Stopping",
    "StoppingRule",
    "TierSettings",
    "Timeout",
    "cost",
    "midnight",
    "policy_schema",
    "stricter",
]
