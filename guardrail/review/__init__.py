"""The approval queue: reviews, the decisions on them, and their single use."""

from guardrail.names import same_person
from guardrail.redaction import raw_digest
from guardrail.review.batches import MAX_BATCH, Outcome
from guardrail.review.changing import Who
from guardrail.review.deadlines import DEADLINE, later, priority
from guardrail.review.decisions import MAX_COMMENT, MAX_COMMENTS, MAX_MESSAGE, check_edit
from guardrail.review.edits import check_arguments
from guardrail.review.floods import SUMMARY
from guardrail.review.hidden import EDIT, hide, planned_as, runs_as, what_runs
from guardrail.review.ids import call_digest, review_id
from guardrail.review.leases import LEASE, LONGEST_LEASE, live
from guardrail.review.machine import FINAL, RUNS, UNFINISHED, WAITING
from guardrail.review.people import DECIDE, OVERRIDE, READ
from guardrail.review.queue import Queue
from guardrail.review.running import CALL

__all__ = [
    "CALL",
    "DEADLINE",
    "DECIDE",
    "EDIT",
    "FINAL",
    "LEASE",
    "LONGEST_LEASE",
    "MAX_BATCH",
    "MAX_COMMENT",
    "MAX_COMMENTS",
    "MAX_MESSAGE",
    "OVERRIDE",
    "READ",
    "RUNS",
    "SUMMARY",
    "UNFINISHED",
    "WAITING",
    "Outcome",
    "Queue",
    "Who",
    "call_digest",
    "check_arguments",
    "check_edit",
    "hide",
    "later",
    "live",
    "planned_as",
    "priority",
    "raw_digest",
    "review_id",
    "runs_as",
    "same_person",
    "what_runs",
]
