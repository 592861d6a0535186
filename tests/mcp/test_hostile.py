"""Servers and clients that mean harm, and configurations that are wrong."""

from __future__ import annotations

import http.server
import json
import threading
from typing import Any

import pytest
from click.testing import CliRunner
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCRequest
from mcp_types.jsonrpc import jsonrpc_message_adapter

from guardrail.cli.main import main
from guardrail.policy import Policy
from guardrail.types import ToolCall
from guardrail_mcp.offered import specs
from tests.mcp.conftest import Library, text


class Raw:
    """A client that writes what it likes."""

    def __init__(self, streams: Any) -> None:
        self._read, self._write = streams

    async def say(self, message: dict[str, Any]) -> None:
        await self._write.send(SessionMessage(jsonrpc_message_adapter.validate_python({"jsonrpc": "2.0", **message})))

    async def answer(self, request_id: Any) -> Any:
        while True:
            message = (await self._read.receive()).message
            if getattr(message, "id", None) == request_id and not isinstance(message, JSONRPCRequest):
                return message

    async def start(self) -> None:
        info = {"name": "raw", "version": "1"}
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info}
        await self.say({"id": 0, "method": "initialize", "params": params})
        await self.answer(0)
        await self.say({"method": "notifications/initialized"})


@pytest.mark.parametrize(
    "params",
    [None, {}, {"name": 3}, {"name": "lend", "arguments": []}, {"name": "lend", "arguments": "{}"}],
    ids=["none", "empty", "number", "list", "text"],
)
async def test_a_call_without_a_form_is_refused(library: Library, params: Any) -> None:
    async with library.within() as streams:
        raw = Raw(streams)
        await raw.start()
        await raw.say({"id": 1, "method": "tools/call", "params": params})
        answer = await raw.answer(1)
    assert answer.error.code == -32602
    assert library.ran == []


async def test_an_id_is_not_used_twice_at_once(library: Library) -> None:
    async with library.within() as streams:
        raw = Raw(streams)
        await raw.start()
        slow = {"id": 1, "method": "tools/call", "params": {"name": "slow", "arguments": {"seconds": 0.5}}}
        await raw.say(slow)
        await raw.say({**slow, "params": {"name": "look", "arguments": {"title": "Emma"}}})
        answer = await raw.answer(1)
        assert "still open" in answer.error.message
        assert (await raw.answer(1)).result["content"][0]["text"] == "done"


async def test_a_state_that_nobody_gave_goes_on_with_nothing(library: Library) -> None:
    library.wait = 0.2
    async with library.within() as streams:
        raw = Raw(streams)
        await raw.start()
        params = {"name": "lend", "arguments": {"title": "E", "days": 1}, "requestState": "x", "inputResponses": {}}
        await raw.say({"id": 1, "method": "tools/call", "params": params})
        answer = await raw.answer(1)
    assert answer.result["isError"]
    assert library.ran == []


async def test_no_schema_of_the_server_is_fetched(library: Library) -> None:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        library.refers = f"http://127.0.0.1:{server.server_port}/schema.json"
        async with library.client() as client:
            thread = library.deciding("reject")
            result = await client.call_tool("lend", {"title": "Emma", "days": 7})
            thread.join()
        server.shutdown()
    assert "rejected by a human" in text(result)
    assert asked == []


def test_of_a_name_that_is_listed_twice_no_claim_counts() -> None:
    policy = Policy.parse(
        {"tools": [{"match": "*", "tier": "low", "annotations": {"readOnlyHint": True}}], "default": {"tier": "high"}}
    )
    claims = {"name": "a", "annotations": {"readOnlyHint": True}}
    call = ToolCall(name="a", arguments={})
    assert policy.resolve(call, specs([claims])[0]).tier == "low"
    (once,) = specs([claims, {"name": "a"}, claims])
    assert policy.resolve(call, once).tier == "high"


@pytest.mark.parametrize("listed", [[None], [{"name": 3}], [{"name": ""}], ["a"], [{}]], ids=str)
def test_what_is_no_tool_is_none(listed: Any) -> None:
    assert specs(listed) == ()


async def test_a_rule_about_a_tool_that_does_not_exist_refuses_every_call(library: Library) -> None:
    library.policy += "  - {match: lned, tier: critical}\n"
    async with library.client() as client:
        result = await client.call_tool("look", {"title": "Emma"})
    assert "lned" in text(result)
    assert library.ran == []
    library.settings = {"shared": True}
    async with library.client() as client:
        assert not (await client.call_tool("look", {"title": "Emma"})).is_error


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "which server to guard"),
        (["--upstream", "http://a/mcp", "--", "b"], "not both"),
        (["--upstream", "ftp://a"], "--upstream must be"),
        (["--policy", "POLICY", "--", "b"], "tolls"),
        (["--elicit", "lwo", "--", "b"], "no tiers"),
        (["--http", "0.0.0.0:1", "--", "b"], "this machine only"),
        (["--http", "nowhere", "--", "b"], "a host and a port"),
        (["--", "there-is-no-such-command"], "cannot be started"),
    ],
    ids=str,
)
def test_what_is_wrong_is_refused_at_the_start(tmp_path: Any, options: list[str], says: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("tolls: []\n")
    options = [str(file) if one == "POLICY" else one for one in options]
    result = CliRunner().invoke(main, ["--store", f"sqlite:///{tmp_path / 'g.db'}", "mcp", *options])
    assert result.exit_code == 2, result.output
    assert says in result.output


async def test_the_server_finds_nothing_of_ours_in_its_environment(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guardrail_mcp.command import _environment

    monkeypatch.setenv("GUARDRAIL_KEY", "secret")
    monkeypatch.setenv("BOOKS_TOKEN", "theirs")
    found = _environment()
    assert "secret" not in json.dumps(found)
    assert found["BOOKS_TOKEN"] == "theirs"
