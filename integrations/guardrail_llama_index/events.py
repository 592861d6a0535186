"""What a workflow says where a call waits for a person, and what makes it look again."""

from __future__ import annotations

from llama_index.core.workflow import HumanResponseEvent, InputRequiredEvent


class ReviewRequired(InputRequiredEvent):
    """A call waits in our queue."""

    review_id: str


class ReviewDecided(HumanResponseEvent):
    """Somebody may have decided: the call looks into the queue again. Nothing that the event says is a decision."""

    review_id: str
