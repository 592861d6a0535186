"""Calls in the forms of chat templates, behind thoughts and words, and what is none of them."""

from __future__ import annotations

from itertools import chain

import pytest

from guardrail.signals import call_logprobs
from guardrail.types import Sample, Token, ToolCall

PAY = ToolCall(name="pay", arguments={"amount": 500, "to": "Ann"})
LOG = ToolCall(name="log", arguments={"text": "paid"})
NAME, VALUES = "pay", ('"amount": ', "500", ', "to": ', '"Ann"')
NOT_SPELLED = "the tokens do not spell the planned calls"

OBJECT = '{"name": "«pay»", "arguments": {"amount": «500», "to": «"Ann"»}}'
ARGUMENTS = '{"amount": «500», "to": «"Ann"»}'
PLAIN = OBJECT.replace("«", "").replace("»", "")
PLAIN_ARGUMENTS = ARGUMENTS.replace("«", "").replace("»", "")
LOGGED = '{"name": "«log»", "arguments": {"text": «"paid"»}}'
LOGGED_ARGUMENTS = '{"text": «"paid"»}'


def marked(text: str) -> tuple[tuple[Token, ...], list[list[float]]]:
    """One token a character, each with a number of its own, and the numbers between « and » by call."""
    tokens, counted, inside = [], [], False
    for char in text:
        if char in "«»":
            inside = char == "«"
            counted += [[]] if inside else []
            continue
        tokens.append(Token(text=char, logprob=-len(tokens) / 1000))
        if inside:
            counted[-1].append(tokens[-1].logprob)
    return tuple(tokens), counted


def aligned(text: str, *calls: ToolCall) -> list[list[float]] | str:
    """The numbers that count for each call, or why there are none."""
    tokens, _ = marked(text)
    found = [call_logprobs(Sample(calls=calls, tokens=tokens), index) for index in range(len(calls))]
    return found[0].missing or [list(one.logprobs) for one in found]


def expected(text: str, *spans: int) -> list[list[float]]:
    """What is marked, the marked parts of a call together: ``spans`` says how many each has."""
    _, parts = marked(text)
    ends = [sum(spans[: index + 1]) for index in range(len(spans))]
    return [list(chain(*parts[end - size : end])) for end, size in zip(ends, spans, strict=True)]


ONE = {
    "bare": OBJECT,
    "fence": f"```json\n{OBJECT}\n```",
    "fence without a language": f"```\n{OBJECT}\n```",
    "Hermes and Qwen": f"<tool_call>\n{OBJECT}\n</tool_call>",
    "Llama 3": '<|python_tag|>{"name": "«pay»", "parameters": {"amount": «500», "to": «"Ann"»}}<|eom_id|>',
    "Llama 3 custom": f"<function=«pay»>{ARGUMENTS}</function><|eom_id|>",
    "Granite": f"<|tool_call|>[{OBJECT}]",
    "Command R": 'Action: ```json\n[{"tool_name": "«pay»", "parameters": {"amount": «500», "to": «"Ann"»}}]\n```',
    "Command R7B": '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "«pay»", "parameters": {"amount": «500», "to": «"Ann"»}}]<|END_ACTION|>',
    "InternLM": f"<|action_start|><|plugin|>\n{OBJECT}<|action_end|>",
    "Mistral list": f"[TOOL_CALLS] [{OBJECT}]</s>",
    "Mistral list with ids": f'[TOOL_CALLS][{OBJECT[:-1]}, "id": "aB3xY9zQ1"}}]',
    "Mistral name": f"[TOOL_CALLS]«pay»{ARGUMENTS}</s>",
    "Mistral name and arguments": f"[TOOL_CALLS]«pay»[ARGS]{ARGUMENTS}</s>",
    "Mistral name, id and arguments": f"[TOOL_CALLS]«pay»[CALL_ID]aB3xY9zQ1[ARGS]{ARGUMENTS}</s>",
    "Mistral without its marks": f"«pay»{ARGUMENTS}",
    "DeepSeek V3": f"<\uff5ctool▁calls▁begin\uff5c><\uff5ctool▁call▁begin\uff5c>function<\uff5ctool▁sep\uff5c>«pay»\n```json\n{ARGUMENTS}\n```<\uff5ctool▁call▁end\uff5c><\uff5ctool▁calls▁end\uff5c>",
    "DeepSeek V3.1": f"<\uff5ctool▁calls▁begin\uff5c><\uff5ctool▁call▁begin\uff5c>«pay»<\uff5ctool▁sep\uff5c>{ARGUMENTS}<\uff5ctool▁call▁end\uff5c><\uff5ctool▁calls▁end\uff5c>",
    "Functionary 2": f"<|recipient|> «pay»\n<|content|> {ARGUMENTS}<|stop|>",
    "Functionary 3.1": f"Let me see.<function=«pay»>{ARGUMENTS}</function>",
    "Functionary 3.2": f"«pay»\n{ARGUMENTS}<|eot_id|>",
    "Functionary 3.2 after words": f"all\nI pay.>>>«pay»\n{ARGUMENTS}",
    "Kimi K2": f"<|tool_calls_section_begin|><|tool_call_begin|>functions.«pay»:0<|tool_call_argument_begin|>{ARGUMENTS}<|tool_call_end|><|tool_calls_section_end|>",
    "gpt-oss": f"<|channel|>analysis<|message|>Pay {{500}}.<|end|><|start|>assistant<|channel|>commentary to=functions.«pay» <|constrain|>json<|message|>{ARGUMENTS}<|call|>",
    "gpt-oss, recipient first": f"<|start|>assistant to=functions.«pay»<|channel|>commentary json<|message|>{ARGUMENTS}<|call|>",
    "Nemotron": f"<TOOLCALL>[{OBJECT}]</TOOLCALL>",
    "function key": '{"type": "function", "function": "«pay»", "parameters": {"amount": «500», "to": «"Ann"»}}',
    "ReAct": '{"action": "«pay»", "action_input": {"amount": «500», "to": «"Ann"»}}',
    "spaces": '\t{ "name"\n:\r\n "«pay»" ,"arguments" :{"amount":\t«500» , "to" : «"Ann"»\n}\n}\n',
    "arguments alone": ARGUMENTS,
}


@pytest.mark.parametrize("form", list(ONE))
def test_one_call(form: str) -> None:
    text = ONE[form]
    assert aligned(text, PAY) == expected(text, text.count("«"))


TWO = {
    "Hermes and Qwen": f"<tool_call>\n{OBJECT}\n</tool_call>\n<tool_call>\n{LOGGED}\n</tool_call>",
    "Llama 3": f"<|python_tag|>{OBJECT}; {LOGGED}",
    "Mistral list": f"[TOOL_CALLS] [{OBJECT}, {LOGGED}]",
    "Mistral name": f"[TOOL_CALLS]«pay»[ARGS]{ARGUMENTS}[TOOL_CALLS]«log»[ARGS]{LOGGED_ARGUMENTS}",
    "Mistral without its marks": f"«pay»{ARGUMENTS}«log»{LOGGED_ARGUMENTS}",
    "DeepSeek V3": f"<\uff5ctool▁calls▁begin\uff5c><\uff5ctool▁call▁begin\uff5c>function<\uff5ctool▁sep\uff5c>«pay»\n```json\n{ARGUMENTS}\n```<\uff5ctool▁call▁end\uff5c>\n<\uff5ctool▁call▁begin\uff5c>function<\uff5ctool▁sep\uff5c>«log»\n```json\n{LOGGED_ARGUMENTS}\n```<\uff5ctool▁call▁end\uff5c>",
    "Functionary 3.2": f"«pay»\n{ARGUMENTS}>>>«log»\n{LOGGED_ARGUMENTS}",
    "Kimi K2": f"<|tool_call_begin|>functions.«pay»:0<|tool_call_argument_begin|>{ARGUMENTS}<|tool_call_end|><|tool_call_begin|>functions.«log»:1<|tool_call_argument_begin|>{LOGGED_ARGUMENTS}<|tool_call_end|>",
}


@pytest.mark.parametrize("form", list(TWO))
def test_two_calls(form: str) -> None:
    text = TWO[form]
    parts = text.count("«")
    logged = 2
    assert aligned(text, PAY, LOG) == expected(text, parts - logged, logged)
    assert aligned(text, LOG, PAY) == NOT_SPELLED


@pytest.mark.parametrize(
    "front",
    [
        f"<think>I could call {PLAIN}.</think>\n",
        f"I could call {PLAIN}.</think>\n",
        f"Well. <think>{PLAIN}</think>",
        f"[THINK]{PLAIN}[/THINK]",
        f"<|START_THINKING|>{PLAIN}<|END_THINKING|>",
        f"<think>Call pay{PLAIN_ARGUMENTS}?</think>",
        "The set {500} and {x: 1} and {{amount}}: ",
        '{"amount": 500, "to": "Ann"} is what I need. ',
        '{"name": "pay", "arguments": {"amount": 400, "to": "Ann"}}? No: ',
    ],
)
def test_what_stands_in_front_is_not_taken_for_the_call(front: str) -> None:
    text = front + OBJECT
    assert aligned(text, PAY) == expected(text, 3)


@pytest.mark.parametrize("mark", ["<tool_call>", "[TOOL_CALLS]", "<|python_tag|>", "<tool_calls>"])
def test_a_call_in_words_in_front_of_marked_ones_is_words(mark: str) -> None:
    text = f"I am going to call {PLAIN} now. {mark}{OBJECT}"
    assert aligned(text, PAY) == expected(text, 3)


@pytest.mark.parametrize(
    "said",
    [
        "</think>",
        "<think>",
        "a <tool_call> b",
        "[TOOL_CALLS]",
        "<think></think>",
        "</think>[TOOL_CALLS]",
        "to=functions.x",
    ],
)
def test_marks_inside_a_value_are_part_of_it(said: str) -> None:
    call = ToolCall(name="log", arguments={"text": said, "again": True})
    text = f'{{"name": "«log»", "arguments": {{"text": «"{said}"», "again": «true»}}}}'
    assert aligned(text, call) == expected(text, 3)
    text = f"<think>{PLAIN}</think> <tool_call>{text}</tool_call>"
    assert aligned(text, call) == expected(text, 3)


@pytest.mark.parametrize(
    "text",
    [
        f"<think>I call {PLAIN}",
        f"<think>I call <tool_call>{PLAIN}</tool_call>",
        f"<think>I call {PLAIN}</think> [pay(amount=500, to='Ann')]",
        f"I call {PLAIN}</think> pay",
        f"I call {PLAIN}. <tool_call><function=pay><parameter=amount>500</parameter></function></tool_call>",
        f"{PLAIN} or rather {PLAIN}",
        f"<tool_call>{PLAIN}</tool_call><tool_call>{PLAIN}</tool_call>",
        "[pay(amount=500, to='Ann')]",
        f"[pay(**{PLAIN_ARGUMENTS})]",
        f"pay({PLAIN_ARGUMENTS})",
        f"Let me pay {PLAIN_ARGUMENTS}",
        f"[TOOL_CALLS]repay{PLAIN_ARGUMENTS}",
        f"[TOOL_CALLS]pay now{PLAIN_ARGUMENTS}",
        f"<function=repay>{PLAIN_ARGUMENTS}</function>",
        f"<\uff5ctool▁call▁begin\uff5c>pay<\uff5ctool▁sep\uff5c>repay\n```json\n{PLAIN_ARGUMENTS}\n```",
        f"<|tool_call_begin|>functions.repay:0<|tool_call_argument_begin|>{PLAIN_ARGUMENTS}",
        f"to=functions.repay <|message|>{PLAIN_ARGUMENTS}",
        f"to=functions.pay <|message|>note {PLAIN_ARGUMENTS}",
        "<tool_call>pay\n<arg_key>amount</arg_key>\n<arg_value>500</arg_value>\n</tool_call>",
        "<tool_call><function=pay><parameter=amount>500</parameter><parameter=to>Ann</parameter></function></tool_call>",
        "{'name': 'pay', 'arguments': {'amount': 500, 'to': 'Ann'}}",
    ],
)
def test_what_is_not_surely_the_call_has_no_number(text: str) -> None:
    assert str(aligned(text, PAY)).startswith(NOT_SPELLED)
