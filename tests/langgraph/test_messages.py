"""Messages and tools in the guard's words."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.tools import InjectedToolArg, StructuredTool, tool

from guardrail.sampling import inspect
from guardrail.types import SampleStatus, Token, ToolCall
from guardrail_langgraph.messages import answer_from_result, sample_from_message, tool_specs, tool_specs_from

SCHEMA = {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}


def message(*args: dict[str, Any], **given: Any) -> AIMessage:
    calls = [{"name": "pay", "args": one, "id": f"c{k}", "type": "tool_call"} for k, one in enumerate(args)]
    return AIMessage(**{"content": "", "tool_calls": calls, **given})


def test_calls_and_words() -> None:
    sample = sample_from_message(message({"amount": 1}, {"amount": 2}, content="paying"))
    assert sample.calls == (
        ToolCall(name="pay", arguments={"amount": 1}, id="c0"),
        ToolCall(name="pay", arguments={"amount": 2}, id="c1"),
    )
    assert (sample.text, sample.status) == ("paying", SampleStatus.OK)


def test_words_in_content_blocks() -> None:
    blocks = [{"type": "text", "text": "I "}, {"type": "tool_use", "id": "x"}, {"type": "text", "text": "ask"}]
    assert sample_from_message(AIMessage(blocks)).text == "I ask"


def test_empty_content_with_calls_is_valid_and_without_is_not() -> None:
    assert inspect([sample_from_message(message({"amount": 1}))])[0].valid
    assert inspect([sample_from_message(AIMessage(""))])[0].status is SampleStatus.EMPTY


def test_a_refusal_is_an_answer_in_words() -> None:
    assert sample_from_message(AIMessage("", additional_kwargs={"refusal": "I can't"})).text == "I can't"


def test_invalid_calls_make_it_unparsable_and_keep_the_rest() -> None:
    broken = {"name": "pay", "args": '{"amount": ', "id": "b", "error": None, "type": "invalid_tool_call"}
    sample = sample_from_message(message({"amount": 1}, invalid_tool_calls=[broken]))
    assert sample.status is SampleStatus.UNPARSABLE
    assert "pay" in sample.detail
    assert len(sample.calls) == 1


@pytest.mark.parametrize("args", [{"amount": float("nan")}, {"to": [{"x": float("inf")}]}, {"x": {1, 2}}])
def test_arguments_that_are_not_json_make_it_unparsable(args: dict[str, Any]) -> None:
    assert sample_from_message(message(args)).status is SampleStatus.UNPARSABLE


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"finish_reason": "length"}, "length"),
        ({"stop_reason": "max_tokens"}, "max_tokens"),
        ({"done_reason": "stop"}, "stop"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "max_output_tokens"),
        ({"status": "incomplete", "incomplete_details": None}, "incomplete"),
        ({"status": "completed"}, None),
        ({}, None),
    ],
)
def test_finish_reasons_of_the_providers(metadata: dict[str, Any], reason: str | None) -> None:
    assert sample_from_message(message(response_metadata=metadata)).finish_reason == reason


def test_provenance_is_the_providers_not_langchains() -> None:
    assert sample_from_message(message(id="lc_run--1-0")).response_id is None
    assert sample_from_message(message(id="run-1")).response_id is None
    assert sample_from_message(message(id="msg_1")).response_id == "msg_1"
    assert (
        sample_from_message(message(id="lc_run--1", response_metadata={"id": "chatcmpl-1"})).response_id == "chatcmpl-1"
    )
    given = sample_from_message(message(), response_id="chatcmpl-2", choice=3)
    assert (given.response_id, given.choice) == ("chatcmpl-2", 3)


def test_log_probabilities_are_kept() -> None:
    content = [{"token": "pay", "logprob": -0.1, "bytes": None}, {"token": "(", "logprob": 0}]
    sample = sample_from_message(message(response_metadata={"logprobs": {"content": content}}))
    assert sample.tokens == (Token(text="pay", logprob=-0.1), Token(text="(", logprob=0.0))


def test_a_character_that_is_spread_over_tokens_is_read_from_their_bytes() -> None:
    content = [
        {"token": "\\xc3", "logprob": -0.1, "bytes": [0xC3]},
        {"token": "\\xab", "logprob": -0.2, "bytes": [0xAB]},
    ]
    sample = sample_from_message(message(response_metadata={"logprobs": {"content": content}}))
    assert sample.tokens == (Token(text="ë", logprob=-0.1), Token(text="", logprob=-0.2))


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        {"content": None},
        {"content": []},
        {"content": [{"token": "a", "logprob": None}]},
        {"content": [{"token": "a", "logprob": float("nan")}]},
        {"content": [{"token": "a", "logprob": -0.1}, {"token": "b", "logprob": float("-inf")}]},
        {"tokens": ["a"]},
    ],
)
def test_missing_log_probabilities_are_missing(logprobs: object) -> None:
    assert sample_from_message(message(response_metadata={"logprobs": logprobs})).tokens is None


def usage(prompt: int, completion: int) -> dict[str, Any]:
    return {"input_tokens": prompt, "output_tokens": completion, "total_tokens": prompt + completion}


def result(*messages: AIMessage, output: dict[str, Any] | None = None) -> LLMResult:
    return LLMResult(generations=[[ChatGeneration(message=one) for one in messages]], llm_output=output)


def tokens_of(*messages: AIMessage, output: dict[str, Any] | None = None) -> tuple[int | None, int | None]:
    spent = answer_from_result(result(*messages, output=output)).usage
    return spent.prompt_tokens, spent.completion_tokens


def test_the_bill_of_several_choices_is_counted_once() -> None:
    three = [message({"amount": k}, usage_metadata=usage(50, 21)) for k in range(3)]
    assert tokens_of(*three, output={"token_usage": {"prompt_tokens": 50, "completion_tokens": 21}}) == (50, 21)
    assert tokens_of(*three) == (50, 21)


def test_bills_of_their_own_are_added() -> None:
    assert tokens_of(
        message({"amount": 1}, usage_metadata=usage(50, 7)), message({"amount": 2}, usage_metadata=usage(50, 9))
    ) == (50, 16)


def test_the_bill_of_one_choice_is_corrected_by_counting_log_probabilities() -> None:
    content = [{"token": "x", "logprob": -0.1}] * 12
    three = [message({"amount": k}, response_metadata={"logprobs": {"content": content}}) for k in range(3)]
    assert tokens_of(*three, output={"token_usage": {"prompt_tokens": 50, "completion_tokens": 12}}) == (50, 36)


def test_the_bill_of_one_choice_is_corrected_where_so_much_text_cannot_be_so_few_tokens() -> None:
    words = "refund the order that the customer returned last week " * 2
    three = [message(content=words) for _ in range(3)]
    assert tokens_of(*three, output={"token_usage": {"prompt_tokens": 50, "completion_tokens": 22}}) == (50, 66)
    assert tokens_of(*three, output={"token_usage": {"prompt_tokens": 50, "completion_tokens": 66}}) == (50, 66)


def test_no_bill_is_missing() -> None:
    assert tokens_of(message({"amount": 1})) == (None, None)


def test_a_result_without_generations_is_refused() -> None:
    with pytest.raises(ValueError, match="choices"):
        answer_from_result(LLMResult(generations=[[]]))


@pytest.mark.parametrize(
    "form",
    [
        {"type": "function", "function": {"name": "pay", "description": "Pay.", "parameters": SCHEMA}},
        {"type": "function", "name": "pay", "description": "Pay.", "parameters": SCHEMA},
        {"name": "pay", "description": "Pay.", "input_schema": SCHEMA},
        {"toolSpec": {"name": "pay", "description": "Pay.", "inputSchema": {"json": SCHEMA}}},
        {"function_declarations": [{"name": "pay", "description": "Pay.", "parameters": SCHEMA}]},
    ],
)
def test_tools_in_the_form_of_any_provider(form: dict[str, Any]) -> None:
    (spec,) = tool_specs([form])
    assert (spec.name, spec.description, spec.parameters) == ("pay", "Pay.", SCHEMA)


def test_tools_without_names_and_no_tools() -> None:
    assert tool_specs([{"type": "web_search"}]) == ()
    assert tool_specs(None) == ()


def test_tools_as_the_model_sees_them() -> None:
    @tool
    def pay(amount: int, user: Annotated[str, InjectedToolArg]) -> str:
        """Pay."""
        return user

    def search(query: str, limit: int = 5) -> str:
        """Search."""
        return query * limit

    paying, searching, given = tool_specs_from([pay, search, {"name": "raw", "input_schema": SCHEMA}])
    assert (paying.name, set(paying.parameters["properties"])) == ("pay", {"amount"})
    assert searching.parameters["properties"]["limit"]["default"] == 5
    assert given.parameters == SCHEMA


@pytest.mark.parametrize("nested", [False, True])
def test_annotations_of_mcp_tools(nested: bool) -> None:
    hints = {"title": "Delete", "readOnlyHint": False, "destructiveHint": True, "idempotentHint": None}
    delete = StructuredTool(
        name="delete",
        description="Delete.",
        args_schema=SCHEMA,
        func=lambda **_: "",
        metadata={"annotations": hints} if nested else {**hints, "other": 1},
    )
    (spec,) = tool_specs_from([delete])
    assert spec.annotations == {"title": "Delete", "readOnlyHint": False, "destructiveHint": True}
    assert spec.parameters == SCHEMA
