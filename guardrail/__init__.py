"""Drawn again, compared by meaning, then executed, planned again or put before a human."""
