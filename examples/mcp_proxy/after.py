"""The client of ``before.py`` with the guard between it and the server: the line that ends in ``# guard``.

    pip install 'guardrail-middleware[mcp]'
    python mcp_proxy/after.py

Client and server stay what they are; where a client is configured by a file, its command changes alike. This client
offers no model that could plan its calls again, so ``mcp_proxy/policy.yaml`` alone decides: looking up runs, a refund
waits for a person, half a minute here, and is called again after that:

    guardrail reviews list
    guardrail reviews approve ID
"""

import asyncio

from mcp import Client, StdioServerParameters, stdio_client

GUARD = ["mcp", "--policy", "mcp_proxy/policy.yaml", "--name", "orders", "--wait", "30", "--"]  # guard
SERVER = StdioServerParameters(command="guardrail", args=[*GUARD, "python", "mcp_proxy/server.py"])  # guard


async def main() -> None:
    async with Client(stdio_client(SERVER)) as client:
        for name, arguments in (("order", {"number": 1042}), ("refund", {"number": 1042, "amount": 35})):
            result = await client.call_tool(name, arguments)
            print(name, arguments, "->", result.content[0].text)


if __name__ == "__main__":
    asyncio.run(main())
