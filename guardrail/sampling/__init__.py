"""Drawing a planning step again."""

from guardrail.sampling.protocol import AsyncSampler, Sampler

__all__ = ["AsyncSampler", "Sampler"]
