"""``guardrail people`` and ``guardrail tokens``: who may come in, for whoever operates the machine."""

from guardrail.cli.people.command import people
from guardrail.cli.people.tokens import tokens

__all__ = ["people", "tokens"]
