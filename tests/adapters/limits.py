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


_ROUTES = "test_every_door_says_what_the_core_says"
_DECISIONS = "test_what_a_person_decides_is_what_happens"
_STRICTER = "test_an_edit_under_a_stricter_rule_is_put_before_people_again"
_NO_EDIT = "a callback is told of a call and cannot change it, so an edit is not offered to reviewers"
_NEVER_STARTS = "a handler is asked where a tool starts, and one that does not exist never starts"
_PYDANTIC_AI = "pydantic-ai itself tells the model that there is no such tool, and ends the run when it is called again"
_LLAMA_INDEX = "LlamaIndex itself tells the model that there is no such tool, before anything of the guard is asked"
_SDK_ENDS = "the SDK ends the run with ModelBehaviorError where a plan names a tool that there is not"

LIMITS: tuple[Limit, ...] = (
    *(
        Limit(door=door, test=_ROUTES, cells="unknown-*", reason=_PYDANTIC_AI)
        for door in ("pydantic-ai-chat", "pydantic-ai-responses")
    ),
    *(
        Limit(door=door, test=_ROUTES, cells="unknown-*", reason=_LLAMA_INDEX)
        for door in ("llama-index", "llama-index-workflow")
    ),
    *(Limit(door=door, test=_ROUTES, cells="unknown-*", reason=_NEVER_STARTS) for door in ("callback", "guard_tools")),
    *(Limit(door=door, test=_DECISIONS, cells="*-edit-*", reason=_NO_EDIT) for door in ("callback", "guard_tools")),
    *(Limit(door=door, test=_STRICTER, reason=_NO_EDIT) for door in ("callback", "guard_tools")),
    *(
        Limit(door=door, test=_ROUTES, cells="unknown-*", reason=_SDK_ENDS)
        for door in ("agents-chat", "agents-responses")
    ),
)
