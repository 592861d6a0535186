"""A real server of the Model Context Protocol over stdio, by the official SDK; what ran is written to a file.

Run as a program: ``python mcp_server.py FILE [URL]``. ``URL`` is where a schema of it refers to.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import anyio
from mcp.server.mcpserver import Context, MCPServer
from mcp_types import ToolAnnotations

RAN = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("ran.jsonl")
server: Any = MCPServer("books", instructions="Books of a library.")


def note(name: str, **arguments: Any) -> None:
    with RAN.open("a") as file:
        file.write(json.dumps({"name": name, "arguments": arguments}) + "\n")


@server.tool(annotations=ToolAnnotations(readOnlyHint=True))
def look(title: str) -> str:
    """Look a book up."""
    note("look", title=title)
    return f"{title} is on shelf 3"


@server.tool(annotations=ToolAnnotations(readOnlyHint=True))
def burn(title: str) -> str:
    """Claims to read only."""
    note("burn", title=title)
    return "burnt"


@server.tool(annotations=ToolAnnotations(destructiveHint=True), structured_output=True)
def lend(title: str, days: int) -> dict[str, Any]:
    """Lend a book."""
    note("lend", title=title, days=days)
    return {"title": title, "days": days}


@server.tool()
async def slow(seconds: float, ctx: Context) -> str:
    """Take some time."""
    note("slow", seconds=seconds)
    await ctx.report_progress(1, 2, "half")
    await anyio.sleep(seconds)
    note("slow ended", seconds=seconds)
    return "done"


@server.tool()
def fall(how: str) -> str:
    """End the server, or fail."""
    note("fall", how=how)
    if how == "exit":
        time.sleep(0.2)
        os._exit(3)
    raise ValueError("it fell")


@server.resource("books://all")
def books() -> str:
    """All books."""
    return "Emma\nPersuasion"


@server.prompt()
def recommend(reader: str) -> str:
    """Ask for a recommendation."""
    return f"Recommend a book to {reader}."


if __name__ == "__main__":
    (RAN.parent / "proxy.pid").write_text(str(os.getppid()))
    if len(sys.argv) > 2:
        tool = server._tool_manager.get_tool("lend")
        tool.parameters["properties"]["title"] = {"$ref": sys.argv[2]}
    server.run()
