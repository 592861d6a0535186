"""``guardrail status`` and ``guardrail watch``: whether the promises hold."""
