"""Tells people elsewhere that a call waits for them."""
