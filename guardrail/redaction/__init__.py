"""Keeps secrets out of what is stored and shown."""
