"""The flow of one planning step, once; ``Guard`` and ``AsyncGuard`` drive it."""

from guardrail.engine.feedback import feedback
from guardrail.engine.guard import AsyncGuard, Guard
from guardrail.engine.reviewing import review_under

__all__ = ["AsyncGuard", "Guard", "feedback", "review_under"]
