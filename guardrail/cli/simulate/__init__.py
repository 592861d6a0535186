"""``guardrail simulate``: what a calibration will probably give."""
