"""``guardrail report``: what is promised, on what evidence, and what to label next, on one page and as JSON."""
