"""Drawing a planning step again."""

from guardrail.sampling.asking import Letters, Query, inquire, reply_from
from guardrail.sampling.billing import completion_of_all
from guardrail.sampling.drawing import Answer, Ask, Failure, Limit, draw, retry_wait
from guardrail.sampling.logprobs import read_tokens
from guardrail.sampling.protocol import Asker, AsyncAsker, AsyncSampler, Sampler, Shaped
from guardrail.sampling.scripted import ScriptedSampler
from guardrail.sampling.settings import shaping
from guardrail.sampling.validity import Provenance, inspect, provenance

__all__ = [
    "Answer",
    "Ask",
    "Asker",
    "AsyncAsker",
    "AsyncSampler",
    "Failure",
    "Letters",
    "Limit",
    "Provenance",
    "Query",
    "Sampler",
    "ScriptedSampler",
    "Shaped",
    "completion_of_all",
    "draw",
    "inquire",
    "inspect",
    "provenance",
    "read_tokens",
    "reply_from",
    "retry_wait",
    "shaping",
]
