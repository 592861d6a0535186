"""Drawing a planning step again."""

from guardrail.sampling.drawing import Answer, Ask, Failure, Limit, draw, retry_wait
from guardrail.sampling.protocol import Asker, AsyncAsker, AsyncSampler, Sampler
from guardrail.sampling.scripted import ScriptedSampler
from guardrail.sampling.validity import Provenance, inspect, provenance

__all__ = [
    "Answer",
    "Ask",
    "Asker",
    "AsyncAsker",
    "AsyncSampler",
    "Failure",
    "Limit",
    "Provenance",
    "Sampler",
    "ScriptedSampler",
    "draw",
    "inspect",
    "provenance",
    "retry_wait",
]
