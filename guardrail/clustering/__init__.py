"""Which tool calls mean the same."""

from guardrail.clustering.entailment import AsyncEntailment, Entailment, ExactEntailment, TextPair

__all__ = ["AsyncEntailment", "Entailment", "ExactEntailment", "TextPair"]
