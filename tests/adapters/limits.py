"""What a door cannot do, and why. This is the only place where one is excused from a test.

An excused test is run all the same, and has to fail: where it passes, the line is stale and the suite says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, kw_only=True)
class Limit:
    """``test`` of the doors (a pattern) does not hold, for the cells (a pattern for the test's parameters, without door
    and way). ``way`` is a pattern for the way in which the agent is run.
    """

    door: str
    test: str
    reason: str
    cells: str = "*"
    way: str = "*"

    def covers(self, door: str, way: str, test: str, cells: str) -> bool:
        """Whether it is about this test."""
        named = test == self.test and fnmatchcase(door, self.door)
        return named and fnmatchcase(cells, self.cells) and fnmatchcase(way, self.way)


_ROUTES = "test_every_door_says_what_the_core_says"
_DECISIONS = "test_what_a_person_decides_is_what_happens"
_ANSWERS = "test_the_frameworks_own_answer_is_a_decision_of_the_queue"
_RESTART = "test_a_restart_loses_nothing_and_pays_nothing"
_STRICTER = "test_an_edit_under_a_stricter_rule_is_put_before_people_again"

_NO_EDIT = "a callback is told of a call and cannot change it, so an edit is not offered to reviewers"
_NEVER_STARTS = "a handler is asked where a tool starts, and one that does not exist never starts"
_NO_HISTORY = "a callback cannot change the messages, so it cannot answer a call that the user spoke over"
_PYDANTIC_AI = "pydantic-ai itself tells the model that there is no such tool, and ends the run when it is called again"
_LLAMA_INDEX = "LlamaIndex itself tells the model that there is no such tool, before anything of the guard is asked"
_SDK_ENDS = "the SDK ends the run with ModelBehaviorError where a plan names a tool that there is not"
_PREBUILT_IDS = "the prebuilt agent takes a call whose id was answered before for answered, and plans again"
_SDK_IDS = "the SDK ends the run with ModelBehaviorError where a call has the id of one that has run"
_NO_WORD = "whoever can write a saved run is not who decides: an approval there lets nothing run, and the queue decides"
_NO_MEANS = "a loop on a client has no way of its own to ask somebody: the queue decides"
_NO_FORM = "what a client's user may answer is to accept or to refuse"
_NO_TOKENS = "the protocol's sampling says nothing of tokens, so the record counts requests only"
_NO_STEP = "a server sees one call at a time: the calls of a step are steps of their own"
_NO_ID = "the protocol's calls have no ids of the model's: two equal ones at once are one, which runs once"

LIMITS: tuple[Limit, ...] = (
    *(
        Limit(door=door, test=test, cells=cells, reason=reason)
        for door in ("callback", "guard_tools")
        for test, cells, reason in (
            (_ROUTES, "unknown-*", _NEVER_STARTS),
            (_DECISIONS, "*-edit-*", _NO_EDIT),
            (_ANSWERS, "edit", _NO_EDIT),
            (_RESTART, "edit", _NO_EDIT),
            (_STRICTER, "*", _NO_EDIT),
            ("test_an_edit_to_what_a_stricter_rule_covers_does_not_run_on_that_word", "*", _NO_EDIT),
            ("test_a_new_message_while_a_call_waits", "*", _NO_HISTORY),
        )
    ),
    Limit(door="agents-*", test=_ROUTES, cells="unknown-*", reason=_SDK_ENDS),
    Limit(door="agents-*", test=_ANSWERS, reason=_NO_WORD),
    Limit(door="agents-*", test="test_a_call_id_that_comes_again_is_another_call", reason=_SDK_IDS),
    Limit(door="pydantic-ai-*", test=_ROUTES, cells="unknown-*", reason=_PYDANTIC_AI),
    Limit(door="pydantic-ai-*", test=_ANSWERS, reason=_NO_WORD),
    Limit(door="llama-index*", test=_ROUTES, cells="unknown-*", reason=_LLAMA_INDEX),
    Limit(door="llama-index*", test=_ANSWERS, reason=_NO_WORD),
    Limit(door="react", test="test_a_call_id_that_comes_again_is_another_call", reason=_PREBUILT_IDS),
    *(Limit(door=door, test=_ANSWERS, reason=_NO_MEANS) for door in ("openai-*", "anthropic*")),
    Limit(door="mcp", test=_ANSWERS, cells="edit", reason=_NO_FORM),
    Limit(door="mcp", test=_ANSWERS, cells="respond", reason=_NO_FORM),
    Limit(door="mcp", test="test_tokens_are_counted_once", reason=_NO_TOKENS),
    Limit(door="mcp", test="test_calls_of_a_step_are_measured_together", reason=_NO_STEP),
    Limit(door="mcp", test="test_two_equal_calls_are_two", reason=_NO_ID),
)
