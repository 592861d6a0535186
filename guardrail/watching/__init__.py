"""Watching a promise live: audits of calls that ran, against what their tier promised, after every answer.

``watch`` reads what labels came since it last looked, keeps the evidence of every tier and tool in the store, raises
the alarms, and tells somebody. The guard sends the calls of an alarm to review until a person clears it.
"""

from guardrail.watching.notifying import Notify, all_of, command, webhook
from guardrail.watching.picture import Evidence, ReviewLoad, Status, TierStatus
from guardrail.watching.status import status
from guardrail.watching.streams import Stream, Watched
from guardrail.watching.watcher import Look, look, watch, watched

__all__ = [
    "Evidence",
    "Look",
    "Notify",
    "ReviewLoad",
    "Status",
    "Stream",
    "TierStatus",
    "Watched",
    "all_of",
    "command",
    "look",
    "status",
    "watch",
    "watched",
    "webhook",
]
