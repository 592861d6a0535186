"""``guardrail record``: a proxy that saves an agent's own planning steps, with samples, as cases."""
