"""``guardrail notify``."""
