"""``guardrail bench``: how well each signal tells right calls from wrong ones, as a table and as pictures."""
