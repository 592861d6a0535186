"""The approval queue: reviews, the decisions on them, and their single use."""

from guardrail.review.edits import check_arguments
from guardrail.review.ids import call_digest, review_id
from guardrail.review.machine import FINAL, RUNS, UNFINISHED, WAITING
from guardrail.review.queue import Queue

__all__ = ["FINAL", "RUNS", "UNFINISHED", "WAITING", "Queue", "call_digest", "check_arguments", "review_id"]
