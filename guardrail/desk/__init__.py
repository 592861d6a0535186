"""What adapters share: an assessed call is let through once, held, or refused, whatever API it came from.

An adapter makes a ``PlanningStep`` of a model's turn, has ``Guard.assess`` decide on it, and asks a ``Desk`` right
where each tool would be started.
"""

from guardrail.desk.answered import follow
from guardrail.desk.desk import Desk
from guardrail.desk.edits import edit_of, review_of_edit, superseded_by
from guardrail.desk.held import Held, Kinds, PlanAgain, Planned, Refused, WaitsForReview
from guardrail.desk.pausing import PausingDesk
from guardrail.desk.permitting import Permitting, Tools

__all__ = [
    "Desk",
    "Held",
    "Kinds",
    "PausingDesk",
    "Permitting",
    "PlanAgain",
    "Planned",
    "Refused",
    "Tools",
    "WaitsForReview",
    "edit_of",
    "follow",
    "review_of_edit",
    "superseded_by",
]
