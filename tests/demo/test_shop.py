"""The shop is a real database: tools change it, and say what went wrong."""

import pytest
from langchain_core.tools import ToolException
from langchain_core.utils.function_calling import convert_to_openai_tool

from guardrail_langgraph.demo.shop import Shop, shop_tools


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path / "shop.sqlite")


def use(shop, name, **arguments):
    tool = next(tool for tool in shop_tools(lambda _: shop) if tool.name == name)
    return tool.invoke(arguments)


def test_customers_are_found_by_part_of_a_name_or_a_whole_address(shop):
    assert use(shop, "find_customer", query="anna").count("\n") == 1
    assert use(shop, "find_customer", query="BRUNO@example.com").startswith("C3: Bruno Costa")
    assert use(shop, "find_customer", query="@example.com") == "No customer matches '@example.com'."
    assert use(shop, "find_customer", query="%") == "No customer matches '%'."


def test_orders_tell_their_items_and_total(shop):
    assert use(shop, "get_order", order_id="A104").endswith("3 x paper filters at 4.00; total 81.00")
    assert use(shop, "list_orders", customer_id="C3").count("total") == 2
    assert use(shop, "get_order", order_id="A999") == "Error: there is no order 'A999'."
    assert use(shop, "list_orders", customer_id="C9") == "Error: there is no customer 'C9'."


def test_a_refund_is_written_and_never_exceeds_what_is_left(shop):
    assert use(shop, "refund", order_id="A104", amount=80, reason="late") == "Refunded 80.00 for order A104."
    assert "refunded 80.00" in use(shop, "get_order", order_id="A104")
    for amount in (1.01, 0, -5):
        assert "1.00 are left of A104. Nothing" in use(shop, "refund", order_id="A104", amount=amount, reason="late")
    assert "no order 'A9'" in use(shop, "refund", order_id="A9", amount=1, reason="late")
    assert shop.count("refunds") == 1


def test_an_amount_that_is_no_number_of_cents_is_refused(shop):
    for amount in (float("nan"), float("inf"), 1e300):
        assert use(shop, "refund", order_id="A104", amount=amount, reason="late").startswith("Error: ")
    assert shop.count("refunds") == 0


def test_a_reason_outside_the_schema_is_refused(shop):
    with pytest.raises((ValueError, ToolException)):
        use(shop, "refund", order_id="A104", amount=1, reason="because")


def test_mail_goes_to_the_outbox_and_a_deleted_customer_is_gone_with_all_orders(shop):
    assert use(shop, "send_email", to="a@b.c", subject="s", body="b") == "Sent to a@b.c."
    assert shop.count("outbox") == 1
    before = shop.count("orders")
    assert use(shop, "delete_customer", customer_id="C1").startswith("Deleted")
    assert shop.count("orders") == before - 2
    assert "no customer 'C1'. Nothing" in use(shop, "delete_customer", customer_id="C1")


def test_a_shop_is_filled_once_and_kept(tmp_path):
    Shop(tmp_path / "shop.sqlite").delete_customer("C6")
    assert Shop(tmp_path / "shop.sqlite").count("customers") == 5


def test_each_thread_has_its_own_shop(tmp_path):
    tools = {tool.name: tool for tool in shop_tools(lambda thread_id: Shop(tmp_path / f"{thread_id}.sqlite"))}
    tools["delete_customer"].invoke({"customer_id": "C6"}, {"configurable": {"thread_id": "one"}})
    asked = {"query": "Test Account"}
    assert tools["find_customer"].invoke(asked, {"configurable": {"thread_id": "one"}}).startswith("No customer")
    assert tools["find_customer"].invoke(asked, {"configurable": {"thread_id": "two"}}).startswith("C6")


def test_every_argument_is_described_to_the_model(shop):
    for tool in shop_tools(lambda _: shop):
        properties = convert_to_openai_tool(tool)["function"]["parameters"]["properties"]
        assert properties
        assert all(schema.get("description") for schema in properties.values())
