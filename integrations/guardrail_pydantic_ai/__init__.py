"""The guard for agents of pydantic-ai."""
