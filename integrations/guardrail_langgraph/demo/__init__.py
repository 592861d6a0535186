"""A support agent over a small real database, guarded: what ``guardrail demo`` shows."""
