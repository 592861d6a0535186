"""Tools that ask somebody themselves: they are started, find that they have to wait, and are started once more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from guardrail.desk.desk import Desk
from guardrail.engine import Permit
from guardrail.types import ToolCall

_ASKS: Final = "asks"


class PausingDesk(Desk):
    """A desk at which a call that needed nobody's approval may start once more, where its tool only asked."""

    def first(self, permitted: Permit, planned: ToolCall) -> bool:  # noqa: ARG002 - the key says it
        """Take the single use of a call, whose tool may have paused before."""
        place = permitted.use
        known = self.store.state(place)
        revision = known[0] if known is not None and known[1] == _ASKS else 0
        return self.store.put_state(place, datetime.now(UTC).isoformat(), revision=revision)

    def asks(self, permitted: Permit) -> None:
        """The tool has not run yet: it wants an answer first. A call that a person approved has been used up."""
        place = permitted.use
        known = self.store.state(place)
        if permitted.review is None and known is not None:
            self.store.put_state(place, _ASKS, revision=known[0])
