"""What N samples of a local model cost, against one greedy plan of the same model: see ``sampling --local``."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from guardrail.types import PlanningStep, Sample
from guardrail_transformers import LocalChatModel

PROMPT_TOKENS = 500
PLAN_TOKENS = 60
SHOP = (
    "You are a support agent of a web shop.",
    "Use the tools to do what the customer asks, and never do what nobody asked for.",
    "Refund at most what was paid, in euros, and only for orders of the customer who writes.",
    "A parcel that arrived broken is refunded in full and need not be sent back.",
    "A parcel that is lost is sent again if the article is in stock, and refunded otherwise.",
    "Shoes and clothes can be sent back within thirty days if they were not worn.",
    "Opened software, food and gift cards are not taken back.",
    "Write e-mails in the customer's language, short and friendly, and sign them with the name of the shop.",
    "Do not promise dates that the carrier has not confirmed.",
    "Addresses are changed only before an order is packed.",
    "Never tell a customer anything about another customer's orders.",
    "If it is not clear which order is meant, ask for its number.",
)
TASK = "The lamp of order A-1042 arrived broken. Please refund the 35.90 euros that I paid for it."
TOOLS = [
    {"name": "find_order", "description": "Look up an order by its id.", "parameters": {
        "type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}},
    {"name": "refund", "description": "Give money back for an order. The amount is in euros.", "parameters": {
        "type": "object",
        "properties": {
            "order_id": {"type": "string"}, "amount": {"type": "number"}, "reason": {"type": "string"}},
        "required": ["order_id", "amount"]}},
    {"name": "send_email", "description": "Send an e-mail to a customer.", "parameters": {
        "type": "object",
        "properties": {"to": {"type": "string"}, "subject": {"type": "string"}, "body": {"type": "string"}},
        "required": ["to", "subject", "body"]}},
]  # fmt: skip


def run(place: str, *, n: int, repeat: int, dtype: str) -> dict[str, Any]:
    """Plan and draw again: with answers of a fixed length, and with those that the model ends itself.

    Raises:
        ConfigError: the model cannot be loaded.
    """
    path = Path(place)
    gguf = path.suffix == ".gguf"
    chat = LocalChatModel(path.parent if gguf else place, gguf_file=path.name if gguf else None, dtype=dtype)
    started = time.perf_counter()
    chat.load()
    loaded = time.perf_counter() - started
    messages = _messages(chat)
    lm = chat._ready()
    usual = lm.ends, chat._max_tokens
    lm.ends, chat._max_tokens = frozenset(), PLAN_TOKENS
    fixed = _ways(chat, messages, n=n, repeat=repeat)
    lm.ends, chat._max_tokens = usual
    natural = _ways(chat, messages, n=n, repeat=repeat)
    return {
        "model": chat.model,
        "n": n,
        "repeat": repeat,
        "dtype": str(lm.model.dtype).removeprefix("torch."),
        "device": str(lm.model.device),
        "shared_prompt": lm.branches,
        "load_seconds": round(loaded, 1),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("torch", "transformers")},
        f"answers of {PLAN_TOKENS} tokens": fixed,
        "answers that the model ends": natural,
    }


def _messages(chat: LocalChatModel) -> list[dict[str, str]]:
    """A conversation whose prompt has about as many tokens as wanted."""
    lm = chat._ready()
    plan = chat.plan([{"role": "user", "content": "."}], TOOLS)  # the first pass is slower than the others
    lines: list[str] = []
    while True:
        messages = [{"role": "system", "content": "\n".join(lines)}, {"role": "user", "content": TASK}]
        if len(lm.prompts.ids(lm.prompts.render(messages, plan.tools))) >= PROMPT_TOKENS - 8:
            return messages
        lines.append(SHOP[len(lines) % len(SHOP)])


def _ways(chat: LocalChatModel, messages: list[dict[str, str]], *, n: int, repeat: int) -> dict[str, Any]:
    """Medians over the repetitions, the ways taking turns; the greedy plan reads its prompt each time."""
    lm = chat._ready()
    shares = lm.branches
    steps: list[PlanningStep] = []
    seconds: dict[str, list[float]] = {}
    busy: dict[str, list[float]] = {}
    tokens: dict[str, list[int]] = {}
    longest: dict[str, list[int]] = {}

    def note(way: str, draw: Callable[[], list[Sample]]) -> None:
        before = time.perf_counter(), time.process_time()
        lengths = [len(sample.tokens or ()) for sample in draw()]
        seconds.setdefault(way, []).append(time.perf_counter() - before[0])
        busy.setdefault(way, []).append(time.process_time() - before[1])
        tokens.setdefault(way, []).append(sum(lengths))
        longest.setdefault(way, []).append(max(lengths))
        sys.stderr.write(f"{way}: {seconds[way][-1]:.1f} s, {busy[way][-1]:.1f} s of CPU, {sum(lengths)} tokens\n")

    def plan() -> list[Sample]:
        steps.append(chat.plan(messages, TOOLS))
        return [steps[-1].planned]

    def draw() -> list[Sample]:
        return [*chat.sample(steps[-1], n).samples]

    for _ in range(repeat):
        chat._prefixes._kept.clear()
        note("one greedy plan", plan)
        note(f"{n} samples, the plan's prompt kept", draw)
        chat._prefixes._kept.clear()
        note(f"{n} samples, the prompt read again", draw)
        lm.branches = False
        note(f"{n} samples, a row each", draw)
        lm.branches = shares
    once = statistics.median(seconds["one greedy plan"])
    return {
        way: {
            "prompt_tokens": len(lm.prompts.ids(steps[0].request.prompt)),
            "completion_tokens": statistics.median_low(tokens[way]),
            "longest": statistics.median_low(longest[way]),
            "seconds": round(statistics.median(took), 2),
            "ratio": round(statistics.median(took) / once, 2),
            "cpu_seconds": round(statistics.median(busy[way]), 2),
            "tokens_per_second": round(statistics.median_low(tokens[way]) / statistics.median(took), 1),
        }
        for way, took in seconds.items()
    }


def show(result: dict[str, Any], console: Console) -> None:
    """The tables."""
    console.print(
        f"{result['model']}, {result['dtype']} on {result['device']}, median of {result['repeat']}; "
        f"Python {result['python']}, {result['threads']} threads on {result['cores']} cores, "
        f"load {result['load_average'][0]}; " + ", ".join(f"{k} {v}" for k, v in result["versions"].items())
    )
    for title in (title for title in result if title.startswith("answers")):
        table = Table("way", "prompt", "tokens", "longest", "seconds", "ratio", "CPU seconds", "tokens/s", title=title)
        for way, row in result[title].items():
            table.add_row(way, *map(str, row.values()))
        console.print(table)
