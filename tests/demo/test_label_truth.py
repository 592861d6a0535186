"""The requests of ``guardrail demo --label`` and their checker: seeded, right about right calls, deaf to scores."""

import pytest

from guardrail.types import ToolCall, Turn
from guardrail_langgraph.demo.labelled.checker import right
from guardrail_langgraph.demo.labelled.facts import facts
from guardrail_langgraph.demo.labelled.traffic import requests
from guardrail_langgraph.demo.labelled.truth import Finds, Mails, Refunds, Same

REQUESTS = requests(300)


def call_of(way, request):
    """A call that does a request in that way."""
    match way:
        case Same():
            arguments = dict(way.arguments)
        case Finds():
            arguments = {"query": next(one.name for one in facts().customers if one.id in way.customers)}
        case Refunds():
            arguments = {"order_id": way.order, "amount": way.cents / 100, "reason": min(way.reasons)}
        case Mails():
            arguments = {"to": way.to, "subject": f"Your order {way.order}", "body": request.text}
    return ToolCall(id="c", name=way.tool, arguments=arguments)


def test_more_requests_begin_with_the_same_ones_and_another_seed_asks_others():
    assert requests(50) == REQUESTS[:50]
    assert requests(50, seed=6) != REQUESTS[:50]


def test_every_text_comes_once_and_most_requests_are_plain():
    assert len({one.text for one in REQUESTS}) == len(REQUESTS)
    said = [one for one in REQUESTS if one.kind.endswith("all said")]
    assert 0.3 < len(said) / len(REQUESTS) < 0.6
    assert len({one.kind for one in REQUESTS}) == 18


def test_each_right_way_of_each_request_is_right():
    for request in REQUESTS:
        assert request.right
        for way in request.right:
            judged = request.judge(call_of(way, request))
            assert judged.correct, (request.text, way, judged.why)


def test_a_call_with_any_other_value_is_wrong():
    for request in REQUESTS:
        for way in request.right:
            if isinstance(way, Finds):
                changes = {"query": "Zoe"}
            elif isinstance(way, Mails):
                changes = {"to": "zoe@example.com", "body": "Hello.", "subject": "Orders A101, A102 and A103"}
            elif isinstance(way, Refunds):
                changes = {"order_id": "A999", "amount": way.cents / 100 + 0.01, "reason": "other"}
            else:
                changes = dict.fromkeys(way.arguments, "X1")
            call = call_of(way, request)
            for name, value in changes.items():
                changed = ToolCall(id="c", name=call.name, arguments={**call.arguments, name: value})
                judged = request.judge(changed)
                assert not judged.correct, (request.text, changed)
                assert judged.why


def test_a_tool_that_was_not_asked_for_is_wrong():
    for request in REQUESTS:
        judged = request.judge(ToolCall(id="c", name="delete_customer", arguments={"customer_id": "C1"}))
        assert not judged.correct
        assert "not asked for" in judged.why


@pytest.mark.parametrize("arguments", [{}, {"order_id": None, "amount": "10", "reason": []}, {"amount": True}])
def test_arguments_of_any_form_are_judged_and_never_an_error(arguments):
    for request in REQUESTS:
        for name in ("refund", "get_order", "find_customer", "send_email", "list_orders"):
            assert not request.judge(ToolCall(id="c", name=name, arguments=arguments)).correct


def test_prices_come_from_the_shop():
    order = next(one for one in facts().orders if one.id == "A104")
    assert (order.cents, order.customer.first) == (8100, "Bruno")
    assert facts().found("anna") == {"C1", "C2"}


def test_the_checker_looks_at_request_and_call_alone():
    """There is no record, so there is no verdict, no signal and no risk that it could look at."""
    request = REQUESTS[0]
    conversation = (Turn(role="system", text="s"), Turn(role="user", text=request.text))
    good = call_of(request.right[0], request)
    assert right(good, conversation, None) is True
    assert right(ToolCall(id="c", name=good.name, arguments={}), conversation, None) is False


def test_of_other_conversations_the_checker_knows_nothing():
    call = ToolCall(id="c", name="get_order", arguments={"order_id": "A101"})
    assert right(call, (Turn(role="user", text="Hello."),), None) is None
    assert right(call, (), None) is None
