"""``guardrail calibrate``: thresholds with a promise from labelled calls."""
