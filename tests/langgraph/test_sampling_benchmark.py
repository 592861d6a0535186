"""The sampling benchmark counts what the server saw."""

from __future__ import annotations

import json

import pytest

from tests.benchmarks.sampling import main
from tests.support.openai_server import OpenAIServer, call


def test_each_way_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    with OpenAIServer(lambda _body, _index: call("find_order", order_id="A-1042")) as server:
        assert main(["--base-url", server.url, "--model", "m", "--n", "4", "--json"]) == 0
        assert len(server.requests) == 1 + 1 + 4 + 4
    ways = json.loads(capsys.readouterr().out.splitlines()[-1])["ways"]
    assert [ways[way]["requests"] for way in ways] == [1, 4, 4]
    assert [ways[way]["prompt_tokens"] for way in ways] == [50, 200, 200]
    assert [ways[way]["completion_tokens"] for way in ways] == [28, 28, 28]


def test_a_server_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with OpenAIServer() as server:
        url = server.url
    assert main(["--base-url", url, "--model", "m"]) == 2
    assert "cannot be reached" in capsys.readouterr().err
