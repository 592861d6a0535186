"""``guardrail demo --label``: from records over labels to a calibrated policy and a report."""
