"""A chat model of some thousand weights that has learned a few turns by heart, made in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

TEMPLATE = """\
{%- if tools %}<|start|>system
{% if messages[0].role == 'system' %}{{ messages[0].content }}
{% endif %}tools:{% for tool in tools %} {{ tool.function.name }}{% endfor %}<|end|>
{% endif %}
{%- for message in messages %}
{%- if not (tools and loop.first and message.role == 'system') %}<|start|>{{ message.role }}
{{ message.content }}
{%- for call in message.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}<|end|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|start|>assistant
{% endif %}"""
WITHOUT_TOOLS = """\
{%- for message in messages %}
{%- if message.role not in ['user', 'assistant'] %}{{ raise_exception('only user and assistant') }}{% endif -%}
<|start|>{{ message.role }}
{{ message.content }}<|end|>
{% endfor %}
{%- if add_generation_prompt %}<|start|>assistant
{% endif %}"""
SPECIAL = ["<|pad|>", "<|start|>", "<|end|>", "<|stop|>"]
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def asks(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def call(city: str) -> str:
    return f'<tool_call>{{"name": "weather", "arguments": {{"city": "{city}"}}}}</tool_call>'


# What is asked, and what is answered, each of several answers equally often.
TURNS = {
    "sure": [call("Zürich")],
    "doubtful": [call("Paris"), call("Rom \N{SNOWMAN}")],
    "hello": ["good day"],
    "broken": ['<tool_call>{"name": "weather", "arguments": {"city": </tool_call>'],
    "long": [" ".join(["on and on"] * 6)],
}
QUESTION = ("judge", "right?")


def tokenizer(template: str | None = TEMPLATE) -> Any:
    """A byte-level BPE trained on the turns: what is not in them falls into bytes."""
    found = Tokenizer(models.BPE())
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=SPECIAL,
        show_progress=False,
    )
    found.train_from_iterator(["system tools user assistant weather", call("city"), *TURNS], trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=found,
        eos_token="<|end|>",
        pad_token="<|pad|>",
        additional_special_tokens=["<|start|>", "<|stop|>"],
        chat_template=template,
        model_max_length=512,
    )


def untrained(words: Any, kind: str = "qwen2", **settings: Any) -> Any:
    """Random weights of two layers, with groups of query heads."""
    torch.manual_seed(7)
    config = transformers.AutoConfig.for_model(
        kind,
        **{
            "vocab_size": len(words),
            "hidden_size": 48,
            "intermediate_size": 96,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 12,
            "max_position_embeddings": 512,
            "eos_token_id": [words.convert_tokens_to_ids("<|end|>"), words.convert_tokens_to_ids("<|stop|>")],
            "pad_token_id": 0,
            "bos_token_id": None,
            **settings,
        },
    )
    return transformers.AutoModelForCausalLM.from_config(config).float().eval()


def trained(words: Any, *, steps: int = 180) -> Any:
    """The same after it has learned the turns."""
    model = untrained(words)
    rows = [_row(words, asks(asked), WEATHER, answer) for asked, answers in TURNS.items() for answer in answers]
    system, user = QUESTION
    judged = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    rows += [_row(words, judged, None, answer) for answer in ("A", "A", "A", "B")]
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in rows])
    labels = torch.tensor([[-100] * start + ids[start:] + [-100] * (longest - len(ids)) for ids, start in rows])
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        model(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
    return model.eval()


def write(folder: Path, model: Any, words: Any) -> Path:
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def _row(words: Any, messages: list[dict[str, Any]], tool: Any, answer: str) -> tuple[list[int], int]:
    prompt = words.apply_chat_template(
        messages, tools=[tool] if tool else None, add_generation_prompt=True, tokenize=False
    )
    start = words(prompt, add_special_tokens=False)["input_ids"]
    return start + words(f"{answer}<|end|>", add_special_tokens=False)["input_ids"], len(start)
