"""Nobody approves by accident, and nothing but a decision is a decision."""

import io

import pytest
from langgraph.types import Interrupt
from rich.console import Console

from guardrail import codec
from guardrail.review import Queue
from guardrail.store import MemoryStore
from guardrail.types import DecisionType, Reason, Review, Route, Tier, ToolCall, Verdict
from guardrail_langgraph.demo.reviewer import Asked, Queued, nobody
from guardrail_langgraph.demo.view import View

CALL = ToolCall(name="pay", arguments={"amount": 5}, id="c1")
REVIEW_ID = "ab" * 32


@pytest.fixture
def out():
    return io.StringIO()


@pytest.fixture
def view(out):
    return View(Console(file=out, width=100))


def waiting(decisions=tuple(DecisionType), call=CALL, **guard):
    verdict = Verdict(
        call=call,
        tier=Tier.CRITICAL,
        route=Route.REVIEW,
        reason=Reason.CRITICAL,
        why="w",
        decisions=decisions,
        review_id=REVIEW_ID,
    )
    return Interrupt(value={"guard": {"verdict": codec.to_json(verdict), **guard}}, id="i1")


def answers(view, *lines, **options):
    given = iter(lines)

    def read(_prompt):
        try:
            return next(given)
        except StopIteration:
            raise EOFError from None

    found = Asked(read)([waiting(**options)], view)
    return found.get("i1")


def test_a_bare_enter_approves_nothing_and_is_asked_again(view, out):
    assert answers(view, "", "  ", "yes", "\n") is None
    assert out.getvalue().count("Nothing was decided") == 4
    assert answers(view, "", "a") == {"decisions": [{"type": "approve"}]}


def test_at_the_end_of_input_and_on_l_the_review_stays_pending(view):
    assert answers(view) is None
    assert answers(view, "l", "a") is None


def test_a_rejection_may_carry_a_reason(view):
    assert answers(view, "r", "not him") == {"decisions": [{"type": "reject", "message": "not him"}]}


def test_an_answer_in_the_tools_place_may_not_be_empty(view):
    assert answers(view, "s", "") is None
    assert answers(view, "s", "", "s", "it is done") == {"decisions": [{"type": "respond", "message": "it is done"}]}


def test_an_edit_takes_json_and_keeps_the_tool(view):
    edited = {"type": "edit", "edited_action": {"name": "pay", "args": {"amount": 4}}}
    assert answers(view, "e", "{", "e", '{"amount": 4}') == {"decisions": [edited]}


def test_a_decision_that_the_policy_does_not_permit_is_not_offered(view):
    assert answers(view, "a", decisions=(DecisionType.REJECT,)) is None


def test_the_whole_call_is_shown_before_it_is_asked_about(view, out):
    long = ToolCall(name="pay", arguments={"memo": "x" * 5000 + "\x1b[2Jend"}, id="c1")
    answers(view, call=long)
    text = out.getvalue()
    assert text.count("x") >= 5000
    assert "[2Jend" in text
    assert "\x1b" not in text


def test_a_problem_with_the_last_answer_is_told(view, out):
    answers(view, problem="The last answer was not used: \x1b[2J")
    assert "The last answer was not used: \\x1b[2J" in out.getvalue()


def test_nobody_answers_nothing(view):
    assert nobody([waiting()], view) == {}


def test_the_queue_is_waited_for_until_somebody_decides(view, out):
    store = MemoryStore()
    queue = Queue(store)
    review = Review(
        id=REVIEW_ID,
        record_id="",
        thread_id="t",
        namespace="",
        step_id="s",
        call=CALL,
        digest="d",
        tier=Tier.CRITICAL,
        why="w",
        at="2026-01-01T00:00:00+00:00",
    )
    queue.open(review)
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            queue.reject(REVIEW_ID, by="zoe", message="no")

    found = Queued(queue, every=0.1, sleep=sleep)([waiting()], view)
    assert waits == [0.1, 0.1, 0.1]
    assert found == {"i1": {"decisions": [{"type": "reject", "message": "no"}]}}
    assert f"guardrail reviews approve {REVIEW_ID[:12]}" in out.getvalue()
    assert "reject by zoe" in out.getvalue()
