"""What is no call of a tool passes unchanged."""

from __future__ import annotations

from typing import Any

import pytest
from mcp import MCPError

from tests.mcp.conftest import Library


async def everything(client: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "capabilities": client.server_capabilities,
        "tools": await client.list_tools(),
        "resources": await client.list_resources(),
        "resource": await client.read_resource("books://all"),
        "prompts": await client.list_prompts(),
        "prompt": await client.get_prompt("recommend", {"reader": "Ada"}),
    }
    for name, call in {
        "no resource": lambda: client.read_resource("books://none"),
        "no prompt": lambda: client.get_prompt("none"),
    }.items():
        with pytest.raises(MCPError) as error:
            await call()
        found[name] = error.value.error
    return found


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_whatever_is_no_call_comes_through_as_it_is(library: Library, mode: str) -> None:
    async with library.client(direct=True, mode=mode) as client:
        plain = await everything(client)
    async with library.client(mode=mode, process=True) as client:
        assert await everything(client) == plain


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_call_that_may_run_has_the_results_and_errors_of_the_server(library: Library, mode: str) -> None:
    async with library.client(direct=True, mode=mode) as client:
        plain = [await client.call_tool("look", {"title": "Emma"}), await client.call_tool("fall", {"how": "error"})]
    async with library.client(mode=mode) as client:
        assert [
            await client.call_tool("look", {"title": "Emma"}),
            await client.call_tool("fall", {"how": "error"}),
        ] == plain
    assert [one["name"] for one in library.ran] == ["look", "fall"] * 2


async def test_progress_of_the_server_reaches_the_client(library: Library) -> None:
    told: list[Any] = []

    async def progress(*said: Any) -> None:
        told.append(said)

    async with library.client() as client:
        await client.call_tool("slow", {"seconds": 0.01}, progress_callback=progress)
    assert (1.0, 2.0, "half") in told
