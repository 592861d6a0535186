"""The configuration that the documentation shows, run as it stands but for paths and the server."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters, stdio_client

from tests.mcp.conftest import Library, text

PAGE = Path(__file__).parents[2] / "docs" / "mcp.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the documentation is not here")
async def test_the_configuration_of_the_documentation(library: Library) -> None:
    library.elsewhere = True
    page = PAGE.read_text()
    config = json.loads(re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0])["mcpServers"]["files"]
    policy = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)[0].replace("[write_file, move_file]", "lend")
    (library.folder / "files.yaml").write_text(policy)
    places = {
        "sqlite:////var/lib/guardrail/guardrail.db": library.url,
        "/etc/guardrail/files.yaml": str(library.folder / "files.yaml"),
    }
    args = [places.get(one, one) for one in config["args"]]
    args = [*args[: args.index("--")], "--wait", "0.3", "--", *library.upstream]
    assert config["command"] == "guardrail"
    async with Client(
        stdio_client(StdioServerParameters(command=sys.executable, args=["-m", "guardrail", *args])), mode="legacy"
    ) as client:
        assert not (await client.call_tool("look", {"title": "Emma"})).is_error
        assert "Not executed yet" in text(await client.call_tool("lend", {"title": "Emma", "days": 1}))
