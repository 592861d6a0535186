"""``guardrail audit``: the log of who did what, and whether it is whole."""
