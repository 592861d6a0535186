"""Which stakes a call has, and what may be done about them."""

from guardrail.policy.defaults import COMPARATORS, SIGNALS, TIER_DEFAULTS, TierSettings
from guardrail.policy.policy import Policy
from guardrail.policy.resolution import Resolution, Timeout, stricter
from guardrail.policy.rules import Rule
from guardrail.policy.schema import policy_schema

__all__ = [
    "COMPARATORS",
    "SIGNALS",
    "TIER_DEFAULTS",
    "Policy",
    "Resolution",
    "Rule",
    "TierSettings",
    "Timeout",
    "policy_schema",
    "stricter",
]
