"""Drawing a planning step again."""

from guardrail.sampling.asking import Letters, Query, inquire, reply_from
from guardrail.sampling.billing import completion_of_all
from guardrail.sampling.drawing import Answer, Ask, Failure, Limit, draw, retry_wait
from guardrail.sampling.logprobs import read_tokens
from guardrail.sampling.protocol import Asker, AsyncAsker, AsyncSampler, Sampler, Shaped
from guardrail.sampling.repeating import Repeatable, RepeatingSampler
from guardrail.sampling.scripted import ScriptedSampler
from guardrail.sampling.settings import greedy_setting, shaping
from guardrail.sampling.validity import Provenance, inspect, provenance
from guardrail.sampling.written import Written

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
    "Repeatable",
    "RepeatingSampler",
    "Sampler",
    "ScriptedSampler",
    "Shaped",
    "Written",
    "completion_of_all",
    "draw",
    "greedy_setting",
    "inquire",
    "inspect",
    "provenance",
    "read_tokens",
    "reply_from",
    "retry_wait",
    "shaping",
]
