"""A server of the Model Context Protocol, by the official SDK. It knows nothing of the guard."""

from mcp.server.mcpserver import MCPServer
from mcp_types import ToolAnnotations

ORDERS = {1042: "a glass, paid 35", 1043: "a sofa, paid 350"}
server = MCPServer("orders")


@server.tool(annotations=ToolAnnotations(readOnlyHint=True))
def order(number: int) -> str:
    """What was ordered, and what was paid for it."""
    return ORDERS.get(number, "there is no such order")


@server.tool()
def refund(number: int, amount: int) -> str:
    """Pay money back for an order, at most what was paid for it."""
    return f"refunded {amount} for order {number}"


if __name__ == "__main__":
    server.run()
