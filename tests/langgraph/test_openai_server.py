"""The server that tests rely on is as strict as the real one."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.openai_server import OpenAIServer, call, wrong_messages

ASKED = {"role": "user", "content": "go"}
PLANNED = {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}, {"id": "b"}]}


def answered(call_id: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": "ok"}


@pytest.mark.parametrize(
    ("messages", "right"),
    [
        ([ASKED], True),
        ([ASKED, PLANNED, answered("b"), answered("a")], True),
        ([ASKED, PLANNED, answered("a"), answered("b"), ASKED], True),
        ([], False),
        ([ASKED, PLANNED], False),
        ([ASKED, PLANNED, answered("a")], False),
        ([ASKED, PLANNED, answered("a"), ASKED], False),
        ([ASKED, PLANNED, ASKED, answered("a"), answered("b")], False),
        ([ASKED, answered("a")], False),
        ([ASKED, PLANNED, answered("a"), answered("a"), answered("b")], False),
    ],
)
def test_every_call_is_answered_right_after_its_message(messages: list[Any], right: bool) -> None:
    assert (wrong_messages(messages) is None) is right


def test_n_and_log_probabilities() -> None:
    with OpenAIServer(lambda _body, index: call("pay", amount=index), n=3) as server:

        def post(**body: Any) -> httpx.Response:
            return httpx.post(f"{server.url}/chat/completions", json={"model": "m", "messages": [ASKED], **body})

        assert post(n=4).status_code == 400
        choices = post(n=2, logprobs=True).json()["choices"]
        assert [choice["index"] for choice in choices] == [0, 1]
        for choice in choices:
            written = "".join(token["token"] for token in choice["logprobs"]["content"])
            assert choice["message"]["tool_calls"][0]["function"]["arguments"] in written
        streamed = post(n=2, stream=True, stream_options={"include_usage": True})
        assert streamed.text.endswith("data: [DONE]\n\n")
        assert '"index": 1' in streamed.text
        assert '"completion_tokens": 14' in streamed.text
        assert [body.get("n") for body in server.requests] == [4, 2, 2]
