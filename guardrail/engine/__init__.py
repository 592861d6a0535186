"""The flow of one planning step, once; ``Guard`` and ``AsyncGuard`` drive it."""

from guardrail.engine.feedback import feedback
from guardrail.engine.guard import AsyncGuard, Guard

__all__ = ["AsyncGuard", "Guard", "feedback"]
