"""``guardrail label``: judgements on calls, from people, files, services and programs."""
