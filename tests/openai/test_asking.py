"""Questions about a plan, each a request of its own."""

from __future__ import annotations

from typing import Any

import pytest

from guardrail.errors import AskingError
from guardrail.types import PlanningStep, Question, Sample, SampleStatus
from guardrail_openai import OpenAISampler
from tests.openai.conftest import CHAT, RESPONSES, AskAll, step_for
from tests.support.openai_server import Fault, OpenAIServer, rate_limited, say

WORDS = Question(signal="verbalized_confidence", about=0, system="Be honest.", user="How sure?", max_tokens=80)
LETTER = Question(
    signal="p_true", about=0, system="Judge.", user="(A) true (B) false", max_tokens=1, letters=("A", "B")
)
TOP = [{"token": "A", "logprob": -0.2, "bytes": [65]}, {"token": "B", "logprob": -1.8, "bytes": [66]}]
LIKELY = {"content": [{"token": "A", "logprob": -0.2, "bytes": [65], "top_logprobs": TOP}]}
BOTH = pytest.mark.parametrize("arguments", [CHAT, RESPONSES], ids=["chat", "responses"])


def answer(body: dict[str, Any], _index: int) -> dict[str, Any]:
    letters = body.get("top_logprobs") is not None
    return say("A" if letters else "0.7", logprobs=LIKELY if letters else None, finish_reason="stop")


@BOTH
async def test_a_question_is_a_short_request_of_its_own(
    server: OpenAIServer, clients: Any, ask: AskAll, arguments: dict[str, Any]
) -> None:
    server.reply = answer
    given = {"seed": 3, "tool_choice": "required", "user": "ann", "extra_body": {"grammar": "x", "provider": {"a": 1}}}
    batch = await ask(OpenAISampler(*clients), step_for(arguments, **given), [WORDS, LETTER])
    words, letter = batch.replies
    assert (words.text, words.valid) == ("0.7", True)
    assert letter.valid
    assert letter.tokens
    assert letter.tokens[0].top == (("A", -0.2), ("B", -1.8))
    assert (batch.usage.requests, batch.usage.prompt_tokens, batch.usage.completion_tokens) == (2, 100, 14)
    assert batch.usage.seconds > 0
    bodies = {body.get("top_logprobs"): body for body in server.requests}
    common = {"model": "m", "temperature": 0.0, "user": "ann", "provider": {"a": 1}}
    if arguments is CHAT:
        system, user = {"role": "system", "content": "Be honest."}, {"role": "user", "content": "How sure?"}
        assert bodies[None] == {**common, "messages": [system, user], "max_tokens": 80}
        assert (bodies[20]["logprobs"], bodies[20]["max_tokens"]) == (True, 1)
    else:
        texts = {"instructions": "Be honest.", "input": "How sure?"}
        assert bodies[None] == {**common, **texts, "max_output_tokens": 80, "store": False}
        assert bodies[20]["include"] == ["message.output_text.logprobs"]
        # the interface takes no smaller limit
        assert bodies[20]["max_output_tokens"] == 16


@pytest.mark.parametrize(("most", "asked"), [(5, [20, 5]), (0, [20, 5, None])])
async def test_fewer_letters_are_asked_for_where_many_are_refused_and_that_is_remembered(
    server: OpenAIServer, clients: Any, ask: AskAll, most: int, asked: list[int | None]
) -> None:
    server.reply = answer
    server.refuse = lambda body: "top_logprobs is too large" if body.get("top_logprobs", 0) > most else None
    sampler = OpenAISampler(*clients)
    batch = await ask(sampler, step_for(), [LETTER])
    assert [body.get("top_logprobs") for body in server.requests] == asked
    assert batch.replies[0].valid
    assert bool(batch.replies[0].tokens) is (most > 0)
    server.clear()
    await ask(sampler, step_for(), [LETTER, LETTER])
    assert [body.get("top_logprobs") for body in server.requests] == [asked[-1]] * 2


async def test_settings_that_a_model_refuses_are_named_otherwise_or_left_out(
    server: OpenAIServer, clients: Any, ask: AskAll
) -> None:
    server.reply = answer

    def refuse(body: dict[str, Any]) -> str | None:
        if "max_tokens" in body:
            return "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        return "'temperature' does not support 0.0 with this model." if "temperature" in body else None

    server.refuse = refuse
    sampler = OpenAISampler(*clients)
    batch = await ask(sampler, step_for(), [WORDS, WORDS])
    assert [reply.text for reply in batch.replies] == ["0.7", "0.7"]
    server.clear()
    await ask(sampler, step_for(), [WORDS])
    assert [sorted(body) for body in server.requests] == [["max_completion_tokens", "messages", "model"]]


async def test_an_endpoint_that_refuses_whatever_is_sent_is_not_asked_for_ever(
    server: OpenAIServer, clients: Any, ask: AskAll
) -> None:
    server.refuse = lambda body: "Unsupported parameter: 'max_tokens' or 'max_completion_tokens' or 'temperature'."
    with pytest.raises(AskingError, match="HTTP 400"):
        await ask(OpenAISampler(*clients), step_for(), [LETTER])
    assert len(server.requests) < 10


async def test_one_question_that_fails_does_not_spoil_the_others(
    server: OpenAIServer, clients: Any, ask: AskAll
) -> None:
    server.reply = answer
    server.refuse = lambda body: "no letters here" if "Judge" in str(body) else None
    batch = await ask(OpenAISampler(*clients), step_for(), [WORDS, LETTER])
    assert [reply.status for reply in batch.replies] == [SampleStatus.OK, SampleStatus.FAILED]
    assert "HTTP 400" in batch.replies[1].detail


async def test_rate_limits_and_failures(server: OpenAIServer, clients: Any, ask: AskAll) -> None:
    server.reply = answer
    server.faults = [rate_limited(), Fault(status=500)]
    batch = await ask(OpenAISampler(*clients), step_for(), [WORDS])
    assert (batch.replies[0].text, batch.usage.requests) == ("0.7", 3)
    server.faults = [Fault(status=401, message="Incorrect API key provided: sk-test")] * 9
    with pytest.raises(AskingError, match="check the API key") as error:
        await ask(OpenAISampler(*clients), step_for(), [WORDS])
    assert "sk-" not in str(error.value)


@pytest.mark.parametrize(
    ("reply", "asked", "status"),
    [
        (say("A", finish_reason="length"), LETTER, SampleStatus.OK),
        (say("0.", finish_reason="length"), WORDS, SampleStatus.TRUNCATED),
        (say("", logprobs=LIKELY, finish_reason="length"), LETTER, SampleStatus.OK),
        (say("", finish_reason="length"), LETTER, SampleStatus.EMPTY),
        (say("A", finish_reason="content_filter"), LETTER, SampleStatus.TRUNCATED),
        (say(""), WORDS, SampleStatus.EMPTY),
    ],
    ids=range(6),
)
async def test_which_replies_are_evidence(
    server: OpenAIServer, clients: Any, ask: AskAll, reply: Any, asked: Question, status: SampleStatus
) -> None:
    server.logprobs = "none"
    server.reply = lambda *_: reply
    batch = await ask(OpenAISampler(*clients), step_for(), [asked])
    assert batch.replies[0].status is status


@pytest.mark.parametrize(
    "given", [{"temperature": 0}, {"top_p": 0}, {"extra_body": {"top_k": 1}}, {"conversation": "c"}], ids=str
)
async def test_a_plan_that_cannot_be_sampled_can_be_asked_about(
    server: OpenAIServer, clients: Any, ask: AskAll, given: dict[str, Any]
) -> None:
    server.reply = answer
    batch = await ask(OpenAISampler(*clients), step_for(RESPONSES, **given), [WORDS])
    assert batch.replies[0].text == "0.7"
    assert server.requests[0].keys() == {"model", "temperature", "instructions", "input", "max_output_tokens", "store"}


async def test_nothing_is_asked_about_an_unknown_request(server: OpenAIServer, clients: Any, ask: AskAll) -> None:
    step = PlanningStep(id="s", planned=Sample(), tools=())
    with pytest.raises(AskingError, match="planning_step"):
        await ask(OpenAISampler(*clients), step, [WORDS])
    assert (await ask(OpenAISampler(*clients), step_for(), [])).replies == ()
    assert server.requests == []
