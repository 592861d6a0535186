"""``guardrail policy``: what a policy promises, what a proposal would change, and adopting one."""
