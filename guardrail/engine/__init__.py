"""The flow of one planning step, once; ``Guard`` and ``AsyncGuard`` drive it. What may run afterwards: ``permit``."""

from guardrail.engine.feedback import feedback
from guardrail.engine.guard import AsyncGuard, Guard
from guardrail.engine.observing import Observer
from guardrail.engine.permits import DISPATCHER, Permit, Refusal, bound, finished, permit, started_before
from guardrail.engine.revealing import REVEAL, REVEALED, Revealed, reveal
from guardrail.engine.reviewing import review_under

__all__ = [
    "DISPATCHER",
    "REVEAL",
    "REVEALED",
    "AsyncGuard",
    "Guard",
    "Observer",
    "Permit",
    "Refusal",
    "Revealed",
    "bound",
    "feedback",
    "finished",
    "permit",
    "reveal",
    "review_under",
    "started_before",
]
