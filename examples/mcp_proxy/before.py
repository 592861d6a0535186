"""A client of an MCP server, without the guard. With it: ``after.py``.

    pip install mcp
    python mcp_proxy/before.py

No model and no key: the client's calls stand below.
"""

import asyncio

from mcp import Client, StdioServerParameters, stdio_client

SERVER = StdioServerParameters(command="python", args=["mcp_proxy/server.py"])


async def main() -> None:
    async with Client(stdio_client(SERVER)) as client:
        for name, arguments in (("order", {"number": 1042}), ("refund", {"number": 1042, "amount": 35})):
            result = await client.call_tool(name, arguments)
            print(name, arguments, "->", result.content[0].text)


if __name__ == "__main__":
    asyncio.run(main())
