"""What a door cannot do, and why. This is the only place where one is excused from a test.

An excused test is run all the same, and has to fail: where it passes, the line is stale and the suite says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, kw_only=True)
class Limit:
    """``test`` of the door does not hold, for the cells (a pattern for the test's parameters, without door and way).

    ``way`` is a pattern for the way in which the agent is run.
    """

    door: str
    test: str
    reason: str
    cells: str = "*"
    way: str = "*"

    def covers(self, door: str, way: str, test: str, cells: str) -> bool:
        """Whether it is about this test."""
        return (door, test) == (self.door, self.test) and fnmatchcase(cells, self.cells) and fnmatchcase(way, self.way)


_NO_SUCH_TOOL = (
    "pydantic-ai itself tells the model that there is no such tool, and ends the run when it is called again"
)

LIMITS: tuple[Limit, ...] = (
    Limit(
        door="pydantic-ai-chat",
        test="test_every_door_says_what_the_core_says",
        cells="unknown-*",
        reason=_NO_SUCH_TOOL,
    ),
    Limit(
        door="pydantic-ai-responses",
        test="test_every_door_says_what_the_core_says",
        cells="unknown-*",
        reason=_NO_SUCH_TOOL,
    ),
)
