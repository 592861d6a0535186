"""The guard for loops around Anthropic's Messages API."""
