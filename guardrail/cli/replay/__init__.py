"""``guardrail replay``: the command, and what it shows."""
